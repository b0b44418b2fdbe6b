//! The two stacks between which the assembly goes to and fro, and the state of the processor on either side. Owns no
//! memory: where the guest stack is, its maker says.

use std::arch::asm;
use std::cell::Cell;

/// The two stacks of an activation, and how its running call is left.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Crossing {
    /// The frame pointer of the running [`enter`](super::enter), below which it has saved the caller's registers; 0 if none runs.
    pub(super) frame: Cell<usize>,
    /// The stack pointer for code that runs on the host's stack.
    pub(super) host_sp: Cell<usize>,
    /// Where the guest stack starts; aligned to 16 bytes.
    pub(super) top: usize,
    /// The stack and frame pointers of the guest when it was last left to ask.
    pub(super) guest_sp: Cell<usize>,
    pub(super) guest_fp: Cell<usize>,
    /// Not 0 if the caller's arithmetic is in another mode than that of generated code.
    pub(super) is_other_mode: u32,
    /// What is to be there when the call ends: the control bits are the caller's.
    pub(super) mxcsr: u32,
    pub(super) x87_control: u16,
}

/// The bits of mxcsr that control: rounding, masks, and how subnormal numbers are treated.
const MXCSR_CONTROL: u32 = 0xffc0;
/// What they are by default: rounding to nearest, all exceptions masked, subnormal numbers as they are.
pub(super) const MXCSR_DEFAULT: u32 = 0x1f80;

impl Crossing {
    /// To a guest stack that starts at `top`. The mode of arithmetic is from now on the caller's.
    #[inline(always)]
    pub(crate) fn new(top: usize) -> Self {
        debug_assert!(top.is_multiple_of(16), "the ABI wants the stack aligned");
        let (mut mxcsr, mut x87_control) = (0_u32, 0_u16);
        // SAFETY: stores four bytes in a variable of four bytes.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        // SAFETY: stores two bytes in a variable of two bytes.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut x87_control, options(nostack, preserves_flags)) };
        Self {
            frame: Cell::new(0),
            host_sp: Cell::new(0),
            top,
            guest_sp: Cell::new(0),
            guest_fp: Cell::new(0),
            is_other_mode: (mxcsr & MXCSR_CONTROL) ^ MXCSR_DEFAULT,
            mxcsr,
            x87_control,
        }
    }

    /// Whether a call is running.
    pub(crate) fn is_running(&self) -> bool {
        self.frame.get() != 0
    }

    /// The frame pointer with which generated code was entered: the end of its chain of frames.
    pub(crate) fn frame(&self) -> usize {
        self.frame.get()
    }

    pub(crate) fn host_sp(&self) -> usize {
        self.host_sp.get()
    }

    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// Where the guest stack goes on below the running call, which has been left to ask.
    pub(crate) fn guest_sp(&self) -> usize {
        self.guest_sp.get()
    }

    pub(crate) fn guest_fp(&self) -> usize {
        self.guest_fp.get()
    }

    /// Runs `body` in the caller's mode of arithmetic, if it is another than that of generated code.
    #[inline]
    pub(crate) fn in_host_mode<T>(&self, body: impl FnOnce() -> T) -> T {
        if self.is_other_mode == 0 {
            return body();
        }
        set_mxcsr(self.mxcsr);
        let value = body();
        set_mxcsr(MXCSR_DEFAULT);
        value
    }

    /// Runs `body`, which does not unwind, in the mode of generated code, on the side of the caller.
    pub(crate) fn in_guest_mode<T>(&self, body: impl FnOnce() -> T) -> T {
        if self.is_other_mode == 0 {
            return body();
        }
        set_mxcsr(MXCSR_DEFAULT);
        let value = body();
        set_mxcsr(self.mxcsr);
        value
    }
}

#[cold]
pub(super) fn set_mxcsr(mxcsr: u32) {
    // SAFETY: the value has been read from the register, or is its default.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags)) };
}

/// The stack pointer. The address of a variable is no substitute: a sanitizer keeps variables elsewhere.
pub(crate) fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// Tells the processor that the upper parts of its vector registers are free, as each function does that used them:
/// generated code that was left from outside could not.
pub(crate) fn forget_vectors() {
    if std::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has the instruction; registers that are named as outputs may be written.
        unsafe {
            asm!(
                "vzeroupper",
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
}
