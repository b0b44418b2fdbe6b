//! Columns of NumPy arrays, by the protocol `__array_struct__`, without NumPy's own headers.
//!
//! The structure is part of NumPy's stable interface ("The array interface protocol", version 3).
//! An array stays alive as long as its [`View`]. Python code on another thread that writes the
//! array meanwhile races with the batch, as it does with NumPy's own functions.

use kaleidoscope::Column;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyFloat};
use std::os::raw::{c_char, c_int, c_void};
use std::slice;

/// The C structure `PyArrayInterface`.
#[repr(C)]
struct ArrayInterface {
    two: c_int,
    n_dimensions: c_int,
    kind: c_char,
    item_size: c_int,
    flags: c_int,
    shape: *const isize,
    strides: *const isize,
    data: *mut c_void,
}

const ALIGNED: c_int = 0x100;
const NOT_SWAPPED: c_int = 0x200;
const WRITEABLE: c_int = 0x400;

/// A one-dimensional array of doubles.
pub(crate) struct View<'py> {
    /// Owns the memory.
    _capsule: Bound<'py, PyCapsule>,
    start: *mut f64,
    len: usize,
    /// All rows have the same element.
    is_repeated: bool,
    is_writeable: bool,
}

impl<'py> View<'py> {
    /// The array's memory.
    ///
    /// # Errors
    /// `TypeError` if the object is no one-dimensional array of doubles whose rows lie side by side
    /// or are one element.
    pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        let refuse = |what: &str| Err(PyTypeError::new_err(format!("the column is {what}")));
        let Ok(capsule) = array.getattr("__array_struct__") else { return refuse("no array") };
        let Ok(capsule) = capsule.cast_into::<PyCapsule>() else { return refuse("no array") };
        let pointer = capsule.pointer_checked(None)?.cast::<ArrayInterface>();
        // SAFETY: the protocol says that the capsule without a name points to this structure, which
        // lives as long as the capsule.
        let interface = unsafe { pointer.as_ref() };
        if interface.two != 2 || interface.n_dimensions != 1 {
            return refuse("not of one dimension");
        }
        let is_double = interface.kind as u8 == b'f' && interface.item_size == 8;
        let has = |flag| interface.flags & flag == flag;
        if !is_double || !has(ALIGNED | NOT_SWAPPED) {
            return refuse("not of doubles in the order of the machine");
        }
        // SAFETY: an array of one dimension has one extent.
        let len = unsafe { *interface.shape } as usize;
        // SAFETY: an array of one dimension has one stride.
        let stride = unsafe { *interface.strides };
        let is_repeated = stride == 0 && len > 1;
        if !is_repeated && stride != size_of::<f64>() as isize && len > 1 {
            return refuse("not contiguous");
        }
        let is_writeable = has(WRITEABLE) && !is_repeated;
        let start = interface.data.cast::<f64>();
        Ok(Self { _capsule: capsule, start, len, is_repeated, is_writeable })
    }

    fn addresses(&self) -> std::ops::Range<usize> {
        let n_elements = if self.is_repeated { 1 } else { self.len };
        let start = self.start as usize;
        start..start + n_elements * size_of::<f64>()
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.addresses(), other.addresses());
        a.start < b.end && b.start < a.end
    }

    fn elements(&self) -> &[f64] {
        match self.len {
            0 => &[],
            // SAFETY: `new` has checked type and alignment, and the capsule keeps the memory.
            len => unsafe { slice::from_raw_parts(self.start, if self.is_repeated { 1 } else { len }) },
        }
    }

    /// The array as a column.
    fn column(&self) -> Column<'_> {
        match self.elements() {
            [value] if self.is_repeated => Column::Scalar(*value),
            rows => Column::Rows(rows),
        }
    }
}

/// What a batch gets for each parameter.
pub(crate) enum Argument<'py> {
    Scalar(f64),
    Rows(View<'py>),
}

impl<'py> Argument<'py> {
    /// A `float`, or an array.
    pub(crate) fn new(value: &Bound<'py, PyAny>) -> PyResult<Self> {
        match value.cast::<PyFloat>() {
            Ok(value) => Ok(Self::Scalar(value.value())),
            Err(_) => View::new(value).map(Self::Rows),
        }
    }

    pub(crate) fn column(&self) -> Column<'_> {
        match self {
            Self::Scalar(value) => Column::Scalar(*value),
            Self::Rows(view) => view.column(),
        }
    }

    /// The rows.
    ///
    /// # Errors
    /// `TypeError` if this is one value for all rows.
    pub(crate) fn rows(&self) -> PyResult<&[f64]> {
        match self {
            Self::Rows(view) if !view.is_repeated => Ok(view.elements()),
            _ => Err(PyTypeError::new_err("a column with a value for each row is needed")),
        }
    }
}

/// Arrays for results: each writeable, and none overlaps another one or an argument.
pub(crate) struct Results<'py>(Vec<View<'py>>);

impl<'py> Results<'py> {
    pub(crate) fn new(arrays: &[Bound<'py, PyAny>], arguments: &[Argument<'py>]) -> PyResult<Self> {
        let views = arrays.iter().map(View::new).collect::<PyResult<Vec<_>>>()?;
        for (at, view) in views.iter().enumerate() {
            if !view.is_writeable {
                return Err(PyValueError::new_err("the array for the results is read-only"));
            }
            let overlaps_argument = arguments.iter().any(|argument| match argument {
                Argument::Scalar(_) => false,
                Argument::Rows(argument) => argument.overlaps(view),
            });
            if overlaps_argument || views[..at].iter().any(|other| other.overlaps(view)) {
                return Err(PyValueError::new_err("the array for the results overlaps another one"));
            }
        }
        Ok(Self(views))
    }

    /// The memory of the arrays.
    pub(crate) fn slices(&mut self) -> Vec<&mut [f64]> {
        let slices = self.0.iter_mut().map(|view| match view.len {
            0 => Default::default(),
            // SAFETY: `View::new` has checked type and alignment, `Results::new` that the array is
            // writeable and overlaps no other, and the capsule keeps the memory.
            len => unsafe { slice::from_raw_parts_mut(view.start, len) },
        });
        slices.collect()
    }
}
