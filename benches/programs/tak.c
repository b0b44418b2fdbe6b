// tak.kal in C.

static double tak(double x, double y, double z) {
  return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

double run(const double *input) { return tak(input[0], input[1], input[2]); }
