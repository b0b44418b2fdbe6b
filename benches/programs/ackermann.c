// ackermann.kal in C.

static double ackermann(double m, double n) {
  if (m < 1)
    return n + 1;
  if (n < 1)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

double run(const double *input) { return ackermann(input[0], input[1]); }
