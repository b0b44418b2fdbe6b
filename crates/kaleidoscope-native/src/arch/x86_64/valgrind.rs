//! Requests to Valgrind: what it cannot see by itself.
//!
//! A request is a sequence of rotations that changes nothing, which Valgrind recognizes. On a
//! processor it takes a few cycles. The sequence, the numbers and the layout are those of
//! Valgrind's `include/valgrind.h`, which are stable.

use std::arch::asm;

/// `VG_USERREQ__DISCARD_TRANSLATIONS`
const DISCARD_TRANSLATIONS: usize = 0x1002;
/// `VG_USERREQ__STACK_REGISTER`
const STACK_REGISTER: usize = 0x1501;
/// `VG_USERREQ__STACK_DEREGISTER`
const STACK_DEREGISTER: usize = 0x1502;

/// Returns 0 without Valgrind.
fn request(number: usize, first: usize, second: usize) -> usize {
    let request = [number, first, second, 0, 0, 0];
    let mut result = 0;
    // SAFETY: the rotations add up to 128 bits, and the exchange has one register: nothing changes.
    // Under Valgrind the result is written, and the request is read.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &raw const request,
            inout("rdx") result,
            // Rotated in full.
            inout("rdi") 0_usize => _,
            options(nostack),
        );
    }
    result
}

/// The code in this range has changed: what was translated of it is wrong.
pub(crate) fn code_has_changed(address: usize, n_bytes: usize) {
    request(DISCARD_TRANSLATIONS, address, n_bytes);
}

/// A stack, so that a switch to it is not taken for a large allocation on another stack, which
/// would be reported at each access.
#[derive(Debug)]
pub(crate) struct KnownStack(usize);

impl KnownStack {
    /// The range belongs to a stack as long as the value lives.
    pub(crate) fn new(low: usize, high: usize) -> Self {
        Self(request(STACK_REGISTER, low, high))
    }
}

impl Drop for KnownStack {
    fn drop(&mut self) {
        request(STACK_DEREGISTER, self.0, 0);
    }
}
