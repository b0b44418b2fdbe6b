//! Floating-point modes, and the other control state that a callee must keep.

use std::arch::asm;

/// The control bits of mxcsr, the control word of the x87 unit, the direction flag.
pub(crate) type Modes = (u32, u16, u64);

/// The modes of a program that changes none.
pub(crate) const DEFAULT_MODES: Modes = (DEFAULT_MODE, 0x037f, 0);

/// The default of mxcsr: rounds to nearest, masks all exceptions, keeps subnormal numbers.
pub(crate) const DEFAULT_MODE: u32 = 0x1f80;

/// Rounds up, and treats subnormal numbers as zero.
pub(crate) const ROUND_UP: u32 = 0xdfc0;

/// The default, except that subnormal numbers are zero.
pub(crate) const FLUSH_TO_ZERO: u32 = DEFAULT_MODE | 0x8040;

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
