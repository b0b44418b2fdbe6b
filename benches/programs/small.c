// small.kal in C.

static double f(double x) { return x * x + 1; }

double run(const double *input) { return f(input[0]); }
