//! Guarded calls: how Rust calls generated code that may recurse or loop without end.
//!
//! An ordinary call of such code could overflow the thread's stack, which ends the process, or
//! never return. A guarded call ends in one of three ways, and the thread continues in all of
//! them:
//!
//! - The code returns: the call has its value.
//! - The code calls the [`Runtime`], for code or for a host function, and the runtime returns a
//!   [`Trap`]: the call returns that trap.
//! - The code is stopped from outside: its stack overflowed, its deadline passed, or an
//!   [`Interrupter`](crate::Interrupter) interrupted it. The call returns a trap that says which, with a
//!   [`StackTrace`].
//!
//! What a guarded call does:
//!
//! 1. It records an *activation* (`activation.rs`): the stacks in use, the limits, and the link to
//!    the activation around it, if calls nest.
//! 2. It switches to a *guest stack* (`guest_stack.rs`), which ends in guard pages, and enters the
//!    code (`arch/x86_64/enter.rs`).
//! 3. Upcalls switch back to the *host stack*, run Rust code, and return to the guest stack
//!    (`upcall.rs`).
//! 4. On an early exit, the host's registers are restored, and all frames on the guest stack are
//!    skipped. Frames on the host stack are never skipped: they belong to Rust code, which may own
//!    things. Therefore an exit ends only the innermost call; an outer call continues when its
//!    upcall returns.
//! 5. The activation ends, and pages that a deep recursion touched go back to the system.
//!
//! A call costs tens of nanoseconds that way. [`enter`] prepares an activation once for many
//! calls, each of which then costs a few nanoseconds more than a call through a pointer
//! (`benches/guard_costs.rs`).
//!
//! Wasmtime's `runtime/vm/traphandlers.rs` is the model for the chain of activations.

use std::fmt;
use std::mem::transmute;

use crate::activation::{Activation, ActivationGuard, ActivationSite};
use crate::address::CodeAddress;
use crate::deadline;
use crate::error::Error;
use crate::float_mode::in_engine_mode;
use crate::interrupt::{InterruptCause, InterruptHandle, NestingLevel};
use crate::limits::Limits;
use crate::runtime::Runtime;
use crate::signal_mask;
use crate::signals;
use crate::stack_trace::StackTrace;
use crate::thread::Thread;
use crate::trap::Trap;

/// Makes a guarded call with any number of arguments, under [`Limits::new`].
///
/// # Errors
/// As [`call_within`].
///
/// # Safety
/// As [`call_within`].
pub unsafe fn call(runtime: &dyn Runtime, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
    const DEFAULT_LIMITS: &Limits = &Limits::new();
    // SAFETY: the caller's promises are the same.
    unsafe { call_within(DEFAULT_LIMITS, runtime, code, args) }
}

/// Makes a guarded call with any number of arguments, under limits.
///
/// Calls nest: a runtime may make guarded calls in `materialize` and `host_call`. Each call ends by
/// itself: a trap in a nested call is returned to the runtime, and ends the outer call only if the
/// runtime returns it. An interrupt or a deadline of a call also ends the calls nested in it.
///
/// # Errors
/// The trap that the runtime returned, or the reason why the call was stopped from outside.
///
/// # Safety
/// - `code` has the C ABI of doubles with as many parameters as there are `args`.
/// - The code, stubs and slots that the call reaches stay valid until the call has returned.
/// - The code does not unwind. Its frames, and those of everything that it calls except host stubs
///   and maths thunks, may be skipped at any instruction: they hold no lock and own nothing.
/// - All of the code that reaches a lazy entry or a host stub belongs to `runtime`.
/// - A frame that is larger than a page touches each of its pages, from above, before it uses them.
///
/// Code in an executable or a shared library can be called too, but is not interrupted in a loop.
pub unsafe fn call_within(
    limits: &Limits,
    runtime: &dyn Runtime,
    code: CodeAddress,
    args: &[f64],
) -> Result<f64, Trap> {
    let activation = Activation::new(ActivationSite::find(current_thread()?, limits)?, runtime);
    let guard = ActivationGuard::begin(&activation, limits);
    guard.set_deadline(limits)?;
    // SAFETY: the caller's promises; the activation has just begun.
    let value = unsafe { activation.run(code, args) };
    drop(guard);
    value
}

/// Whether this thread is inside a [`call`] or an [`enter`], for instance in a host function.
pub fn in_guarded_call() -> bool {
    Thread::known().is_some_and(|thread| Activation::innermost(thread).is_some())
}

/// The number of this thread among those that can make guarded calls. No other such thread has it,
/// and it is small: a new thread gets the number of an ended one.
///
/// # Errors
/// If this thread cannot be prepared for guarded calls.
#[inline]
pub fn thread_number() -> Result<usize, Error> {
    Ok(current_thread()?.record.number())
}

/// Why the innermost guarded call of this thread must end: the call, or what it is inside of, was
/// interrupted, or a deadline passed. `None` if nothing says so, and outside of all calls.
///
/// For host functions that take long. One that finds a cause may return any value at once: the
/// call ends instead of using it.
pub fn pending_interrupt() -> Option<InterruptCause> {
    Thread::known()?.pending_interrupt()
}

/// Requests the end of the innermost guarded call of this thread, which ends when its host function
/// returns.
///
/// For an engine that learns on this thread that limits around the call have been reached, before
/// another thread has told the call.
#[cold]
pub fn end_innermost(cause: InterruptCause) {
    if let Some(thread) = Thread::known() {
        thread.record.end_innermost(cause);
    }
}

/// Runs a function of the host under limits: every guarded call that it makes ends when these
/// limits say so, as if it were nested in a call under them. The function itself is not ended; it
/// may ask [`pending_interrupt`]. The size of the stack has no effect.
///
/// An engine runs interpreted code in this way. The handle interrupts the function's calls.
///
/// # Errors
/// If this thread cannot be prepared for guarded calls, or the deadline cannot be kept.
pub fn under<R>(limits: &Limits, body: impl FnOnce(InterruptHandle) -> R) -> Result<R, Trap> {
    /// Ends the level when the body returns or panics.
    struct Level(&'static NestingLevel);
    impl Drop for Level {
        fn drop(&mut self) {
            self.0.end();
        }
    }

    let thread = current_thread()?;
    let level = Level(thread.record.free_level());
    let handle = level.0.begin(limits.interrupter);
    if let Some(deadline) = limits.deadline {
        thread.expect_interruptible()?;
        deadline::register(level.0, handle, deadline)?;
    }
    Ok(body(handle))
}

/// Prepares an activation for any number of calls under the same limits. Each call then costs
/// less, and ends by itself.
///
/// The deadline is one for all of the calls. An interrupt also ends the calls that are still to
/// come, with the same trap.
///
/// # Errors
/// If the activation cannot be prepared: there is no memory for a stack, or activations nest so
/// deeply that a stack is full.
#[inline]
pub fn enter<R>(
    limits: &Limits,
    runtime: &dyn Runtime,
    body: impl FnOnce(&GuardedScope<'_>) -> R,
) -> Result<R, Trap> {
    let activation = Activation::new(ActivationSite::find(current_thread()?, limits)?, runtime);
    let guard = ActivationGuard::begin(&activation, limits);
    guard.set_deadline(limits)?;
    Ok(body(&GuardedScope { activation: &activation, interrupt_handle: guard.interrupt_handle() }))
}

/// A scope of guarded calls, prepared by [`enter`]. Stays on its thread.
pub struct GuardedScope<'scope> {
    activation: &'scope Activation<'scope>,
    interrupt_handle: InterruptHandle,
}

impl GuardedScope<'_> {
    /// Makes a guarded call with any number of arguments.
    ///
    /// While another call of this scope is in an upcall, the new call is nested in that call.
    ///
    /// # Errors
    /// As [`call_within`].
    ///
    /// # Safety
    /// As [`call_within`].
    #[inline]
    pub unsafe fn call(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        if !self.activation.is_idle() {
            // SAFETY: the caller's promises.
            return unsafe { self.call_nested(code, args) };
        }
        // SAFETY: the caller's promises, and the check above.
        unsafe { self.activation.run(code, args) }
    }

    /// Makes a guarded call of code that takes a pointer and returns a double. The result of code
    /// that returns nothing is undefined.
    ///
    /// # Errors
    /// As [`call_within`].
    ///
    /// # Panics
    /// If another call of this scope is in an upcall.
    ///
    /// # Safety
    /// As [`call_within`], except that `code` has the C ABI for this pointer. What the pointer
    /// refers to stays valid until the call has returned. If the call ends with a trap, that
    /// memory may have been written in part.
    pub unsafe fn call_with_pointer<T>(&self, code: CodeAddress, pointer: *const T) -> Result<f64, Trap> {
        assert!(self.activation.is_idle(), "no other call of the scope is running");
        // SAFETY: the caller's promises, and the check above; there are no doubles.
        unsafe { self.activation.run_at(code, pointer.cast(), 0) }
    }

    /// Calls code that takes a pointer on the caller's own stack. Only the floating-point mode is
    /// that of a guarded call. Nothing stops the code while it runs; an interrupt that came before
    /// is reported.
    ///
    /// # Errors
    /// If the calls of this scope have been interrupted.
    ///
    /// # Safety
    /// - `code` has the C ABI for this pointer, and does not unwind. What the pointer refers to
    ///   stays valid until the call has returned.
    /// - The code needs no more stack than a function of the C library may. It reaches neither a
    ///   stub nor a host stub, and returns soon.
    pub unsafe fn call_unguarded<T>(&self, code: CodeAddress, pointer: *const T) -> Result<(), Trap> {
        // SAFETY: an address and a pointer have the same size, and the caller says what the code
        // is.
        let code = unsafe { transmute::<usize, unsafe extern "C" fn(*const T)>(code.get()) };
        // SAFETY: the caller's promises.
        self.run_unguarded(|| unsafe { code(pointer) })
    }

    /// Runs Rust code in place of a call: in the floating-point mode of a guarded call, unless an
    /// interrupt came before. Nothing stops `body` while it runs, so it should be short.
    ///
    /// # Errors
    /// If the calls of this scope have been interrupted.
    pub fn run_unguarded<R>(&self, body: impl FnOnce() -> R) -> Result<R, Trap> {
        if !self.activation.is_of_this_process() {
            return Err(Error::forked().into());
        }
        if let Some(cause) = self.activation.pending_interrupt() {
            return Err(Trap::interrupted(cause, StackTrace::default()));
        }
        Ok(in_engine_mode(body))
    }

    #[cold]
    unsafe fn call_nested(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        let limits = Limits::new().stack_bytes(self.activation.stack().requested_bytes()).min_stack_bytes(0);
        // SAFETY: the caller's promises.
        unsafe { call_within(&limits, self.activation.runtime(), code, args) }
    }

    /// The handle by which other threads interrupt the calls of this scope.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.interrupt_handle
    }
}

impl fmt::Debug for GuardedScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedScope")
            .field("interrupt_handle", &self.interrupt_handle)
            .finish_non_exhaustive()
    }
}

/// Undoes what the host may have done to this thread since its first guarded call: signals blocked,
/// the alternate signal stack disabled. A call with a deadline does it by itself, and so does one
/// of 256 others, which are too short to do it each time.
///
/// # Errors
/// If there is no memory for a signal stack.
pub fn keep_signals() -> Result<(), Error> {
    Thread::known().map_or(Ok(()), Thread::keep_signals)
}

/// This thread, prepared for guarded calls.
#[inline]
fn current_thread<'thread>() -> Result<&'thread Thread, Error> {
    Thread::known().map_or_else(prepare_thread, Ok)
}

/// Prepares this thread for guarded calls, and the process if this is its first thread to make one.
#[cold]
fn prepare_thread<'thread>() -> Result<&'thread Thread, Error> {
    signals::install();
    let thread = Thread::create()?;
    signal_mask::unblock();
    Ok(thread)
}
