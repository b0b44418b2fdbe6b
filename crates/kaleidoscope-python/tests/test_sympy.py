"""Expressions of SymPy give what SymPy's own functions give."""

import math

import numpy as np
import pytest
import sympy
from sympy import symbols

import kaleidoscope_jit as ks

x, y = symbols("x y")


@pytest.mark.parametrize("expr", [
    x**2 + 3 * y / x - 1, sympy.sin(x) ** 2 * sympy.exp(-y), sympy.sqrt(x) + 1 / sympy.sqrt(y),
    sympy.Rational(1, 3) * x, x**-2 + y**3.5, sympy.log(x, 2), sympy.pi * x + sympy.E,
    sympy.Piecewise((x, x < y), (y, x > 2 * y), (0, True)), sympy.Max(x, y, 1) - sympy.Min(x, y),
    sympy.Abs(x - y), sympy.sign(x - y), sympy.floor(x) + sympy.ceiling(y), sympy.Mod(x, y),
    sympy.Mod(-x, y), sympy.atan2(x, y), sympy.erf(x) * sympy.gamma(y), -x * (y - x), -(x**2),
    sympy.Piecewise((1, sympy.And(x > 1, sympy.Not(sympy.Eq(x, y)))), (2, sympy.Or(x >= y, y <= 1)),
                    (3, True)),
    sympy.diff(sympy.exp(-x**2) * sympy.tanh(x * y), x), x - (y - (x - y)), x / (y / x),
    sympy.Float("0.1") + x, 10**30 * x, (x + y) ** (x - y), sympy.cbrt(x),
], ids=str)
def test_the_same_numbers(expr):
    random = np.random.default_rng(1)
    xs, ys = random.uniform(0.5, 3, 50), random.uniform(0.5, 3, 50)
    exact = [{x: sympy.Float(a), y: sympy.Float(b)} for a, b in zip(xs, ys)]
    wanted = [float(expr.evalf(30, subs=each)) for each in exact]
    np.testing.assert_allclose(ks.lambdify([x, y], expr)(xs, ys), wanted, rtol=1e-13, atol=1e-13)


def test_lists_and_matrices_give_tuples():
    f = ks.lambdify((x, y), [x + y, x * y])
    assert f(2, 3) == (5.0, 6.0)
    jacobian = sympy.Matrix([x * y, x + y]).jacobian([x, y])
    assert ks.lambdify((x, y), jacobian)(2, 3) == (3.0, 2.0, 1.0, 1.0)


def test_any_symbol_is_an_argument():
    strange = symbols("if lambda x' pi")
    assert ks.lambdify(strange, sum(strange) + sympy.pi)(1, 2, 3, 4) == 10 + math.pi


def test_functions_of_an_engine(engine):
    engine.run("def twice(x) 2 * x;")
    twice = sympy.Function("twice")
    assert ks.lambdify([x], twice(x) + 1, engine=engine)(4) == 9.0
    with pytest.raises(TypeError, match="no function `other`"):
        ks.lambdify([x], sympy.Function("other")(x), engine=engine)


def test_what_has_no_counterpart_is_refused():
    with pytest.raises(TypeError):
        ks.lambdify([x], sympy.zeta(x))
    with pytest.raises(TypeError):
        ks.lambdify([x], sympy.I * x)
    with pytest.raises(ValueError, match="not among"):
        ks.lambdify([x], x + y)


def test_comparisons_with_nan_are_false():
    f = ks.lambdify([x, y], sympy.Piecewise((1, x < y), (2, True)))
    assert f(math.nan, 1) == 2.0
    assert ks.lambdify([x, y], sympy.Piecewise((1, sympy.Ne(x, y)), (2, True)))(math.nan, 1) == 1.0
