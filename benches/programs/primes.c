// primes.kal in C.
#include <math.h>

static double remainder_of(double a, double b) { return a - floor(a / b) * b; }

static double prime(double n) {
  for (double d = 3; !(d * d > n); d += 2)
    if (remainder_of(n, d) == 0)
      return 0;
  return 1;
}

double run(const double *input) {
  double found = 1;
  for (double n = 3; n < input[0]; n += 2)
    found += prime(n);
  return found;
}
