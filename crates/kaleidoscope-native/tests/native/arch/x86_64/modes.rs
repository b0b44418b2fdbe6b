//! Floating-point modes, and the other control state that a callee must keep.

use std::arch::asm;

/// The control bits of mxcsr, the control word of the x87 unit, the direction flag.
pub(crate) type Modes = (u32, u16, u64);

/// The modes of a program that changes none.
pub(crate) const DEFAULT_MODES: Modes = (DEFAULT_MODE, 0x037f, 0);

/// The default of mxcsr: rounds to nearest, masks all exceptions, keeps subnormal numbers.
pub(crate) const DEFAULT_MODE: u32 = 0x1f80;

/// Modes that differ from the default in each way.
pub(crate) const OTHER_MODES: [(&str, u32); 8] = [
    ("rounds down", 0x3f80),
    ("rounds up", 0x5f80),
    ("rounds to zero", 0x7f80),
    ("flushes subnormal results", 0x9f80),
    ("reads subnormal numbers as zero", 0x1fc0),
    ("flushes and rounds up", 0xdfc0),
    ("stops at invalid operations, divisions by zero and overflows", 0x1900),
    ("stops at all exceptions", 0),
];

pub(crate) fn set_floating_point_mode(mode: u32) {
    // SAFETY: the tests pass one of the constants, and restore the default.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack)) };
}

pub(crate) fn floating_point_mode() -> u32 {
    let mut mode = 0_u32;
    // SAFETY: stores four bytes in a variable of four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack)) };
    mode & 0xffc0
}

pub(crate) fn callee_saved_modes() -> Modes {
    let (mut x87, flags) = (0_u16, 0_u64);
    // SAFETY: stores in a variable of the right size, and leaves the stack as it was.
    let flags = unsafe {
        let mut flags = flags;
        asm!(
            "fnstcw [{x87}]", "pushfq", "pop {flags}",
            x87 = in(reg) &raw mut x87, flags = inout(reg) flags,
        );
        flags
    };
    (floating_point_mode(), x87, flags & 0x400)
}

/// The bits that differ in modes that round differently, or treat subnormal numbers differently.
pub(crate) const MODE_CHANGES: [u32; 5] = [0x2000, 0x4000, 0x6000, 0x8000, 0x0040];

/// Modes of the x87 unit that differ from the default: it rounds to 24 bits; rounds up; stops at
/// all exceptions.
pub(crate) const OTHER_X87_MODES: [u16; 3] = [0x007f, 0x0b7f, 0x0340];

pub(crate) fn set_x87_mode(control: u16) {
    // SAFETY: the tests pass valid control words, and restore the default.
    unsafe { asm!("fldcw [{}]", in(reg) &raw const control, options(nostack)) };
}

pub(crate) fn x87_mode() -> u16 {
    callee_saved_modes().1
}
