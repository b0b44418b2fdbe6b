"""Formulas and functions from text, compiled at run time.

>>> import kaleidoscope_jit as ks
>>> a, b = 2.0, 1.0
>>> ks.evaluate("a * sin(0) + b")
1.0

With NumPy, values are arrays:

>>> import numpy as np
>>> x = np.array([0.0, 1.0, 2.0])
>>> ks.evaluate("a * x^2 + b")
array([1., 3., 9.])

A formula that is used often is an object, and a program is text, too:

>>> wave = ks.formula("a * cos(x) + b", ["a", "b", "x"])
>>> wave(2, 1, 0)
3.0
>>> engine = ks.Engine()
>>> engine.run("def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2); fib(20);")
[6765.0]
>>> fib = engine.function("fib")
>>> fib(10)
55.0
"""

import os as _os
import threading as _threading

from . import _native
from ._errors import CallError, EngineError, Error, Interrupted, ProgramError, TimedOut
from ._evaluate import default_engine, evaluate, formula, formulas, lambdify
from ._native import Engine, Function, Variable

__version__ = "0.1.0"

__all__ = [
    "CallError",
    "Engine",
    "EngineError",
    "Error",
    "Function",
    "Interrupted",
    "ProgramError",
    "TimedOut",
    "Variable",
    "default_engine",
    "evaluate",
    "formula",
    "formulas",
    "lambdify",
]

_native.set_package_folder(_os.path.dirname(_os.path.abspath(__file__)))
_native.use_main_thread(_threading.main_thread().ident or 0)
_os.register_at_fork(after_in_child=_native.after_fork)


def load_ipython_extension(shell):
    """Adds the magics `%kaleidoscope` and `%%kaleidoscope` to IPython and Jupyter."""
    from ._magics import load

    load(shell)
