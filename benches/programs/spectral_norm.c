// spectral_norm.kal in C.
#include <math.h>
#include <stdlib.h>

static double a(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void times(int n, const double *from, double *to) {
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++)
      sum += a(i, j) * from[j];
    to[i] = sum;
  }
}

static void transposed_times(int n, const double *from, double *to) {
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++)
      sum += a(j, i) * from[j];
    to[i] = sum;
  }
}

double run(const double *input) {
  int n = (int)input[0];
  double *u = malloc(n * sizeof(double));
  double *v = malloc(n * sizeof(double));
  double *t = malloc(n * sizeof(double));
  for (int i = 0; i < n; i++)
    u[i] = 1;
  for (int i = 0; i < 10; i++) {
    times(n, u, t);
    transposed_times(n, t, v);
    times(n, v, t);
    transposed_times(n, t, u);
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < n; i++) {
    uv += u[i] * v[i];
    vv += v[i] * v[i];
  }
  free(u);
  free(v);
  free(t);
  return sqrt(uv / vv);
}
