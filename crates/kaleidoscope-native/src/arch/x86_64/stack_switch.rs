//! The two stacks of an activation, and the floating-point mode of its caller.
//!
//! Owns no memory: the maker of a [`StackSwitch`] provides the guest stack.

use std::arch::{asm, naked_asm};
use std::cell::Cell;

use super::float_mode::FloatMode;

/// What the assembly needs to switch between the host stack and a guest stack.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct StackSwitch {
    /// The frame pointer of the running [`enter`](super::enter()), which has saved the caller's
    /// registers below it; 0 if none is running.
    pub(super) frame: Cell<usize>,
    /// The stack pointer for code that runs on the host stack.
    pub(super) host_sp: Cell<usize>,
    /// Where the guest stack starts; aligned to 16 bytes.
    pub(super) top: usize,
    /// The stack pointer of the guest at its last upcall.
    pub(super) guest_sp: Cell<usize>,
    /// The frame pointer of the guest at its last upcall.
    pub(super) guest_fp: Cell<usize>,
    /// Not 0 if the running call has switched from another floating-point mode to the engine's.
    pub(super) has_other_mode: Cell<u32>,
    /// mxcsr in that mode, restored when the call ends.
    pub(super) mxcsr: Cell<u32>,
    /// What `ThreadBlock::host_mode` was, restored with it.
    pub(super) host_mode: Cell<u32>,
}

impl StackSwitch {
    /// A switch to a guest stack that starts at `top`.
    #[inline(always)]
    pub(crate) fn new(top: usize) -> Self {
        debug_assert!(top.is_multiple_of(16), "the ABI wants the stack aligned");
        Self {
            frame: Cell::new(0),
            host_sp: Cell::new(0),
            top,
            guest_sp: Cell::new(0),
            guest_fp: Cell::new(0),
            has_other_mode: Cell::new(0),
            mxcsr: Cell::new(0),
            host_mode: Cell::new(0),
        }
    }

    /// Notes that the running call has switched from `mode` to the engine's mode. `host_mode` is
    /// the word of the thread block.
    pub(crate) fn note_other_mode(&self, mode: FloatMode, host_mode: &Cell<u32>) {
        if self.has_other_mode.get() == 0 {
            self.mxcsr.set(mode.mxcsr());
            self.host_mode.set(host_mode.replace(mode.to_word()));
            self.has_other_mode.set(1);
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

    /// The stack pointer for code that runs on the host stack.
    pub(crate) fn host_sp(&self) -> usize {
        self.host_sp.get()
    }

    /// Where the guest stack starts.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// The guest's stack pointer during an upcall: the guest stack is free below it.
    pub(crate) fn guest_sp(&self) -> usize {
        self.guest_sp.get()
    }

    /// The guest's frame pointer during an upcall.
    pub(crate) fn guest_fp(&self) -> usize {
        self.guest_fp.get()
    }
}

/// The stack pointer. The address of a variable is no substitute: a sanitizer may keep variables
/// elsewhere.
pub(crate) fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// Calls `function` with `data` on another stack, whose end is `high`.
///
/// # Safety
/// `high` is the aligned end of a stack that nothing uses, with room for the function. The function
/// accepts `data`, and does not unwind.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on_stack(
    high: usize,
    function: unsafe extern "C" fn(*mut ()),
    data: *mut (),
) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Clears the upper parts of the vector registers, as a function that used them does before it
/// returns. Generated code that was exited from outside did not get there; SSE code would run
/// slower after it.
pub(crate) fn clear_upper_vectors() {
    if std::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has the instruction; registers that are named as outputs may be
        // written.
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
