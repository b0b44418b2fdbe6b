// maths.kal in C.
#include <math.h>

static double term(double x) { return sqrt(x) + floor(x * 0.5) - sin(x) * exp(0 - x * 0.000001); }

static double sum(double n) {
  double s = 0;
  for (double i = 0; i < n; i++)
    s += term(i);
  return s;
}

double run(const double *input) { return sum(input[0]); }
