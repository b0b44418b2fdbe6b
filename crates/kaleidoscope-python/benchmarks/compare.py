"""Compares formulas over arrays with NumPy, numexpr, numba and SymPy's lambdify.

Prints ratios: the time of the other one divided by ours, so more than 1 means that ours is
quicker. The contestants take turns, and each time is the least of its turns. Needs the package, and
`pip install numexpr numba sympy`. Run it on a machine that does nothing else:

    python benchmarks/compare.py [--threads N] [--seconds S]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

SIZES = [10**3, 10**4, 10**5, 10**6, 10**7]
FORMULAS = {
    "quadratic": "a*x*x + b*x + c",
    "wave": "a*sin(b*x) + c",
    "bell": "exp(-(x - a)*(x - a) / (2*b*b)) / c",
    "root": "sqrt(a*a + x*x) / (b + x*x)",
}


def contestants(text, n_threads):
    import numba
    import numexpr
    import numpy as np
    import sympy

    import kaleidoscope_jit as ks

    parallel = n_threads > 1
    numexpr.set_num_threads(n_threads)
    names = ["a", "b", "c", "x"]
    formula = ks.formula(text, names)
    functions = {name: getattr(np, name) for name in ("sin", "exp", "sqrt")}
    scalar = eval(f"lambda a, b, c, x: {text}", dict(functions))
    compiled = numba.vectorize(nopython=True)(scalar)
    symbols = sympy.symbols(names)
    lambdified = sympy.lambdify(symbols, sympy.sympify(text), "numpy")
    a, b, c = 1.5, 2.5, 0.5

    def with_numexpr(x):
        return numexpr.evaluate(text, {"a": a, "b": b, "c": c, "x": x})

    return {
        "ours": lambda x: formula(a, b, c, x, parallel=parallel),
        "ours, fast": lambda x: formula(a, b, c, x, parallel=parallel, fast=True),
        "numpy": lambda x: scalar(a, b, c, x),
        "numexpr": with_numexpr,
        "numba": lambda x: compiled(a, b, c, x),
        "sympy": lambda x: lambdified(a, b, c, x),
    }


def least_times(functions, x, seconds):
    """The least time of each function, in turns."""
    for function in functions.values():
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            function(x)
    times = dict.fromkeys(functions, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, function in functions.items():
            begin = time.perf_counter()
            function(x)
            times[name] = min(times[name], time.perf_counter() - begin)
    return times


def import_times():
    """Milliseconds of each import, beyond Python's own start, in processes of their own."""
    programs = {
        "nothing": "", "numpy": "import numpy",
        "ours": "import kaleidoscope_jit", "ours and numpy": "import numpy, kaleidoscope_jit",
        "numexpr": "import numexpr", "numba": "import numba", "sympy": "import sympy",
    }  # fmt: skip
    times = dict.fromkeys(programs, float("inf"))
    for _ in range(5):
        for name, program in programs.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name] = min(times[name], time.perf_counter() - begin)
    return {name: 1e3 * (each - times["nothing"]) for name, each in times.items()}


FIRST_CALL = """
import time, numpy as np, {module}
x = np.linspace(0, 1, 1000)
{before}
begin = time.perf_counter()
{call}
print(1e3 * (time.perf_counter() - begin))
"""


def first_call(module, before, call):
    """Milliseconds of the first call on 1,000 rows, the least of five processes."""
    program = FIRST_CALL.format(module=module, before=before, call=call)
    run = [sys.executable, "-c", program]
    return min(float(subprocess.check_output(run)) for _ in range(5))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row of the table")
    options = parser.parse_args()

    import numpy as np

    print("import, ms:")
    for name, milliseconds in import_times().items():
        print(f"  {name:<16}{milliseconds:8.1f}")
    print("first call on 1,000 rows, ms:")
    ours = ("kaleidoscope_jit as ks", "ks.default_engine()")
    calls = {
        "ours": (*ours, "ks.formula('2*x*x + 3*x + 1')(x)"),
        "numexpr": ("numexpr", "", "numexpr.evaluate('2*x*x + 3*x + 1')"),
        "numba": ("numba", "", "numba.njit(lambda x: 2*x*x + 3*x + 1)(x)"),
    }
    for name, call in calls.items():
        print(f"  {name:<16}{first_call(*call):8.3f}")

    for n_threads in sorted({1, options.threads}):
        print(f"time of others divided by ours, {n_threads} threads:")
        for title, text in FORMULAS.items():
            functions = contestants(text, n_threads)
            if n_threads > 1:
                # These use one thread only.
                for name in ["numpy", "numba", "sympy"]:
                    functions.pop(name)
            for size in SIZES:
                x = np.linspace(-1, 1, size)
                times = least_times(functions, x, options.seconds)
                ours = times.pop("ours")
                ratios = "".join(f"  {name} {each / ours:5.2f}" for name, each in times.items())
                print(f"  {title:<10}{size:>9}  {1e6 * ours:10.1f} us{ratios}", flush=True)


if __name__ == "__main__":
    main()
