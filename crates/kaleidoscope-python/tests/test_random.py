"""Random formulas and shapes against NumPy.

NumPy rounds the four operations as the machine does, so results have equal bits. Its `exp`, `sin`
and others are its own, so functions are compared with C's library, through Python's `math`.
"""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import kaleidoscope_jit as ks

NAMES = ["a", "b", "c"]
# Seconds of work, and a failure prints what reproduces it.
BOUNDED = settings(deadline=None, max_examples=200, print_blob=True, database=None)

numbers = st.floats(width=64)


def constant(value):
    return st.just((repr(value), lambda *_: np.float64(value)))


leaves = st.one_of(
    st.integers(0, 2).map(lambda at: (NAMES[at], lambda *args: args[at])),
    st.sampled_from([0.0, 1.0, 0.1, 2.5, 1e300, 5e-324]).flatmap(constant),
)


def binary(children):
    def combine(operator, left, right):
        operations = {
            "+": lambda *args: left[1](*args) + right[1](*args),
            "-": lambda *args: left[1](*args) - right[1](*args),
            "*": lambda *args: left[1](*args) * right[1](*args),
            "/": lambda *args: left[1](*args) / right[1](*args),
        }
        return f"({left[0]} {operator} {right[0]})", operations[operator]

    return st.builds(combine, st.sampled_from("+-*/"), children, children)


def unary(children):
    functions = {"-": np.negative, "sqrt": np.sqrt, "fabs": np.abs, "floor": np.floor, "ceil": np.ceil,
                 "trunc": np.trunc, "rint": np.rint}

    def combine(name, child):
        return f"{name}({child[0]})", lambda *args: functions[name](child[1](*args))

    return st.builds(combine, st.sampled_from(sorted(functions)), children)


formulas = st.recursive(leaves, lambda children: binary(children) | unary(children), max_leaves=12)


def same_bits(result, wanted):
    result, wanted = np.asarray(result, dtype=float), np.asarray(wanted, dtype=float)
    assert result.shape == wanted.shape
    nans = np.isnan(wanted)
    np.testing.assert_array_equal(np.isnan(result), nans)
    np.testing.assert_array_equal(result[~nans].view("u8"), wanted[~nans].view("u8"))


@BOUNDED
@given(formula=formulas, rows=st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=40))
def test_random_formulas_have_the_bits_of_numpy(formula, rows):
    text, reference = formula
    columns = [np.array(column) for column in zip(*rows)]
    compiled = ks.formula(text, NAMES)
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(reference(*columns), len(rows))
        same_bits(compiled(*columns), wanted)
        same_bits([compiled(*row) for row in rows], wanted)


LIBM = ["sin", "cos", "tan", "exp", "expm1", "log1p", "atan", "sinh", "cosh", "tanh", "asinh", "erf"]


@BOUNDED
@given(name=st.sampled_from(LIBM), values=st.lists(st.floats(-50, 50), min_size=1, max_size=40))
def test_functions_have_the_bits_of_the_c_library(name, values):
    values = [value if name != "log1p" else abs(value) for value in values]
    wanted = [getattr(math, name)(value) for value in values]
    compiled = ks.formula(f"{name}(x)")
    same_bits(compiled(np.array(values)), wanted)
    same_bits([compiled(value) for value in values], wanted)


@BOUNDED
@given(data=st.data(), shapes=arrays.mutually_broadcastable_shapes(num_shapes=3, min_side=0))
def test_random_shapes_are_broadcast_as_numpy_does(data, shapes):
    types = st.sampled_from(["f8", "f4", "i4", "u1", "?", ">f8"])
    operands = []
    for shape in shapes.input_shapes:
        # The array is a view: rows from the end, or columns that are rows.
        base = np.arange(math.prod(shape), dtype=float).reshape(shape).astype(data.draw(types))
        operands.append(base[::-1] if data.draw(st.booleans()) and shape else base)
    wanted = operands[0].astype(float) * operands[1].astype(float) + operands[2].astype(float)
    compiled = ks.formula("a * b + c", NAMES)
    same_bits(compiled(*operands), wanted)
    order = data.draw(st.sampled_from("CF"))
    out = np.empty(shapes.result_shape, dtype=data.draw(st.sampled_from(["f8", "f4"])), order=order)
    compiled(*operands, out=out)
    np.testing.assert_array_equal(out, wanted.astype(out.dtype))
