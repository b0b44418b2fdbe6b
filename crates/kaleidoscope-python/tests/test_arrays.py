"""Functions over NumPy arrays: NumPy decides shapes, types and memory."""

import numpy as np
import pandas
import pytest

import kaleidoscope_jit as ks

QUADRATIC = "a*x^2 + b*x + 1"


def expected(a, b, x):
    return a * (x * x) + b * x + 1


@pytest.fixture
def f():
    return ks.formula(QUADRATIC, ["a", "b", "x"])


def same(result, wanted):
    assert type(result) is type(wanted)
    assert np.shape(result) == np.shape(wanted)
    np.testing.assert_array_equal(result, wanted)


def test_arrays_beside_numbers(f):
    x = np.linspace(-1, 1, 1001)
    same(f(2, 3, x), expected(2, 3, x))
    same(f(x, x, x), expected(x, x, x))


@pytest.mark.parametrize("shapes", [
    ((), (3,), (2, 3)),
    ((2, 1), (1, 3), (1,)),
    ((0,), (1,), ()),
    ((4, 1, 2), (3, 1), (1, 1, 1)),
    ((0, 3), (3,), (1, 1)),
    ((300, 1), (1, 700), ()),
])
def test_shapes_are_broadcast(f, shapes):
    random = np.random.default_rng(5)
    arrays = [random.normal(size=shape) for shape in shapes]
    arrays = [np.asarray(array) for array in arrays]
    same(f(*arrays), expected(*arrays))


def test_shapes_that_do_not_fit_are_refused(f):
    with pytest.raises(ValueError, match="(?i)shape"):
        f(np.ones(3), np.ones(4), 1)


def test_any_strides(f):
    base = np.arange(40_000.0).reshape(200, 200)
    for x in [
        base.T, base[::2, ::-3], base[:, 1], base[::-1], np.asfortranarray(base),
        np.broadcast_to(base[0], (5, 200)), base[:, ::2][1:], base.ravel()[::-7],
    ]:
        same(f(2.0, 3.0, x), expected(2.0, 3.0, x))


def test_unaligned_and_swapped(f):
    packed = np.zeros(100, dtype=[("tag", "i1"), ("x", "f8")])
    packed["x"] = np.arange(100)
    same(f(1, 2, packed["x"]), expected(1, 2, np.arange(100.0)))
    same(f(1, 2, np.arange(100, dtype=">f8")), expected(1, 2, np.arange(100.0)))


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "i8", "u8", "?", "f2", "f4"])
def test_types_become_doubles(f, dtype):
    x = (np.arange(200) % 100).astype(dtype)
    same(f(2.0, 3.0, x), expected(2.0, 3.0, x.astype(float)))


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([1j]), np.array([None]), "text", None])
def test_other_types_are_refused(f, value):
    with pytest.raises(TypeError):
        f(1, 2, value)


def test_scalars_of_numpy(f):
    assert f(np.float64(1), np.float64(2), np.float64(3)) == 16.0
    assert f(1, 2, np.int32(3)) == 16.0
    assert f(1, 2, np.array(3)) == 16.0


def test_lists_are_arrays(f):
    same(f(1, 2, [1, 2, 3]), expected(1, 2, np.array([1, 2, 3])).astype(float))


def test_results_go_to_out(f):
    x = np.linspace(0, 1, 3000)
    out = np.empty(3000)
    assert f(1, 2, x, out=out) is out
    np.testing.assert_array_equal(out, expected(1, 2, x))
    strided = np.zeros((3000, 2))
    f(1, 2, x, out=strided[:, 1])
    np.testing.assert_array_equal(strided[:, 1], expected(1, 2, x))
    assert not strided[:, 0].any()
    single = np.empty(3000, dtype="f4")
    f(1, 2, x, out=single)
    np.testing.assert_array_equal(single, expected(1, 2, x).astype("f4"))


def test_out_may_be_an_argument(f):
    x = np.linspace(0, 1, 200_000)
    wanted = expected(1, 2, x)
    f(1, 2, x, out=x)
    np.testing.assert_array_equal(x, wanted)
    y = np.linspace(0, 1, 200_001)
    wanted = expected(1, 2, y[:-1])
    f(1, 2, y[:-1], out=y[1:])
    np.testing.assert_array_equal(y[1:], wanted)
    z = np.linspace(0, 1, 200_000)
    wanted = expected(1, 2, z)
    f(1, 2, z, out=z[::-1])
    np.testing.assert_array_equal(z[::-1], wanted)


def test_out_that_does_not_fit_is_refused(f):
    x = np.ones(10)
    for out, kind in [
        (np.empty(9), ValueError), (np.empty(10, dtype=int), TypeError), ([0.0] * 10, TypeError),
        ((np.empty(10), np.empty(10)), ValueError),
    ]:
        with pytest.raises(kind):
            f(1, 2, x, out=out)
    frozen = np.empty(10)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(1, 2, x, out=frozen)


def test_read_only_arguments(f):
    x = np.ones(10)
    x.flags.writeable = False
    same(f(1, 2, x), expected(1, 2, x))


def test_several_results():
    polar = ks.formulas(["r * cos(t)", "r * sin(t)"], ["r", "t"])
    r, t = np.linspace(0, 1, 5)[:, None], np.linspace(0, 3, 7)
    xs, ys = polar(r, t)
    assert xs.shape == ys.shape == (5, 7)
    outs = np.empty((5, 7)), np.empty((5, 7))
    assert polar(r, t, out=outs) == outs
    np.testing.assert_array_equal(outs, (xs, ys))
    shared = np.empty((5, 7))
    with pytest.raises(ValueError):
        polar(np.ones((5, 7)), np.ones((5, 7)), out=(shared, shared))


def test_many_arguments():
    names = [f"x{number}" for number in range(60)]
    total = ks.formula("+".join(names), names)
    columns = [np.arange(10.0)[::2] * number for number in range(60)]
    result = total(*columns)
    np.testing.assert_array_equal(result, np.arange(10.0)[::2] * sum(range(60)))


def test_functions_of_programs(engine):
    engine.run("def collatz(n) var steps = 0 in (while n > 1 in (steps = steps + 1 : "
               "n = if n % 2 == 0 then n / 2 else 3 * n + 1)) : steps;")
    collatz = engine.function("collatz")
    np.testing.assert_array_equal(collatz(np.array([1, 6, 27])), [0, 8, 111])


def test_large_arrays_use_all_threads_or_one(f):
    x = np.linspace(-1, 1, 1_000_000)
    for parallel in [True, False]:
        same(f(2, 3, x, parallel=parallel), expected(2, 3, x))


def test_fast_is_near(f):
    wave = ks.formula("sin(x) * exp(x)")
    x = np.linspace(-1, 1, 100_000)
    np.testing.assert_allclose(wave(x, fast=True), wave(x), rtol=1e-14)


def test_evaluate_over_arrays_of_the_caller():
    a, x = 2, np.arange(4)
    same(ks.evaluate("a * x + 0.5"), a * x + 0.5)
    out = np.empty(4)
    assert ks.evaluate("a * x", out=out) is out


def test_an_error_in_a_batch_is_an_exception(engine):
    def strict(x):
        if x > 2:
            raise LookupError(x)
        return x

    engine.register("strict", strict)
    with pytest.raises(LookupError):
        engine.formula("strict(x)")(np.arange(5.0))


def test_scan_and_fold():
    average = ks.formula("a + 0.5 * (price - a)", ["a", "price"])
    prices = np.array([10, 12, 8])
    np.testing.assert_array_equal(average.scan(10, prices), [10, 11, 9.5])
    assert average.fold(10, prices) == 9.5
    out = np.zeros(6)
    average.scan(10, prices, out=out[::2])
    np.testing.assert_array_equal(out, [10, 0, 11, 0, 9.5, 0])
    bounds = ks.formulas(["fmin(low, x)", "fmax(high, x)"], ["low", "high", "x"])
    assert bounds.fold((np.inf, -np.inf), prices) == (8.0, 12.0)
    lows, highs = bounds.scan((np.inf, -np.inf), prices)
    np.testing.assert_array_equal((lows, highs), [[10, 10, 8], [10, 12, 12]])
    with pytest.raises(TypeError):
        average.scan(10)
    with pytest.raises(ValueError):
        bounds.fold((1,), prices)


def test_an_error_of_a_scan_names_its_row(engine):
    engine.run("def f(s x) if x then s + x else missing(s);")
    with pytest.raises(ks.CallError) as caught:
        engine.function("f").scan(1, [5, 6, 0, 7])
    assert caught.value.row == 2


def test_series_of_pandas(f):
    x = pandas.Series([0.0, 1.0, 2.0], index=["p", "q", "r"], name="x")
    result = f(1, 2, x)
    pandas.testing.assert_series_equal(
        result, pandas.Series([1.0, 4.0, 9.0], index=["p", "q", "r"], name="x"),
    )
    missing = pandas.Series([1, None, 3], dtype="Int64")
    assert np.isnan(f(1, 2, missing)[1])
    frame = pandas.DataFrame({"a": [1, 2], "x": [3.0, 4.0]})
    same(f(frame["a"], 0, frame["x"]).to_numpy(), np.array([10.0, 33.0]))
    with pytest.raises(ValueError, match="align"):
        f(1, x, x[::-1])
    average = ks.formula("a + 0.5 * (price - a)", ["a", "price"])
    assert list(average.scan(0, x).index) == ["p", "q", "r"]
