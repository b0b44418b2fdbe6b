"""Columns of polars and pyarrow: read where they are, and nulls stay nulls."""

import gc
import sys

import numpy as np
import polars
import pyarrow
import pytest

import kaleidoscope_jit as ks
from kaleidoscope_jit._arrow import Column


@pytest.fixture
def f():
    return ks.formula("a * x + 1", ["a", "x"])


def test_series_of_polars(f):
    x = polars.Series("x", [1.0, 2.0, 3.0])
    result = f(2, x)
    assert isinstance(result, polars.Series)
    assert (result.name, result.to_list()) == ("x", [3.0, 5.0, 7.0])
    missing = polars.Series("x", [1.0, None, 3.0])
    assert f(2, missing).to_list() == [3.0, None, 7.0]
    assert f(polars.Series([None, 1.0, 1.0]), missing).to_list() == [None, None, 4.0]


def test_arrays_of_pyarrow(f):
    x = pyarrow.array([1.0, None, 3.0])
    result = f(2, x)
    assert isinstance(result, pyarrow.Array)
    assert result.to_pylist() == [3.0, None, 7.0]
    result.validate(full=True)
    chunked = pyarrow.chunked_array([[1.0, 2.0], [], [None]])
    result = f(2, chunked)
    assert isinstance(result, pyarrow.ChunkedArray)
    assert result.to_pylist() == [3.0, 5.0, None]
    assert f(2, pyarrow.chunked_array([], pyarrow.float64())).to_pylist() == []


@pytest.mark.parametrize("kind", [
    "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64", "bool_",
])
def test_types(f, kind):
    values = [0, 1, 1, 0, 1, 0, 0, 0, 1, 1]
    column = pyarrow.array(values).cast(getattr(pyarrow, kind)())
    assert f(2, column).to_pylist() == [2.0 * value + 1 for value in values]
    # A slice begins inside a byte of bits.
    assert f(2, column[3:]).to_pylist() == [2.0 * value + 1 for value in values[3:]]


def test_slices_with_nulls(f):
    column = pyarrow.array([1.0, None, 3.0, 4.0, None, 6.0, 7.0, 8.0, None, 10.0])
    for begin in range(10):
        expected = [None if value is None else 2 * value + 1 for value in column[begin:].to_pylist()]
        assert f(2, column[begin:]).to_pylist() == expected


def test_columns_without_numbers_are_refused(f):
    for column in [pyarrow.array(["text"]), polars.Series(["text"]), pyarrow.array([[1.0]]),
                   pyarrow.array(["a"]).dictionary_encode()]:
        with pytest.raises(TypeError, match="no numbers"):
            f(2, column)


def test_columns_of_different_lengths_are_refused(f):
    with pytest.raises(ValueError, match="lengths"):
        f(pyarrow.array([1.0]), pyarrow.array([1.0, 2.0]))


def test_functions_are_not_called_for_nulls(engine):
    seen = []

    @engine.register
    def note(x):
        seen.append(x)
        return x

    column = pyarrow.array([1.0, None, 3.0])
    assert engine.formula("note(x)")(column, parallel=False).to_pylist() == [1.0, None, 3.0]
    assert sorted(seen) == [1.0, 3.0]


def test_scans_pass_over_nulls(engine):
    average = ks.formula("a + 0.5 * (price - a)", ["a", "price"])
    prices = pyarrow.array([12.0, None, 8.0])
    assert average.scan(10, prices).to_pylist() == [11.0, None, 9.5]
    assert average.fold(10, prices) == 9.5
    engine.run("def f(s x) if x then s + x else missing(s);")
    with pytest.raises(ks.CallError) as caught:
        engine.function("f").scan(1, pyarrow.array([1.0, None, 0.0]))
    assert caught.value.row == 2


def test_values_are_not_copied():
    array = pyarrow.array(np.arange(1000.0))
    assert Column(array).values.ctypes.data == array.buffers()[1].address
    chunked = pyarrow.chunked_array([array])
    assert Column(chunked).values.ctypes.data == array.buffers()[1].address


def test_columns_are_released():
    before = pyarrow.total_allocated_bytes()
    for _ in range(20):
        pool_array = pyarrow.array(list(range(100_000)), pyarrow.float64())
        Column(pool_array)
        Column(pyarrow.chunked_array([pool_array]))
        del pool_array
    gc.collect()
    assert pyarrow.total_allocated_bytes() - before < 1_000_000
    series = polars.Series(range(10))
    n_references = sys.getrefcount(series)
    Column(series)
    assert sys.getrefcount(series) == n_references
