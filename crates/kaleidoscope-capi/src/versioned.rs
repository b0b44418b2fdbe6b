//! Structs that begin with their size, so that later versions can have more fields.

use std::mem::size_of;
use std::ptr;

use crate::entry::slice;
use crate::error::kls_error;
use crate::status::kls_status;

/// The host's options in the fields that both versions know, the others as in `default`; and an
/// error if the host set a field that this version does not know. `init` is the C function that
/// fills them in.
///
/// # Safety
/// - `options` is null, or points to an earlier version of `T`, this one, or a later one, of the
///   size that its first field says.
/// - The first field of `T` is a `usize`, and all bits are valid values of the others.
pub(crate) unsafe fn read<T: Copy>(
    options: *const T,
    least_size: usize,
    default: T,
    init: &str,
) -> Result<(T, Result<(), kls_error>), kls_error> {
    let mut read = default;
    if options.is_null() {
        return Ok((read, Ok(())));
    }
    // SAFETY: not null; every version begins with its size.
    let struct_size = unsafe { options.cast::<usize>().read() };
    let bytes = options.cast::<u8>();
    if struct_size < least_size {
        let message = format!("`options` was not filled in by {init}");
        return Err(kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message));
    }
    let known = struct_size.min(size_of::<T>());
    // SAFETY: both sides have this many bytes. In every version, they are fields of this struct, or
    // the beginning of a field that the other version lacks, which is 0.
    unsafe { ptr::copy_nonoverlapping(bytes, (&raw mut read).cast(), known) };
    // SAFETY: the host promised this size.
    let bytes = unsafe { slice(bytes, struct_size, "options") }?;
    let unknown = &bytes[known..];
    if unknown.iter().any(|&byte| byte != 0) {
        let message = "`options` has a field that this version of the library does not know";
        return Ok((read, Err(kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message))));
    }
    Ok((read, Ok(())))
}

/// Fills the host's options with zeros, which are the defaults, and sets their size.
///
/// # Safety
/// `options` is null, or points to `struct_size` bytes that begin with a `usize`.
pub(crate) unsafe fn init<T>(options: *mut T, struct_size: usize) {
    if options.is_null() || struct_size < size_of::<usize>() {
        return;
    }
    // SAFETY: the caller promised this many bytes; 0 is a valid value of every field.
    unsafe { ptr::write_bytes(options.cast::<u8>(), 0, struct_size) };
    // SAFETY: every version begins with its size.
    unsafe { options.cast::<usize>().write(struct_size) };
}
