// logic.kal in C.

static int within(double x, double low, double high) { return x > low && !(x > high); }

static int disc(double x, double y, double cx, double cy, double r) {
  return (x - cx) * (x - cx) + (y - cy) * (y - cy) < r * r;
}

static int marked(double x, double y) {
  return ((disc(x, y, 0, 0, 1) && !disc(x, y, 0, 0, 0.5)) || within(x + y, 0.1, 0.2)) && !disc(x, y, 0.5, 0.5, 0.3);
}

double run(const double *input) {
  double n = input[0], found = 0;
  for (double i = 0; i < n; i++)
    for (double j = 0; j < n; j++)
      if (marked(2 * i / n - 1, 2 * j / n - 1))
        found++;
  return found;
}
