"""Columns of Apache Arrow, by its C data interface and PyCapsules, without pyarrow.

Imported when the first such column comes. Values are read where they are: a column of doubles
without nulls is not copied. The structures are those of Arrow's specification, "The Arrow C data
interface" and "The Arrow C stream interface".
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_void_p

import numpy as np

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = c_void_p
_pointer_of.argtypes = [ctypes.py_object, c_char_p]


class _Schema(Structure):
    """struct ArrowSchema"""

    _fields_ = [
        ("format", c_char_p),
        ("name", c_char_p),
        ("metadata", c_void_p),
        ("flags", c_int64),
        ("n_children", c_int64),
        ("children", c_void_p),
        ("dictionary", c_void_p),
        ("release", c_void_p),
        ("private_data", c_void_p),
    ]


class _Array(Structure):
    """struct ArrowArray"""

    _fields_ = [
        ("length", c_int64),
        ("null_count", c_int64),
        ("offset", c_int64),
        ("n_buffers", c_int64),
        ("n_children", c_int64),
        ("buffers", POINTER(c_void_p)),
        ("children", c_void_p),
        ("dictionary", c_void_p),
        ("release", c_void_p),
        ("private_data", c_void_p),
    ]


class _Stream(Structure):
    """struct ArrowArrayStream"""

    _fields_ = [
        ("get_schema", ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(c_char_p, c_void_p)),
        ("release", c_void_p),
        ("private_data", c_void_p),
    ]


_Release = ctypes.CFUNCTYPE(None, c_void_p)

# Formats of the specification, and what NumPy calls them. A bit for each value has no name there.
_TYPES = {
    "g": "f8", "f": "f4", "e": "f2", "c": "i1", "C": "u1", "s": "i2", "S": "u2", "i": "i4",
    "I": "u4", "l": "i8", "L": "u8",
}  # fmt: skip
_BITS = "b"


class _Owned:
    """A structure that the producer has moved here, and that is released at the end."""

    def __init__(self, structure):
        self.structure = structure

    def __del__(self):
        if self.structure.release:
            _Release(self.structure.release)(ctypes.addressof(self.structure))


class Column:
    """The values of a column, and which of them are null."""

    def __init__(self, source):
        self._owners = []
        if hasattr(source, "__arrow_c_array__"):
            schema, array = source.__arrow_c_array__()
            self._owners += [schema, array]
            kind = _Schema.from_address(_pointer_of(schema, b"arrow_schema"))
            pieces = [_Array.from_address(_pointer_of(array, b"arrow_array"))]
        else:
            kind, pieces = self._read_stream(source.__arrow_c_stream__())
        format = kind.format.decode()
        if kind.dictionary or format not in (*_TYPES, _BITS):
            raise TypeError(f"a column of Arrow's type `{format}` has no numbers")
        read = [self._read(piece, format) for piece in pieces] or [(np.empty(0), None)]
        values = [values for values, _ in read]
        self.values = values[0] if len(values) == 1 else np.concatenate(values)
        #: Whether each value is there; `None` if all are.
        self.is_valid = None
        if any(valid is not None for _, valid in read):
            self.is_valid = np.concatenate(
                [np.ones(len(values), bool) if valid is None else valid for values, valid in read]
            )

    def _read_stream(self, capsule):
        self._owners.append(capsule)
        address = _pointer_of(capsule, b"arrow_array_stream")
        stream = _Stream.from_address(address)

        def call(function, structure):
            if function(address, ctypes.addressof(structure)):
                message = stream.get_last_error(address) or b"the stream of a column failed"
                raise OSError(message.decode(errors="replace"))
            self._owners.append(_Owned(structure))
            return structure

        kind = call(stream.get_schema, _Schema())
        pieces = []
        while True:
            piece = call(stream.get_next, _Array())
            if not piece.release:
                return kind, pieces
            pieces.append(piece)

    def _read(self, array, format):
        n_rows, offset = array.length, array.offset
        if n_rows == 0:
            return np.empty(0), None
        buffers = array.buffers
        if format == _BITS:
            values = _bits(buffers[1], offset, n_rows)
        else:
            kind = np.dtype(_TYPES[format])
            n_bytes = (offset + n_rows) * kind.itemsize
            memory = (ctypes.c_char * n_bytes).from_address(buffers[1])
            values = np.frombuffer(memory, dtype=kind)[offset:]
            values.flags.writeable = False
        has_nulls = array.null_count != 0 and buffers[0]
        return values, _bits(buffers[0], offset, n_rows) if has_nulls else None


def _bits(address, offset, n_rows):
    n_bytes = (offset + n_rows + 7) // 8
    memory = np.frombuffer((ctypes.c_uint8 * n_bytes).from_address(address), dtype=np.uint8)
    return np.unpackbits(memory, bitorder="little")[offset : offset + n_rows].astype(bool)


def is_column(value):
    return hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__")


class Columns:
    """Arguments of which some are columns of Arrow. Rows with a null are left out."""

    def __init__(self, args):
        columns = {at: Column(arg) for at, arg in enumerate(args) if is_column(arg)}
        lengths = {len(column.values) for column in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"the columns have different lengths: {sorted(lengths)}")
        self._columns = columns
        self._n_rows = lengths.pop()
        self._maker = type(args[next(iter(columns))])
        self._name = getattr(args[next(iter(columns))], "name", None)
        masks = [each.is_valid for each in columns.values() if each.is_valid is not None]
        self._is_valid = np.logical_and.reduce(masks) if masks else None
        self.values = [
            self._valid_rows(columns[at].values if at in columns else arg)
            for at, arg in enumerate(args)
        ]

    def _valid_rows(self, value):
        if self._is_valid is None or np.ndim(value) == 0:
            return value
        array = np.asarray(value)
        if array.shape != self._is_valid.shape:
            raise ValueError("beside a column with nulls, arrays are as long as the column")
        return array[self._is_valid]

    def wrap(self, result):
        """The result as a column of the library that the first column comes from."""
        result = np.asarray(result)
        if result.ndim != 1:
            raise ValueError("columns and arrays of several dimensions do not go together")
        library = self._maker.__module__.partition(".")[0]
        if self._is_valid is not None:
            whole = np.zeros(self._n_rows)
            whole[self._is_valid] = result
            result = whole
        if library == "polars":
            import polars

            column = polars.Series(self._name, result)
            if self._is_valid is None:
                return column
            return polars.select(
                polars.when(polars.Series(self._is_valid)).then(column).alias(self._name or "")
            ).to_series()
        if library == "pyarrow":
            import pyarrow

            bits = None
            if self._is_valid is not None:
                bits = pyarrow.py_buffer(np.packbits(self._is_valid, bitorder="little"))
            buffers = [bits, pyarrow.py_buffer(np.ascontiguousarray(result, dtype=float))]
            array = pyarrow.Array.from_buffers(pyarrow.float64(), len(result), buffers)
            if self._maker is pyarrow.ChunkedArray:
                return pyarrow.chunked_array([array])
            return array
        if self._is_valid is not None:
            result[~self._is_valid] = np.nan
        return result

    def place(self, row):
        """The row among all rows of a row among those without nulls."""
        return row if self._is_valid is None else int(np.flatnonzero(self._is_valid)[row])
