// integrate.kal in C.
#include <math.h>

static double circle(double x) { return sqrt(1 - x * x); }

static double integrate(double a, double b, double n) {
  double h = (b - a) / n, sum = 0;
  for (double i = 0; i < n; i++)
    sum += circle(a + (i + 0.5) * h);
  return sum * h;
}

double run(const double *input) { return integrate(input[0], input[1], input[2]); }
