// collatz.kal in C.
#include <math.h>

static double steps(double n) {
  double taken = 0;
  while (n >= 2) {
    n = n - floor(n / 2) * 2 > 0 ? 3 * n + 1 : n / 2;
    taken++;
  }
  return taken;
}

static double lengths(double limit) {
  double sum = 0;
  for (double n = 1; n < limit; n++)
    sum += steps(n);
  return sum;
}

double run(const double *input) { return lengths(input[0]); }
