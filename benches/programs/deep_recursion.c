// deep_recursion.kal in C.

static double ackermann(double m, double n) {
  if (m < 1)
    return n + 1;
  if (n < 1)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

static double again(double times, double m, double n) {
  double sum = 0;
  for (double i = 0; i < times; i++)
    sum += ackermann(m, n - (sum < 0));
  return sum;
}

double run(const double *input) { return again(input[0], input[1], input[2]); }
