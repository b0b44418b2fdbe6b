// mandelbrot.kal in C.

static double converge(double real, double imag, double creal, double cimag) {
  double iters = 0;
  while (!(iters > 255 || real * real + imag * imag > 4)) {
    double next = real * real - imag * imag + creal;
    imag = 2 * real * imag + cimag;
    real = next;
    iters++;
  }
  return iters;
}

static double mandelbrot(double xmin, double xstep, double ymin, double ystep,
                         double last) {
  double sum = 0;
  for (double y = 0; y <= last; y++)
    for (double x = 0; x <= last; x++)
      sum += converge(xmin + x * xstep, ymin + y * ystep, xmin + x * xstep, ymin + y * ystep);
  return sum;
}

double run(const double *input) { return mandelbrot(input[0], input[1], input[2], input[3], input[4]); }
