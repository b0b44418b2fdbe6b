// loop.kal in C.

double run(const double *input) {
  double end = input[0], sum = 0;
  for (double i = 0; i < end; i++)
    sum += i * 0.5;
  return sum;
}
