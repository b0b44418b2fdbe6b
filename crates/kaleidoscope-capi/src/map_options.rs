//! The options of batches.

use std::mem::{offset_of, size_of};
use std::ptr;

use kaleidoscope::{MapOptions, Precision};

use crate::entry::slice;
use crate::error::kls_error;
use crate::status::kls_status;
use crate::versioned;

/// How exact the results of a batch are.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_precision {
    /// Bit for bit the results of single calls.
    KLS_PRECISION_STRICT = 0,
    /// Maths functions of the C library may be replaced by those of its vector maths library. They
    /// compute several rows at once, and differ from the exact result by less than 4 units in the
    /// last place. Nothing else changes. It makes no difference for functions with loops or
    /// recursion, or that call host functions; nor without LLVM.
    KLS_PRECISION_FAST = 1,
}

/// Options of a batch. kls_map_options_init sets the defaults: 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_map_options {
    /// `sizeof (kls_map_options)`, set by kls_map_options_init: later versions of this library may
    /// have more fields.
    pub struct_size: usize,
    /// How exact the results are: a kls_precision.
    pub precision: i32,
    /// If not 0, the calling thread computes all rows, in order. Otherwise, large batches are
    /// spread over threads.
    pub on_this_thread: u32,
    /// `NULL`, or a byte for each column: where it is not 0, the column is a scalar. It has one
    /// value then, which holds for all rows.
    pub scalars: *const u8,
}

impl kls_map_options {
    const DEFAULT: Self =
        Self { struct_size: size_of::<Self>(), precision: 0, on_this_thread: 0, scalars: ptr::null() };

    /// The host's options, and which of its columns are scalars, if any are.
    ///
    /// # Safety
    /// `options` is null, or points to any version of this struct, of the size that its first field
    /// says. Its field `scalars` is null or points to `n_columns` bytes that live during `'a`.
    pub(crate) unsafe fn read<'a>(
        options: *const Self,
        n_columns: usize,
    ) -> Result<(MapOptions, &'a [u8]), kls_error> {
        let least = offset_of!(Self, on_this_thread);
        // SAFETY: the caller's promise; the fields are numbers.
        let (read, verdict) =
            unsafe { versioned::read(options, least, Self::DEFAULT, "kls_map_options_init") }?;
        verdict?;
        const PRECISIONS: [(kls_precision, Precision); 2] = [
            (kls_precision::KLS_PRECISION_STRICT, Precision::Strict),
            (kls_precision::KLS_PRECISION_FAST, Precision::Fast),
        ];
        let found = PRECISIONS.iter().find(|(precision, _)| *precision as i32 == read.precision);
        let &(_, precision) = found.ok_or_else(|| {
            let message = format!("there is no precision {}", read.precision);
            kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message)
        })?;
        let options = MapOptions::from(precision);
        let options = if read.on_this_thread == 0 { options } else { options.on_this_thread() };
        let n_scalars = if read.scalars.is_null() { 0 } else { n_columns };
        // SAFETY: the caller's promise.
        Ok((options, unsafe { slice(read.scalars, n_scalars, "scalars") }?))
    }
}

/// Sets the default options of a batch.
///
/// ```c
/// kls_map_options options;
/// kls_map_options_init(&options, sizeof options);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_map_options_init(options: *mut kls_map_options, struct_size: usize) {
    // SAFETY: the host's promise.
    unsafe { versioned::init(options, struct_size) };
}
