// fib.kal in C.

static double fib(double n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

double run(const double *input) { return fib(input[0]); }
