// Runs a program of this folder with the numbers on the command line. Constants in the source would
// let the compiler do part of the work.
#include <stdio.h>
#include <stdlib.h>

double run(const double *input);

int main(int argc, char **argv) {
  double input[8];
  for (int nth = 1; nth < argc && nth <= 8; nth++)
    input[nth - 1] = strtod(argv[nth], NULL);
  printf("%.17g\n", run(input));
}
