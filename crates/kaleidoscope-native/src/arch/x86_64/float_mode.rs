//! The floating-point mode of a thread: the control bits of mxcsr. They say how results are
//! rounded, which exceptions stop the program, and whether subnormal numbers count as zero.
//!
//! Some processors need 4 ns to read mxcsr. So the assembly does not read it where nothing but the
//! usual mode is expected: it adds four pairs of numbers at once, and compares the sums
//! ([`add_probe`]). They differ if results are rounded in another direction, or if subnormal
//! numbers count as zero. The addition raises the exceptions of an inexact result and of a
//! subnormal operand. If one is not masked, the processor faults, as it does when generated code
//! raises it: then the handler of SIGFPE switches the mode, and the instruction runs again
//! (`signals.rs`).
//!
//! The x87 unit has a mode of its own. Generated code does not use that unit, but one function of
//! the C library does: [`in_engine_x87_mode`].

use std::arch::asm;

/// The control bits of mxcsr.
const CONTROL: u32 = 0xffc0;
/// The control bits for the rounding direction and for subnormal numbers: those whose change a
/// probe finds.
const PROBED: u32 = 0xe040;
/// mxcsr without [`PROBED`].
pub(super) const NOT_PROBED: u32 = 0xffff & !PROBED;
/// Marks a known mode in the thread block. The register has no such bit, and may be 0.
pub(super) const KNOWN: u32 = 1 << 16;

/// mxcsr in the engine's mode.
pub(super) static ENGINE: u32 = 0x1f80;

/// The numbers of [`add_probe`].
#[repr(C, align(16))]
pub(super) struct Probe([[f32; 4]; 2], [u32; 4]);

/// The units in the last place of 1.
const ULP: f32 = f32::EPSILON;
/// The smallest subnormal number.
const TINY: f32 = f32::from_bits(1);

/// A quarter of a unit is rounded away, except upwards; three quarters become a unit, except
/// downwards and to zero. A subnormal sum is exact. The fourth pair only fills the vector.
pub(super) static PROBE: Probe = Probe(
    [[1.0, 1.0, TINY, 0.0], [ULP / 4.0, ULP * 3.0 / 4.0, TINY, 0.0]],
    [1.0_f32.to_bits(), (1.0 + ULP).to_bits(), 2, 0],
);

/// Jumps to the label if the mode differs from the engine's by more than the masks. Writes eax and
/// xmm8.
macro_rules! add_probe {
    ($other_mode:literal) => {
        concat!(
            "movaps xmm8, [rip + {probe}]\n",
            "addps xmm8, [rip + {probe} + 16]\n",
            "pcmpeqd xmm8, [rip + {probe} + 32]\n",
            "movmskps eax, xmm8\n",
            "cmp eax, 15\n",
            "jne ",
            $other_mode,
        )
    };
}
pub(super) use add_probe;

/// A floating-point mode, with the exceptions that were recorded in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FloatMode(u32);

impl FloatMode {
    /// Rounds to nearest, masks all exceptions, keeps subnormal numbers.
    pub(crate) const ENGINE: Self = Self(0x1f80);

    pub(super) fn from_mxcsr(mxcsr: u32) -> Self {
        Self(mxcsr)
    }

    pub(super) fn mxcsr(self) -> u32 {
        self.0
    }

    /// The mode of this thread.
    #[inline]
    pub(crate) fn current() -> Self {
        let mut mxcsr = 0_u32;
        // SAFETY: stores four bytes in a variable of four bytes.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        Self(mxcsr)
    }

    /// Whether numbers are treated alike in both modes, whatever exceptions were recorded.
    #[inline]
    pub(crate) fn is_like(self, other: Self) -> bool {
        (self.0 ^ other.0) & CONTROL == 0
    }

    /// Whether an exception was recorded that the mode does not mask.
    pub(super) fn has_unmasked_exception(self) -> bool {
        let masked = self.0 >> 7;
        self.0 & !masked & 0x3f != 0
    }

    /// Makes it the mode of this thread.
    #[cold]
    pub(crate) fn set(self) {
        // SAFETY: the value has been read from the register, or is its default.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const self.0, options(nostack, preserves_flags)) };
    }

    /// The word of the thread block for this mode.
    pub(crate) fn to_word(self) -> u32 {
        self.0 | KNOWN
    }

    /// The mode that a word of the thread block contains, if it contains one.
    #[inline]
    pub(crate) fn from_word(word: u32) -> Option<Self> {
        (word != 0).then_some(Self(word & !KNOWN))
    }
}

/// The bits of the x87 control word that have a meaning: masks, precision, rounding direction.
const X87_CONTROL: u16 = 0x0f3f;
/// The x87 control word that programs start with, and the C library expects.
const X87_DEFAULT: u16 = 0x037f;

/// Runs `body`, which does not unwind, in the mode of the x87 unit that the C library expects.
pub(crate) fn in_engine_x87_mode<T>(body: impl FnOnce() -> T) -> T {
    let mut before = 0_u16;
    // SAFETY: stores two bytes in a variable of two bytes.
    unsafe { asm!("fnstcw [{}]", in(reg) &raw mut before, options(nostack, preserves_flags)) };
    if (before ^ X87_DEFAULT) & X87_CONTROL == 0 {
        return body();
    }
    set_x87_mode(X87_DEFAULT);
    let value = body();
    set_x87_mode(before);
    value
}

/// Also forgets recorded exceptions, which must not take effect in a mode that does not mask them.
#[cold]
fn set_x87_mode(control: u16) {
    // SAFETY: the value has been read from the register, or is its default.
    unsafe {
        asm!("fnclex", "fldcw [{}]", in(reg) &raw const control, options(nostack, preserves_flags));
    };
}
