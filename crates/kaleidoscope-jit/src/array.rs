//! Arrays of the host: doubles that programs and the host share, in memory of a fixed length.
//!
//! Code contains the address of the first element, so a read is a comparison and a load. Every
//! access is atomic with relaxed ordering: a reader sees some value that was written, and nothing
//! follows for other memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kaleidoscope_ir::array::{BadIndex, element_at};

/// Doubles that programs read and assign by index under a name: `u(i)`, `u(i) = v`.
///
/// Clones are the same array. It may be used from any thread, and bound in several engines and
/// under several names. Its length is fixed, and the first element is aligned to 64 bytes. The host
/// sees the bits that a program wrote; the sign and payload of a NaN are unspecified.
///
/// Each element is read and written as a whole. Nothing else is atomic: while a program runs,
/// another thread may see some elements of a [`copy_from`](Self::copy_from) and not yet others.
#[derive(Clone)]
pub struct Array {
    // No `Arc<[Line]>`, which would copy the lines.
    lines: Arc<Vec<Line>>,
    len: usize,
}

/// The elements of a line of the cache.
#[derive(Default)]
#[repr(C, align(64))]
struct Line([AtomicU64; Line::LEN]);

impl Line {
    const LEN: usize = 8;
}

/// The system has no memory for an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayTooLarge {
    len: usize,
}

impl fmt::Display for ArrayTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no memory for an array of {} elements", self.len)
    }
}

impl std::error::Error for ArrayTooLarge {}

impl Array {
    /// An array of this length. All elements are 0.
    ///
    /// # Panics
    /// If there is no memory for it.
    pub fn new(len: usize) -> Self {
        Self::try_new(len).unwrap_or_else(|error| panic!("{error}"))
    }

    /// An array of this length. All elements are 0.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn try_new(len: usize) -> Result<Self, ArrayTooLarge> {
        let n_lines = len.div_ceil(Line::LEN);
        let mut lines = Vec::new();
        lines.try_reserve_exact(n_lines).map_err(|_| ArrayTooLarge { len })?;
        lines.resize_with(n_lines, Line::default);
        Ok(Self { lines: Arc::new(lines), len })
    }

    /// An array with these elements.
    ///
    /// # Panics
    /// If there is no memory for it.
    pub fn from_slice(elements: &[f64]) -> Self {
        let array = Self::new(elements.len());
        array.copy_from(elements);
        array
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the array has no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at an index. `None` if there is none.
    #[inline]
    pub fn get(&self, index: usize) -> Option<f64> {
        Some(f64::from_bits(self.element(index)?.load(Ordering::Relaxed)))
    }

    /// Assigns the element at an index. Running programs see it.
    ///
    /// # Panics
    /// If there is no such element.
    #[inline]
    pub fn set(&self, index: usize, value: f64) {
        let Some(element) = self.element(index) else {
            panic!("the array has {} elements, and none with the index {index}", self.len)
        };
        element.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Assigns the same value to all elements.
    pub fn fill(&self, value: f64) {
        self.elements().for_each(|element| element.store(value.to_bits(), Ordering::Relaxed));
    }

    /// Assigns the elements, one after the other.
    ///
    /// # Panics
    /// If there are not as many values as elements.
    pub fn copy_from(&self, values: &[f64]) {
        assert_eq!(values.len(), self.len, "an array of {} elements gets as many values", self.len);
        for (element, value) in self.elements().zip(values) {
            element.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// The elements.
    pub fn to_vec(&self) -> Vec<f64> {
        self.elements().map(|element| f64::from_bits(element.load(Ordering::Relaxed))).collect()
    }

    /// The address of the first element, for hosts in C. It is valid as long as a clone exists, or
    /// an engine that the array was bound in. A program may read and write the elements at any
    /// time.
    pub fn as_ptr(&self) -> *mut f64 {
        self.lines.as_ptr().cast_mut().cast()
    }

    /// The address of the first element, valid as long as a clone exists.
    pub(crate) fn address(&self) -> usize {
        self.lines.as_ptr().addr()
    }

    /// Whether two handles are the same array.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lines, &other.lines)
    }

    /// Reads the element that a program means by this index. `name` is the array's.
    pub(crate) fn read(&self, name: &Arc<str>, index: f64) -> Result<f64, BadIndex> {
        match element_at(index, self.len).and_then(|at| self.get(at)) {
            Some(value) => Ok(value),
            None => Err(self.bad_index(name, index)),
        }
    }

    /// Assigns the element that a program means by this index. `name` is the array's.
    pub(crate) fn write(&self, name: &Arc<str>, index: f64, value: f64) -> Result<(), BadIndex> {
        let Some(at) = element_at(index, self.len) else { return Err(self.bad_index(name, index)) };
        self.set(at, value);
        Ok(())
    }

    /// Reads the elements that a program means by these indices. Returns whether each means one.
    pub(crate) fn gather(&self, indices: &[f64], out: &mut [f64]) -> bool {
        let mut are_elements = true;
        for (out, &index) in out.iter_mut().zip(indices) {
            match element_at(index, self.len).and_then(|at| self.get(at)) {
                Some(value) => *out = value,
                None => are_elements = false,
            }
        }
        are_elements
    }

    #[cold]
    pub(crate) fn bad_index(&self, name: &Arc<str>, index: f64) -> BadIndex {
        BadIndex { array: Arc::clone(name), index, len: self.len }
    }

    fn element(&self, index: usize) -> Option<&AtomicU64> {
        (index < self.len).then(|| &self.lines[index / Line::LEN].0[index % Line::LEN])
    }

    fn elements(&self) -> impl Iterator<Item = &AtomicU64> {
        self.lines.iter().flat_map(|line| &line.0).take(self.len)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.len).finish_non_exhaustive()
    }
}
