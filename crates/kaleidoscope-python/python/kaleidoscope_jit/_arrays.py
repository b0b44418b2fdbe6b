"""Functions over arrays, by NumPy's rules. Imported when the first array comes."""

from __future__ import annotations

import contextlib

import numpy as np

from ._errors import CallError

# Rows that are converted and computed at once where arrays do not fit as they are: large enough
# for all threads, and small enough for the cache.
_BLOCK = 1 << 16
# More arrays than this exceed what `numpy.nditer` takes in every version.
_MOST_OPERANDS = 30
_DOUBLE = np.dtype(np.float64)


def _to_array(value):
    """The value as an array whose numbers become doubles as NumPy converts them."""
    array = value if type(value) is np.ndarray else np.asanyarray(value)
    if array.dtype != _DOUBLE and not np.can_cast(array.dtype, _DOUBLE, "same_kind"):
        raise TypeError(
            f"values of type {array.dtype} are no numbers that become doubles: "
            "convert them first, for example by `astype(float)`"
        )
    return array.view(np.ndarray)


def _is_plain(array, shape):
    """Whether the native half reads or writes the array where it is."""
    flags = array.flags
    return (
        array.shape == shape and array.dtype == _DOUBLE and flags.c_contiguous and flags.aligned
    )


def _is_apart(at, outs, rows):
    """Whether an array for results shares no memory with another array."""
    others = rows + [other for other in outs[:at] + outs[at + 1 :] if other is not None]
    return not any(np.may_share_memory(outs[at], other) for other in others)


def _outs_of(function, out):
    n_results = function.n_results
    if out is None:
        return [None] * n_results
    outs = list(out) if isinstance(out, tuple) else [out]
    if len(outs) != n_results:
        raise ValueError(f"there are {n_results} results, and {len(outs)} arrays in `out`")
    for array in outs:
        if not isinstance(array, np.ndarray):
            raise TypeError("`out` is an array, or a tuple with an array for each result")
        if not np.can_cast(_DOUBLE, array.dtype, "same_kind"):
            raise TypeError(f"doubles do not fit in `out`, which is of type {array.dtype}")
    return outs


def _columns_of(args):
    """The shape and columns of arguments that need no conversion, which is the usual case."""
    shape = None
    columns = []
    for arg in args:
        kind = type(arg)
        if kind is np.ndarray:
            flags = arg.flags
            if arg.dtype != _DOUBLE or not (flags.c_contiguous and flags.aligned) or not arg.ndim:
                return None, None
            if shape is None:
                shape = arg.shape
            elif shape != arg.shape:
                return None, None
            columns.append(arg if arg.ndim == 1 else arg.reshape(-1))
        elif kind is float or kind is int:
            columns.append(float(arg))
        else:
            return None, None
    return shape, columns


def apply(function, args, out, fast, parallel):
    """Calls the function for each element of the arguments, broadcast against each other."""
    if out is None and not function._is_several:
        shape, columns = _columns_of(args)
        if shape is not None:
            result = np.empty(shape)
            function._map(columns, [result.reshape(-1)], fast, parallel)
            return result
    frame = _frame_of(args)
    arrays = [_to_array(arg) for arg in (frame.values if frame else args)]
    outs = _outs_of(function, out)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    for array in outs:
        if array is not None and array.shape != shape:
            raise ValueError(f"`out` has the shape {array.shape}, and the result {shape}")
    results = _map(function, arrays, outs, shape, fast, parallel)
    if out is None:
        if frame:
            results = [frame.wrap(result) for result in results]
        elif not shape:
            results = [result[()] for result in results]
    else:
        results = outs
    return tuple(results) if function._is_several else results[0]


def _map(function, arrays, outs, shape, fast, parallel):
    scalars = [float(array) if array.ndim == 0 else None for array in arrays]
    rows = [array for array, scalar in zip(arrays, scalars) if scalar is None]
    if all(_is_plain(array, shape) for array in rows) and all(
        out is None or _is_plain(out, shape) and _is_apart(at, outs, rows)
        for at, out in enumerate(outs)
    ):
        results = [np.empty(shape) if out is None else out for out in outs]
        columns = [
            array.reshape(-1) if scalar is None else scalar
            for array, scalar in zip(arrays, scalars)
        ]
        function._map(columns, [result.reshape(-1) for result in results], fast, parallel)
        return results
    if len(rows) + len(outs) > _MOST_OPERANDS:
        arrays = [
            array if scalar is not None
            else np.ascontiguousarray(np.broadcast_to(array, shape), dtype=_DOUBLE)
            for array, scalar in zip(arrays, scalars)
        ]
        results = _map(function, arrays, [None] * len(outs), shape, fast, parallel)
        return _copy_out(results, outs)
    return _map_blocks(function, rows, scalars, outs, shape, fast, parallel)


def _copy_out(results, outs):
    for result, out in zip(results, outs):
        if out is not None:
            np.copyto(out, result, casting="same_kind")
    return [result if out is None else out for result, out in zip(results, outs)]


def _map_blocks(function, rows, scalars, outs, shape, fast, parallel):
    """NumPy broadcasts, converts and walks in the best order; each block is one batch."""
    readings = [["readonly", "aligned", "nbo"]] * len(rows)
    writings = [
        ["writeonly", "allocate", "no_subtype"] if out is None
        else ["writeonly", "aligned", "nbo"]
        for out in outs
    ]
    iterator = np.nditer(
        rows + outs,
        flags=["external_loop", "buffered", "grow_inner", "delay_bufalloc", "zerosize_ok",
               "copy_if_overlap"],
        op_flags=readings + writings,
        op_dtypes=[_DOUBLE] * (len(rows) + len(outs)),
        casting="same_kind",
        order="K",
        itershape=shape,
        buffersize=_BLOCK,
    )
    with iterator:
        iterator.reset()
        n_rows = len(rows)
        if iterator.itersize:
            for block in iterator:
                # A single operand comes without a tuple.
                operands = block if isinstance(block, tuple) else (block,)
                blocks = iter(operands[:n_rows])
                columns = [
                    _column(next(blocks)) if scalar is None else scalar for scalar in scalars
                ]
                _map_block(function, columns, operands[n_rows:], fast, parallel)
        results = iterator.operands[n_rows:]
    return [result if out is None else out for result, out in zip(results, outs)]


def _column(block):
    stride = block.strides[0]
    if stride == _DOUBLE.itemsize or block.size < 2:
        return block
    return float(block[0]) if stride == 0 else np.ascontiguousarray(block)


def _map_block(function, columns, outs, fast, parallel):
    fitting = [out if out.strides[0] == _DOUBLE.itemsize else np.empty(out.shape) for out in outs]
    function._map(columns, fitting, fast, parallel)
    for out, result in zip(outs, fitting):
        if result is not out:
            out[...] = result


def _rows_of(columns):
    """Columns of a scan or fold: one dimension, the same length, contiguous doubles."""
    if not columns:
        raise TypeError("a scan or fold needs a column")
    arrays = np.broadcast_arrays(*(_to_array(column) for column in columns))
    if arrays[0].ndim != 1:
        raise ValueError("a scan or fold takes arrays of one dimension")
    return [np.ascontiguousarray(array, dtype=_DOUBLE) for array in arrays]


def _states_of(function, init):
    if not function._is_several:
        return [float(init)]
    states = [float(value) for value in init]
    if len(states) != function.n_results:
        raise ValueError(f"there are {function.n_results} states, and {len(states)} first values")
    return states


def scan(function, init, columns, out):
    """Passes each row's result to the next row, and returns all results."""
    frame = _frame_of(columns)
    rows = _rows_of(frame.values if frame else columns)
    outs = _outs_of(function, out)
    for array in outs:
        if array is not None and array.shape != rows[0].shape:
            raise ValueError(f"`out` has the shape {array.shape}, and the result {rows[0].shape}")
    results = [np.empty(rows[0].shape) for _ in outs]
    with _rows_among_all(frame):
        function._scan(_states_of(function, init), rows, results)
    results = _copy_out(results, outs)
    if frame and out is None:
        results = [frame.wrap(result) for result in results]
    return tuple(results) if function._is_several else results[0]


def fold(function, init, columns):
    """Passes each row's result to the next row, and returns the last result."""
    frame = _frame_of(columns)
    rows = _rows_of(frame.values if frame else columns)
    with _rows_among_all(frame):
        results = function._fold(_states_of(function, init), rows)
    return tuple(results) if function._is_several else results[0]


@contextlib.contextmanager
def _rows_among_all(frame):
    """Counts the row of an error among all rows, where rows with a null were left out."""
    try:
        yield
    except CallError as error:
        if frame and error.row is not None:
            error.row = frame.place(error.row)
        raise


class _Series:
    """pandas Series as arguments: the result is one, too, with their index."""

    def __init__(self, args, series):
        first = series[0]
        for other in series[1:]:
            if not other.index.equals(first.index):
                raise ValueError("the Series have different indexes: align them first")
        self.index, self.kind = first.index, type(first)
        names = {one.name for one in series}
        self.name = names.pop() if len(names) == 1 else None
        self.values = [
            arg.to_numpy(dtype=float, na_value=np.nan) if isinstance(arg, self.kind) else arg
            for arg in args
        ]

    def wrap(self, result):
        return self.kind(result, index=self.index, name=self.name)

    def place(self, row):
        return row


def _frame_of(args):
    """How results are wrapped if an argument comes from a library of data frames."""
    series = [
        arg for arg in args
        if type(arg).__module__.partition(".")[0] == "pandas" and hasattr(arg, "index")
    ]
    if series:
        return _Series(args, series)
    has_columns = any(
        (hasattr(arg, "__arrow_c_array__") or hasattr(arg, "__arrow_c_stream__"))
        for arg in args
        if type(arg) is not np.ndarray
    )
    if has_columns:
        from ._arrow import Columns

        return Columns(args)
    return None
