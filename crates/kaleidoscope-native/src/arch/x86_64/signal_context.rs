//! The registers of a thread that a signal handler interrupted, and the way to send that thread
//! out of generated code.
//!
//! Only edits the context that the kernel has saved. The kernel loads it into the registers when
//! the handler returns.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::enter::exit_guest_address;
use super::float_mode::FloatMode;
use super::stack_switch::StackSwitch;

/// A signal handler that aligns the stack and calls the one of this name. The kernel has aligned it
/// already, but emulators exist that do not (QEMU's user mode until 7.2), and a compiler relies on
/// it.
macro_rules! aligned_handler {
    ($handler:ident) => {{
        #[unsafe(naked)]
        extern "C" fn handler(
            signal: std::ffi::c_int,
            info: *mut libc::siginfo_t,
            context: *mut std::ffi::c_void,
        ) {
            std::arch::naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                ".cfi_def_cfa_register rbp",
                "and rsp, -16",
                "call {handler}",
                "leave",
                ".cfi_def_cfa rsp, 8",
                "ret",
                ".cfi_endproc",
                handler = sym $handler,
            )
        }
        handler
    }};
}
pub(crate) use aligned_handler;

/// The registers of an interrupted thread.
///
/// Promise: points to the context of a signal handler that has not returned, and is the only
/// reference to it.
#[derive(Debug)]
pub(crate) struct SignalContext(NonNull<libc::ucontext_t>);

impl SignalContext {
    /// # Safety
    /// `context` is the third argument of a signal handler, which does not return before this
    /// value is dropped.
    pub(crate) unsafe fn new(context: *mut c_void) -> Option<Self> {
        NonNull::new(context.cast()).map(Self)
    }

    fn register(&self, register: libc::c_int) -> usize {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_ref() };
        context.uc_mcontext.gregs[register as usize] as usize
    }

    fn set(&mut self, register: libc::c_int, value: usize) {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_mut() };
        context.uc_mcontext.gregs[register as usize] = value as i64;
    }

    /// The program counter.
    pub(crate) fn pc(&self) -> usize {
        self.register(libc::REG_RIP)
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        self.register(libc::REG_RSP)
    }

    /// The frame pointer.
    pub(crate) fn fp(&self) -> usize {
        self.register(libc::REG_RBP)
    }

    /// The floating-point mode, if an exception that it does not mask has interrupted the thread.
    pub(crate) fn faulting_mode(&self) -> Option<FloatMode> {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_ref() };
        // SAFETY: null, or the registers that the kernel has saved in the same frame.
        let registers = unsafe { context.uc_mcontext.fpregs.as_ref() }?;
        let mode = FloatMode::from_mxcsr(registers.mxcsr);
        mode.has_unmasked_exception().then_some(mode)
    }

    /// Gives the thread the engine's floating-point mode when the handler returns.
    pub(crate) fn set_engine_mode(&mut self) {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_mut() };
        // SAFETY: as for `faulting_mode`; nothing else refers to them.
        if let Some(registers) = unsafe { context.uc_mcontext.fpregs.as_mut() } {
            registers.mxcsr = FloatMode::ENGINE.mxcsr();
        }
    }

    /// Makes the thread continue in `exit_guest` when the handler returns.
    ///
    /// # Safety
    /// A call through `stack_switch` is running on this thread, and all frames above it may be
    /// skipped.
    pub(crate) unsafe fn exit_through(&mut self, stack_switch: &StackSwitch) {
        self.set(libc::REG_RIP, exit_guest_address());
        self.set(libc::REG_RDI, (&raw const *stack_switch).addr());
        // `exit_guest` sets the stack pointer too, but another handler may run before that.
        self.set(libc::REG_RSP, stack_switch.host_sp());
    }
}
