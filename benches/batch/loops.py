"""Formulas of the benchmark `batch` in Python, on one thread.

`loops.py PACKAGE NAME ROWS ROUNDS` prints the shortest time of a round in seconds and the sum of the
results."""

import sys
import time

import numpy

package, name, n_rows, n_rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
# The second formula is in the syntax of numexpr.
formula, of_numexpr, parameters = {
    "quadratic": ("a * x * x + b * x + c", None, "abcx"),
    "branches": ("x * y if x < y else x - y", "where(x < y, x * y, x - y)", "xy"),
    "waves": ("sin(x) + sin(y) + sin(z)", None, "xyz"),
}[name]
rows = numpy.arange(n_rows, dtype=numpy.int64)
factors = [7919, 104729, 1299709, 15485863]
columns = [rows * factor % 1000003 / 1000003.0 * 10.0 for factor, _ in zip(factors, parameters)]
out = numpy.ones(n_rows)

if package == "numexpr":
    import numexpr

    # Intel's vector maths library computes other bits. The packages of PyPI do not have it.
    assert not numexpr.use_vml
    numexpr.set_num_threads(1)
    named = dict(zip(parameters, columns))

    def run():
        numexpr.evaluate(of_numexpr or formula, local_dict=named, out=out)

else:
    import numba
    from math import sin

    arguments = ", ".join(parameters)
    scope = {"sin": sin}
    exec(f"def row({arguments}): return {formula}", scope)
    types = ", ".join(["float64"] * len(parameters))
    vectorized = numba.vectorize([f"float64({types})"])(scope["row"])

    def run():
        vectorized(*columns, out)


best = float("inf")
for _ in range(n_rounds + 1):
    start = time.perf_counter()
    run()
    best = min(best, time.perf_counter() - start)
print(best, out.sum())
