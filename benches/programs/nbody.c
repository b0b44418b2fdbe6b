// nbody.kal in C, with arrays and loops.
#include <math.h>

static const double SUN = 39.47841760435743;

struct body {
  double x, y, z, vx, vy, vz, mass;
};

static double energy(const struct body *bodies) {
  double sum = 0;
  for (int i = 0; i < 5; i++) {
    const struct body *b = &bodies[i];
    sum += 0.5 * b->mass * (b->vx * b->vx + b->vy * b->vy + b->vz * b->vz);
  }
  for (int i = 0; i < 5; i++)
    for (int j = i + 1; j < 5; j++) {
      const struct body *a = &bodies[i], *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
    }
  return sum;
}

static void advance(struct body *bodies, double dt) {
  for (int i = 0; i < 5; i++)
    for (int j = i + 1; j < 5; j++) {
      struct body *a = &bodies[i], *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double square = dx * dx + dy * dy + dz * dz;
      double magnitude = dt / (square * sqrt(square));
      a->vx -= dx * b->mass * magnitude;
      b->vx += dx * a->mass * magnitude;
      a->vy -= dy * b->mass * magnitude;
      b->vy += dy * a->mass * magnitude;
      a->vz -= dz * b->mass * magnitude;
      b->vz += dz * a->mass * magnitude;
    }
  for (int i = 0; i < 5; i++) {
    struct body *b = &bodies[i];
    b->x += dt * b->vx;
    b->y += dt * b->vy;
    b->z += dt * b->vz;
  }
}

double run(const double *input) {
  struct body bodies[5] = {
      {0.0, 0.0, 0.0, -0.0003876634071992133, -0.0032753590371765707, 2.3935734080003e-05,
       SUN},
      {4.841431442464721, -1.1603200440274284, -0.10362204447112311, 0.606326392995832, 2.81198684491626, -0.02521836165988763,
       0.03769367487038949},
      {8.34336671824458, 4.124798564124305, -0.4035234171143214, -1.0107743461771461, 1.8256623712304119, 0.008415761376584154,
       0.011286326131968767},
      {12.894369562139131, -15.111151401698631, -0.22330757889265573, 1.0827910064415354, 0.8687130181696082, -0.010832637401363636,
       0.0017237240570597112},
      {15.379697114850917, -25.919314609987964, 0.17925877295037118, 0.979090732243898, 0.5946989986476762, -0.034755955504078104,
       0.0020336868699246304},
  };
  for (double i = 0; i < input[0]; i++)
    advance(bodies, input[1]);
  return energy(bodies);
}
