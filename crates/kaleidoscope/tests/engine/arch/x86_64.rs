//! x86-64: the control bits of mxcsr.
#![allow(unsafe_code, reason = "no safe code sets the mode")]

use std::arch::asm;

/// Rounds to nearest, masks all exceptions, keeps subnormal numbers.
pub(crate) const DEFAULT_MODE: u32 = 0x1f80;

/// Modes that differ from the default in each way.
pub(crate) const OTHER_MODES: [(&str, u32); 7] = [
    ("rounds down", 0x3f80),
    ("rounds up", 0x5f80),
    ("rounds to zero", 0x7f80),
    ("flushes subnormal results", 0x9f80),
    ("reads subnormal numbers as zero", 0x1fc0),
    ("stops at invalid operations, divisions by zero and overflows", 0x1900),
    ("stops at all exceptions", 0),
];

pub(crate) fn set_float_mode(mode: u32) {
    // SAFETY: the tests pass one of the constants, and restore the default.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack)) };
}

pub(crate) fn float_mode() -> u32 {
    let mut mode = 0_u32;
    // SAFETY: stores four bytes in a variable of four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack)) };
    mode & 0xffc0
}
