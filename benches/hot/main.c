// Runs a program of this folder on the numbers that it is given: a compiler that knew them would do part of the work itself.
#include <stdio.h>
#include <stdlib.h>

double run(const double *input);

int main(int argc, char **argv) {
  double input[8];
  for (int nth = 1; nth < argc && nth <= 8; nth++)
    input[nth - 1] = strtod(argv[nth], NULL);
  printf("%.17g\n", run(input));
}
