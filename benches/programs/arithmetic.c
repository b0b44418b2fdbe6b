// arithmetic.kal in C.

static double sum(double n) {
  double s = 0;
  for (double i = 0; i < n; i++)
    s += i * 0.5;
  return s;
}

double run(const double *input) { return sum(input[0]); }
