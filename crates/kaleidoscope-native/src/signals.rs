//! Signal handlers: how a guarded call is ended from outside, when its stack overflows or an
//! interrupt arrives.
//!
//! Generated code contains no checks for stack overflow or interrupts; such checks would slow down
//! every call and loop. Instead the kernel interrupts the thread, and a handler decides:
//!
//! - SIGSEGV and SIGBUS: generated code touched the guard below its guest stack. The handler ends
//!   the call with a stack overflow. Any other fault does not concern this crate.
//! - SIGFPE: generated code raised a floating-point exception that the host's mode does not mask.
//!   The handler switches to the engine's mode (`float_mode.rs`), and the instruction runs again.
//! - SIGURG: another thread interrupted a call of this thread, or its deadline passed
//!   (`interrupt.rs`). The handler ends the call if generated code is running. Otherwise it sets
//!   `interrupt_pending`, which the assembly checks before generated code continues. Go's
//!   scheduler uses SIGURG in the same way (runtime/signal_unix.go, `sigPreempt`): programs do not
//!   rely on it, the default action ignores it, debuggers pass it on, and a spurious one is
//!   harmless.
//!
//! To end a call, a handler changes the program counter in the context that the kernel saved. When
//! the handler returns, the thread continues in `exit_guest` (`arch/x86_64/enter.rs`) instead of
//! where it was.
//!
//! # When may a thread be sent away?
//!
//! While `guest` is set and the stack pointer lies in the guest stack, only frames that may be
//! skipped lie above `enter`: generated code, stubs, and this crate's assembly (the promises in
//! `arch/x86_64/enter.rs`). There is one exception. A handler that the program installed without
//! an alternate stack runs on top of generated code, and must not be skipped. Such a handler is
//! part of a loaded object, and generated code is not. So an interrupt does not end the call while
//! the program counter is in a loaded object; a timer of the thread sends the signal again a
//! little later. A stack overflow in such a handler does end the call: the alternative is the end
//! of the process.
//!
//! # Living with other handlers
//!
//! The handlers are installed at the first guarded call of the process, and stay. A signal that
//! does not concern this crate goes to the handler that was installed before, or to the default
//! action (`previous_handler.rs`). A handler that is installed later works too, if it
//! passes on what does not concern it. One of SIGURG that does not becomes the previous handler
//! when the next interrupt is sent. The signals are unblocked in each thread that makes guarded
//! calls.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::siginfo_t;

use crate::activation::{Activation, ExitReason};
use crate::arch::{SignalContext, aligned_handler, thread_block};
use crate::interrupt_signal::cookie;
use crate::previous_handler::{BUS, FLOAT, Handler, INTERRUPT, PreviousHandler, SEGMENTATION};
use crate::thread::Thread;

/// This crate's handlers, and those that they replace.
const HANDLERS: [(&PreviousHandler, Handler); 4] = [
    (&SEGMENTATION, aligned_handler!(on_fault)),
    (&BUS, aligned_handler!(on_fault)),
    (&FLOAT, aligned_handler!(on_float_exception)),
    (&INTERRUPT, aligned_handler!(on_interrupt_signal)),
];

/// Installs the handlers, unless that is done.
pub(crate) fn install() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Acquire) {
        return;
    }
    look_up_find_object();
    for (previous, handler) in HANDLERS {
        previous.replace(handler);
    }
    INSTALLED.store(true, Ordering::Release);
}

/// Handles SIGSEGV and SIGBUS.
extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the argument of a handler, used until it returns.
    let interrupted = unsafe { SignalContext::new(context) };
    if let (Some(activation), Some(mut interrupted)) = (Activation::running(), interrupted)
        && is_overflow(activation, info, &interrupted)
    {
        // SAFETY: generated code is running on its guest stack; see the head of this file.
        unsafe { activation.exit(ExitReason::StackOverflow, &mut interrupted) };
        return;
    }
    previous_handler(signal).call(info, context);
}

/// Handles SIGFPE.
extern "C" fn on_float_exception(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the argument of a handler.
    let is_fault = unsafe { info.as_ref() }.is_some_and(|info| info.si_code > 0);
    // SAFETY: the argument of a handler, used until it returns.
    let interrupted = unsafe { SignalContext::new(context) };
    if let (true, Some(activation), Some(mut interrupted)) = (is_fault, Activation::running(), interrupted)
        && let Some(mode) = interrupted.faulting_mode()
    {
        activation.note_other_mode(mode);
        interrupted.set_engine_mode();
        return;
    }
    previous_handler(signal).call(info, context);
}

/// Whether a fault is an overflow of the guest stack.
fn is_overflow(activation: &Activation<'_>, info: *const siginfo_t, interrupted: &SignalContext) -> bool {
    let stack = activation.stack();
    // SAFETY: the argument of a handler.
    let Some(info) = (unsafe { info.as_ref() }) else { return false };
    if !stack.contains(interrupted.sp()) {
        return false;
    }
    if info.si_code == libc::SI_KERNEL {
        // The fault has no address: the kernel itself may have found no room on the guest stack
        // for the frame of a handler that does not use the alternate stack.
        return interrupted.sp() < stack.low() + 2 * crate::signal_stack::kernel_bytes();
    }
    // SAFETY: a fault from the processor has an address; signals from other senders have `si_code`
    // below 1.
    info.si_code > 0 && stack.guard_contains(unsafe { info.si_addr() }.addr())
}

/// Handles the interrupt signal.
extern "C" fn on_interrupt_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let errno = errno();
    let errno_before = errno.get();
    // SAFETY: the argument of a handler, used until it returns.
    if let Some(mut interrupted) = unsafe { SignalContext::new(context) } {
        exit_if_interrupted(&mut interrupted);
    }
    if let Some(thread) = Thread::known() {
        thread.note_signal();
    }
    // SAFETY: the argument of a handler.
    let is_ours = unsafe { info.as_ref() }.is_some_and(|info| {
        // SAFETY: a signal with this code has a value, and any other has these bytes too.
        matches!(info.si_code, libc::SI_QUEUE | libc::SI_TIMER)
            && unsafe { info.si_value() }.sival_ptr == cookie()
    });
    // A handler that was installed after this one, and became the previous one, may pass the signal
    // on to this one.
    let passed_on = &thread_block().passed_on;
    if !is_ours && passed_on.swap(info.cast(), Ordering::Relaxed) != info.cast() {
        previous_handler(signal).call(info, context);
    }
    passed_on.store(null_mut(), Ordering::Relaxed);
    errno.set(errno_before);
}

/// The error number of this thread, which system calls write.
fn errno<'thread>() -> &'thread Cell<c_int> {
    // SAFETY: returns an address.
    let address = unsafe { libc::__errno_location() };
    // SAFETY: the address of a variable of this thread, to which no other reference exists.
    unsafe { &*address.cast::<Cell<c_int>>() }
}

/// Ends the running call if it is interrupted: now if generated code is running, or at the next
/// check.
fn exit_if_interrupted(interrupted: &mut SignalContext) {
    let Some(thread) = Thread::known() else { return };
    let Some(cause) = thread.record.pending_interrupt() else { return };
    thread_block().interrupt_pending.store(1, Ordering::Relaxed);
    let Some(activation) = Activation::running() else { return };
    if activation.stack().contains(interrupted.sp()) && !is_in_loaded_object(interrupted.pc()) {
        // SAFETY: generated code is running on its guest stack; see the head of this file.
        unsafe { activation.exit(ExitReason::Interrupted(cause), interrupted) };
    } else {
        thread.retry_interrupt_later();
    }
}

fn previous_handler(signal: c_int) -> &'static PreviousHandler {
    let mut all = HANDLERS.iter().map(|(previous, _)| *previous);
    all.find(|previous| previous.signal() == signal).unwrap_or(&SEGMENTATION)
}

/// `_dl_find_object` of glibc, since 2.35: returns 0 if an address belongs to a loaded object.
type FindObject = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

/// The address of `_dl_find_object`; 1 if the C library lacks it, 0 before the first look-up.
static FIND_OBJECT: AtomicUsize = AtomicUsize::new(0);

/// Looks up `_dl_find_object`. Not async-signal-safe.
fn look_up_find_object() {
    // SAFETY: the name ends with a zero.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) }.addr();
    FIND_OBJECT.store(address.max(1), Ordering::Relaxed);
}

/// Whether an address lies in the executable or in a shared library. Returns `false` if the C
/// library is too old to know.
fn is_in_loaded_object(address: usize) -> bool {
    let find = FIND_OBJECT.load(Ordering::Relaxed);
    if find <= 1 {
        return false;
    }
    // SAFETY: the function of this name has this type.
    let find = unsafe { std::mem::transmute::<usize, FindObject>(find) };
    // More than `struct dl_find_object` has.
    let mut found = [0_u64; 32];
    // SAFETY: async-signal-safe (glibc's manual, "Dynamic Linker Introspection"); writes less than
    // `found` has.
    unsafe { find(address as *mut c_void, found.as_mut_ptr().cast()) == 0 }
}
