// pendulum.kal in C.

static double force(double x, double v, double t, double damped) {
  return (damped ? 0 - 0.1 * v : 0) - x + x * x * x / 6 + t * 1e-6;
}

static double swing(double x, double v, double steps, double damped) {
  double dt = 0.001, t = 0;
  for (double i = 0; i < steps; i++) {
    double sx = 0, sv = 0, kx = 0, kv = 0;
    for (double j = 0; j < 4; j++) {
      double c = j < 1 ? 0 : j < 3 ? 0.5 : 1;
      double nx = v + c * dt * kv;
      double nv = force(x + c * dt * kx, v + c * dt * kv, t + c * dt, damped);
      kx = nx;
      kv = nv;
      double weight = j < 1 ? 1 : j < 3 ? 2 : 1;
      sx += weight * kx;
      sv += weight * kv;
    }
    x += dt / 6 * sx;
    v += dt / 6 * sv;
    t += dt;
  }
  return x;
}

double run(const double *input) { return swing(input[0], input[1], input[2], input[3]); }
