//! Floating-point modes of x86-64: MXCSR.
#![allow(unsafe_code, reason = "a floating-point mode is a register")]

use std::arch::asm;

/// A floating-point mode of the host.
#[derive(Clone, Copy)]
pub(crate) enum FloatingPoint {
    RoundDown,
    RoundUp,
    FlushToZero,
    Traps,
}

impl FloatingPoint {
    /// MXCSR in this mode.
    fn mxcsr(self) -> u32 {
        const DEFAULT: u32 = 0x1f80;
        match self {
            Self::RoundDown => DEFAULT | 0x2000,
            Self::RoundUp => DEFAULT | 0x4000,
            // Results and operands.
            Self::FlushToZero => DEFAULT | 0x8040,
            // All but inexact and subnormal operands, which happen all the time.
            Self::Traps => DEFAULT & !0x0e80,
        }
    }
}

/// Runs this in a floating-point mode, which must be the same afterwards.
pub(crate) fn in_mode(mode: FloatingPoint, run: impl FnOnce()) {
    set_mxcsr(mode.mxcsr());
    run();
    let after = mxcsr() & !0x3f;
    set_mxcsr(0x1f80);
    if after != mode.mxcsr() {
        println!("the mode was {:#x} and is {after:#x}", mode.mxcsr());
    }
}

fn set_mxcsr(mode: u32) {
    // SAFETY: reads the variable. Rust's own code assumes the default mode: what runs in the other
    // one is the engine, which has to cope, and integer code.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &mode, options(nostack, readonly)) };
}

fn mxcsr() -> u32 {
    let mut mode = 0_u32;
    // SAFETY: writes the variable.
    unsafe { asm!("stmxcsr [{}]", in(reg) &mut mode, options(nostack)) };
    mode
}
