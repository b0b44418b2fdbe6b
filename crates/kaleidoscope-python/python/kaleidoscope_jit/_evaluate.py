"""The engine that the package shares, and formulas over the caller's variables."""

from __future__ import annotations

import os
import sys
import threading

from ._native import Engine

# The formulas that `evaluate` has made, by text. The oldest is dropped first.
_MOST_FORMULAS = 256
_formulas: dict = {}

_default: Engine | None = None
_lock = threading.Lock()


def default_engine() -> Engine:
    """The engine of `evaluate`, `formula` and `formulas`: the usual operators and names.

    A forked child has one of its own.
    """
    global _default
    engine = _default
    if engine is None:
        with _lock:
            if _default is None:
                _default = Engine(_shared=True)
            engine = _default
    return engine


def _forget_parent() -> None:
    # An engine does not work in a forked child, and the lock may be held by a thread that does not
    # exist there.
    global _default, _lock
    _lock = threading.Lock()
    _default = None
    _formulas.clear()


os.register_at_fork(after_in_child=_forget_parent)


def formula(text, parameters=None):
    """An expression over named parameters, as a function.

    Without `parameters`, they are the variables of the text in its order.

    >>> import kaleidoscope_jit as ks
    >>> wave = ks.formula("a * cos(x) + b")
    >>> wave.parameters
    ('a', 'x', 'b')
    >>> wave(x=0, a=2, b=1)
    3.0
    """
    return default_engine().formula(text, parameters)


def formulas(texts, parameters):
    """Several formulas over the same parameters: a call gives a tuple.

    Over arrays they are one loop, which computes once what they have in common.

    >>> import kaleidoscope_jit as ks
    >>> polar = ks.formulas(["r * cos(t)", "r * sin(t)"], ["r", "t"])
    >>> polar(2, 0)
    (2.0, 0.0)
    """
    return default_engine().formulas(texts, parameters)


def lambdify(args, expr, *, engine=None):
    """A function of an expression of SymPy, or of a list of them, over symbols.

    >>> import kaleidoscope_jit as ks, sympy
    >>> x, y = sympy.symbols("x y")
    >>> ks.lambdify([x, y], sympy.diff(x**3 * y, x))(2, 5)
    60.0
    >>> ks.lambdify([x], [x + 1, sympy.Max(x, 3)])(2)
    (3.0, 3.0)

    Functions that SymPy does not know may be functions of the engine.
    """
    from ._sympy import make

    return make(default_engine() if engine is None else engine, args, expr)


def evaluate(
    text,
    local_dict=None,
    global_dict=None,
    out=None,
    *,
    fast=False,
    parallel=True,
    _frame_depth=1,
):
    """Evaluates a formula with the caller's variables.

    The variables come from `local_dict` and then `global_dict`, if they are given, and otherwise
    from the caller's local and global variables.

    >>> import kaleidoscope_jit as ks
    >>> price, tax = 100, 0.25
    >>> ks.evaluate("price * (1 + tax)")
    125.0
    >>> ks.evaluate("price * 2", {"price": 7})
    14.0

    `fast=True` permits other bits: vector functions with an error of a few units in the last
    place. `parallel=False` computes large arrays on the calling thread alone.
    """
    compiled = _formulas.get(text)
    if compiled is None:
        compiled = formula(text)
        # A copy of the keys: other threads may change the dictionary during an iteration.
        for oldest in list(_formulas)[: 1 - _MOST_FORMULAS]:
            _formulas.pop(oldest, None)
        _formulas[text] = compiled
    if local_dict is None:
        frame = sys._getframe(_frame_depth)
        local_dict = frame.f_locals
        if global_dict is None:
            global_dict = frame.f_globals
        del frame
    values = []
    for name in compiled.parameters:
        try:
            value = local_dict[name]
        except KeyError:
            if global_dict is None or name not in global_dict:
                raise NameError(f"the formula needs the variable `{name}`") from None
            value = global_dict[name]
        values.append(value)
    return compiled(*values, out=out, fast=fast, parallel=parallel)
