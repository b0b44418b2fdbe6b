//! The ways into generated code, and the chain of activations that the ways out of it go by.
//!
//! Leaving early skips the frames of generated code on the guest stack, down to the innermost [`enter`], and no others:
//! what Rust has on the host's stack beyond belongs to an activation further out, which goes on by itself when its own
//! call returns. Wasmtime's `runtime/vm/traphandlers.rs` was the model for the chain.

use std::cell::Cell;
use std::fmt;
use std::mem::transmute;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::address::CodeAddress;
use crate::arch::{self, Context, Crossing, N_REGISTERS, thread_block};
use crate::deadline;
use crate::host::HostId;
use crate::limits::Limits;
use crate::stack::{SMALLEST, Stack};
use crate::stop::{Cause, InterruptHandle, Level};
use crate::stub::StubId;
use crate::thread::Thread;
use crate::trace::StackTrace;
use crate::trap::Trap;

/// What generated code asks of its engine while it runs.
///
/// Both may block, compile, and enter generated code again by a [`call`] of their own. Both run with no lock of this
/// crate held, on the thread that runs the generated code, on its ordinary stack. A panic in either ends the call with [`Trap::Panic`].
///
/// # Safety
/// The code that `materialize` returns must satisfy the contract of [`Stub::redirect`](crate::Stub::redirect) for that
/// stub, at least until the call that asked for it has left it.
pub unsafe trait Runtime: Sync {
    /// Code for a stub that has been called while its slot leads into the lazy entry.
    ///
    /// The call goes on in the code returned. So that later calls find it too, redirect the stub.
    ///
    /// # Errors
    /// A trap ends the innermost [`call`].
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap>;

    /// The value of a host function.
    ///
    /// # Errors
    /// A trap ends the innermost [`call`].
    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap>;
}

/// Calls generated code with any number of arguments, under [`Limits::new`].
///
/// # Errors
/// As [`call_within`].
///
/// # Safety
/// As [`call_within`].
pub unsafe fn call(runtime: &dyn Runtime, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
    const USUAL: &Limits = &Limits::new();
    // SAFETY: the caller's promises are the same.
    unsafe { call_within(USUAL, runtime, code, args) }
}

/// Calls generated code with any number of arguments, under limits.
///
/// Calls nest: a runtime may call again from within `materialize` and `host_call`. Each call ends by itself: a trap in
/// a nested one is returned to the runtime and goes no further unless the runtime hands it on. But who stops a call
/// stops those inside it, too.
///
/// # Errors
/// The trap with which `runtime` ended the call, or why it was ended otherwise.
///
/// # Safety
/// - `code` has the C ABI of doubles with as many parameters as there are `args`.
/// - Code, stubs and slots that it reaches stay valid until the call has returned.
/// - It does not unwind, and its frames, as those of all it calls but host stubs and maths thunks, may be skipped at any
///   instruction: they hold no lock and own nothing.
/// - All of it that reaches a stub's lazy entry or a host stub belongs to `runtime`.
/// - Where a frame is larger than a page, each page of it is touched from above before it is used.
///
/// Code that lies in an executable or a shared library is entered as well, but not stopped while it loops.
pub unsafe fn call_within(
    limits: &Limits,
    runtime: &dyn Runtime,
    code: CodeAddress,
    args: &[f64],
) -> Result<f64, Trap> {
    let activation = Activation::new(Place::find(limits)?, runtime);
    let inside = Inside::begin(&activation, limits);
    inside.watch(limits)?;
    // SAFETY: the caller's promises; the activation has just begun.
    let value = unsafe { activation.run(code, args) };
    drop(inside);
    value
}

/// Whether this thread is inside a [`call`] or an [`enter`], in a function of the host, say.
pub fn in_guarded_call() -> bool {
    Thread::current().is_ok_and(|thread| thread.innermost().is_some())
}

/// Prepares for any number of calls under the same limits: each of them costs less then, and ends by itself.
///
/// The deadline is that of all of them together, and an interrupter stops all that are still to come: these end with
/// the same trap.
///
/// # Errors
/// If the calls cannot be prepared: there is no memory for a stack, or this is inside so many other calls that a stack
/// is full.
#[inline]
pub fn enter<R>(
    limits: &Limits,
    runtime: &dyn Runtime,
    body: impl FnOnce(&GuardedScope<'_>) -> R,
) -> Result<R, Trap> {
    let activation = Activation::new(Place::find(limits)?, runtime);
    let inside = Inside::begin(&activation, limits);
    inside.watch(limits)?;
    Ok(body(&GuardedScope { activation: &activation, evaluation: inside.evaluation }))
}

/// What [`enter`] has prepared: calls of generated code. Stays on its thread.
pub struct GuardedScope<'scope> {
    activation: &'scope Activation<'scope>,
    evaluation: InterruptHandle,
}

impl GuardedScope<'_> {
    /// Calls generated code with any number of arguments.
    ///
    /// A call while another one of this scope is waiting for a host function is made inside that, like any other.
    ///
    /// # Errors
    /// As [`call_within`].
    ///
    /// # Safety
    /// As [`call_within`].
    #[inline]
    pub unsafe fn call(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        if !self.activation.is_free() {
            // SAFETY: the caller's promises.
            return unsafe { self.call_inside(code, args) };
        }
        // SAFETY: the caller's promises, and the check above.
        unsafe { self.activation.run(code, args) }
    }

    /// Calls generated code that takes a pointer, and returns nothing.
    ///
    /// # Errors
    /// As [`call_within`].
    ///
    /// # Panics
    /// When another call of this scope is waiting for a host function.
    ///
    /// # Safety
    /// As [`call_within`], but that `code` has the C ABI for this pointer. What it points to stays valid until the call has
    /// returned, and may have been written to in part when the call ends with a trap.
    pub unsafe fn call_with_pointer<T>(&self, code: CodeAddress, pointer: *const T) -> Result<(), Trap> {
        assert!(self.activation.is_free(), "no other call of the scope is running");
        // SAFETY: the caller's promises, and the check above; there are no doubles.
        unsafe { self.activation.run_at(code, pointer.cast(), 0) }.map(drop)
    }

    /// The same on the caller's own stack, with nothing around it but the usual mode of arithmetic: nothing stops the code while
    /// it runs. A request to stop that has come before is taken.
    ///
    /// # Errors
    /// When somebody wants the calls of this scope to stop.
    ///
    /// # Safety
    /// - `code` has the C ABI for this pointer, and does not unwind; what it points to stays valid until the call has returned.
    /// - It needs no more of a stack than a function of C's library may, reaches neither a stub nor a host stub, and returns soon.
    pub unsafe fn call_unguarded<T>(&self, code: CodeAddress, pointer: *const T) -> Result<(), Trap> {
        if let Some(cause) = self.activation.cause_to_stop() {
            return Err(Trap::stopped(cause, StackTrace::default()));
        }
        // SAFETY: an address and a pointer have the same size, and the caller says what lies there.
        let code = unsafe { transmute::<usize, unsafe extern "C" fn(*const T)>(code.get()) };
        // SAFETY: the caller's promises.
        self.activation.crossing.in_guest_mode(|| unsafe { code(pointer) });
        Ok(())
    }

    #[cold]
    unsafe fn call_inside(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        let limits = Limits::new().stack_bytes(self.activation.stack.n_bytes());
        // SAFETY: the caller's promises.
        unsafe { call_within(&limits, self.activation.runtime, code, args) }
    }

    /// What the calls of this scope are to those who want to stop them.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.evaluation
    }
}

impl fmt::Debug for GuardedScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedScope").field("evaluation", &self.evaluation).finish_non_exhaustive()
    }
}

/// Why a running call is left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The runtime has said so: there is a trap.
    Asked,
    /// The guest stack is used up.
    StackOverflow,
    /// Somebody wants it.
    Stopped(Cause),
}

/// A call or a scope that has not ended.
///
/// Promises:
/// 1. From `Inside::begin` to the end of `Inside` it does not move, and is in the chain of its thread; what comes before
///    it in the chain lives longer.
/// 2. It is not shared with other threads. Handlers of this thread read it while `ThreadBlock::guest` points to it, and
///    write nothing but cells.
/// 3. Frames on `stack` below `crossing.top()` belong to it, or to activations inside it.
#[repr(C)]
pub(crate) struct Activation<'call> {
    /// Comes first: a pointer to it is one to the activation.
    crossing: Crossing,
    runtime: &'call dyn Runtime,
    thread: &'call Thread,
    level: &'static Level,
    stack: Rc<Stack>,
    /// Whether no activation around it is on the same stack.
    is_first: bool,
    /// Why the running call is being left.
    ending: Cell<Ending>,
    trap: Cell<Option<Trap>>,
    /// The activation around it on this thread.
    previous: Option<&'call Activation<'call>>,
}

/// Where an activation is going to be.
struct Place<'call> {
    thread: &'call Thread,
    previous: Option<&'call Activation<'call>>,
    stack: Rc<Stack>,
    /// Where it starts on the stack.
    top: usize,
    level: &'static Level,
    is_first: bool,
}

impl Place<'_> {
    #[inline(always)]
    fn find(limits: &Limits) -> Result<Self, Trap> {
        let thread = Thread::current()?;
        let previous = thread.innermost();
        let stack = thread.stack(limits.stack_bytes)?;
        let (top, level, is_first) = match previous {
            None => (stack.high(), thread.seat.first(), true),
            Some(previous) => previous.below(&stack)?,
        };
        Ok(Self { thread, previous, stack, top, level, is_first })
    }
}

impl<'call> Activation<'call> {
    /// Made where it stays: moved right after it is written, the processor would have to wait for each of its parts.
    #[inline(always)]
    fn new(place: Place<'call>, runtime: &'call dyn Runtime) -> Self {
        Self {
            crossing: Crossing::new(place.top),
            runtime,
            thread: place.thread,
            level: place.level,
            stack: place.stack,
            is_first: place.is_first,
            ending: Cell::new(Ending::Asked),
            trap: Cell::new(None),
            previous: place.previous,
        }
    }

    /// Where an activation inside this one starts on a stack, its level, and whether it is the first there.
    #[cold]
    fn below(&self, stack: &Rc<Stack>) -> Result<(usize, &'static Level, bool), Trap> {
        if !thread_block().guest.load(Ordering::Relaxed).is_null() {
            fatal("generated code has made a guarded call itself, which only host functions may");
        }
        if self.thread.is_host_stack_full() {
            return Err(Trap::StackOverflow(StackTrace::capture()));
        }
        let level = self.level.inner();
        let mut around = std::iter::successors(Some(self), |activation| activation.previous);
        let Some(around) = around.find(|activation| Rc::ptr_eq(&activation.stack, stack)) else {
            return Ok((stack.high(), level, true));
        };
        let crossing = &around.crossing;
        let top = if crossing.is_running() { crossing.guest_sp() } else { crossing.top() } & !15;
        if top < stack.low() + SMALLEST / 2 {
            return Err(Trap::StackOverflow(StackTrace::capture()));
        }
        Ok((top, level, false))
    }

    /// Whether a call can be made right here.
    fn is_free(&self) -> bool {
        !self.crossing.is_running()
            && self.thread.innermost().is_some_and(|innermost| ptr::addr_eq(innermost, self))
    }

    /// Calls generated code.
    ///
    /// # Safety
    /// As [`call_within`]; the activation is free.
    #[inline(always)]
    unsafe fn run(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        let n_stack = args.len().saturating_sub(N_REGISTERS);
        if n_stack > (self.crossing.top() - self.stack.low() - SMALLEST / 4) / size_of::<f64>() {
            return Err(Trap::StackOverflow(StackTrace::default()));
        }
        // SAFETY: the caller vouches for the code; the arguments fit, as has been checked.
        unsafe { self.run_at(code, args.as_ptr(), args.len()) }
    }

    /// Calls generated code with so many arguments there.
    ///
    /// # Safety
    /// As [`run`](Self::run); those that travel on the stack have room there.
    #[inline(always)]
    unsafe fn run_at(&self, code: CodeAddress, args: *const f64, n_args: usize) -> Result<f64, Trap> {
        loop {
            // SAFETY: the caller's promises.
            let outcome = unsafe { arch::enter(&self.crossing, code.get(), args, n_args) };
            // Reached on all ways out: `enter` does not unwind, because every entry catches panics.
            match outcome.left {
                arch::RETURNED => return Ok(outcome.value),
                arch::ATTENTION => {
                    if let Some(cause) = self.cause_to_stop() {
                        return Err(Trap::stopped(cause, StackTrace::default()));
                    }
                }
                _ => return Err(self.trap()),
            }
        }
    }

    /// Why the call that was left ended.
    #[cold]
    fn trap(&self) -> Trap {
        arch::forget_vectors();
        match self.ending.replace(Ending::Asked) {
            Ending::Asked => self.trap.take().expect("a call is left only after a trap has been noted"),
            Ending::StackOverflow => {
                // SAFETY: the call has been left, and nothing inside it is running (promise 3).
                unsafe { self.stack.give_back(self.crossing.top()) };
                Trap::StackOverflow(self.thread.trace.take())
            }
            Ending::Stopped(cause) => {
                self.thread.notify_no_more();
                Trap::stopped(cause, self.thread.trace.take())
            }
        }
    }

    /// Why the call must not go on, if so.
    #[cold]
    fn cause_to_stop(&self) -> Option<Cause> {
        let attention = &thread_block().attention;
        attention.store(0, Ordering::Relaxed);
        // A handler that comes now sets it again.
        compiler_fence(Ordering::SeqCst);
        let cause = self.thread.seat.stopped();
        if cause.is_some() {
            // The activation around this one may have to stop as well, or a later call of the same.
            attention.store(1, Ordering::Relaxed);
        }
        cause
    }

    /// The activation whose generated code is running on this thread. For handlers of signals, which must not keep it.
    pub(crate) fn guest() -> Option<&'call Self> {
        let crossing = thread_block().guest.load(Ordering::Relaxed);
        // SAFETY: promises 1 and 2: it is running, and the crossing comes first in it.
        unsafe { crossing.cast::<Self>().as_ref() }
    }

    /// The activation whose generated code has called into this crate. Aborts the process if there is none: generated
    /// code is running that was not entered by a guarded call, and there is nowhere to land and nobody to ask. `what`
    /// names what it reached.
    ///
    /// # Safety
    /// `crossing` is null, or that of the innermost activation of this thread.
    pub(crate) unsafe fn asking(crossing: *const Crossing, what: &dyn Fn() -> String) -> &'call Self {
        // SAFETY: the crossing comes first in its activation, which does not end before this call does.
        let Some(activation) = (unsafe { crossing.cast::<Self>().as_ref() }) else { outside(&what()) };
        activation
    }

    /// Asks the runtime; gives back what it answers, or where to land when it traps.
    ///
    /// Inline, as what it calls: the question and its answer otherwise pass through memory at each step.
    #[inline]
    pub(crate) fn ask<T>(
        &self,
        question: impl FnOnce(&dyn Runtime) -> Result<T, Trap>,
    ) -> Result<T, *const Crossing> {
        let answer = self.crossing.in_host_mode(|| Trap::catch(|| question(self.runtime)));
        answer.map_err(|trap| {
            self.ending.set(Ending::Asked);
            self.trap.set(Some(trap));
            &raw const self.crossing
        })
    }

    /// Whether the running call, which is about to go on in generated code, is to be left instead.
    #[cold]
    pub(crate) fn is_stopped(&self) -> bool {
        let Some(cause) = self.cause_to_stop() else { return false };
        self.thread.trace.record_asking(self);
        self.ending.set(Ending::Stopped(cause));
        true
    }

    /// Makes the interrupted thread leave generated code. For handlers of signals.
    ///
    /// # Safety
    /// This is [`guest`](Self::guest), and the interrupted thread runs on its stack.
    pub(crate) unsafe fn leave(&self, ending: Ending, seen: &mut Context) {
        self.ending.set(ending);
        self.thread.trace.record_interrupted(self, seen.pc(), seen.sp(), seen.fp());
        thread_block().guest.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller's promise: above the landing there is nothing that may not be skipped.
        unsafe { seen.leave_by(&self.crossing) };
    }

    pub(crate) fn crossing(&self) -> &Crossing {
        &self.crossing
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.stack
    }
}

impl fmt::Debug for Activation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").field("crossing", &self.crossing).finish_non_exhaustive()
    }
}

/// An activation in the chain of its thread, until this is dropped.
struct Inside<'a> {
    activation: &'a Activation<'a>,
    evaluation: InterruptHandle,
}

impl<'a> Inside<'a> {
    #[inline(always)]
    fn begin(activation: &'a Activation<'a>, limits: &Limits) -> Self {
        let evaluation = activation.level.begin(limits.interrupter);
        // SAFETY: `drop` sets the one before.
        unsafe { activation.thread.set_innermost(Some(activation)) };
        Self { activation, evaluation }
    }

    /// Sees to it that the deadline is kept, if there is one.
    #[inline(always)]
    fn watch(&self, limits: &Limits) -> Result<(), Trap> {
        if let Some(deadline) = limits.deadline {
            deadline::watch(self.activation.level, self.evaluation, deadline)?;
        }
        Ok(())
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        let activation = self.activation;
        activation.level.end();
        // SAFETY: what is around this one lives longer.
        unsafe { activation.thread.set_innermost(activation.previous) };
        // SAFETY: the calls of this activation have ended, and those inside it.
        if activation.is_first && unsafe { activation.stack.was_deep() } {
            // SAFETY: as above, and no other activation is on this stack.
            unsafe { activation.stack.give_back(activation.stack.high()) };
        }
    }
}

/// The contract of guarded calls, that generated code is entered by them only, has been broken.
#[cold]
fn outside(what: &str) -> ! {
    fatal(&format!(
        "generated code reached {what} without having been entered by a guarded call; \
         a raw call is allowed only to code that needs neither compiling nor the host"
    ))
}

/// Ends the process.
#[cold]
fn fatal(why: &str) -> ! {
    eprintln!("fatal: {why}");
    std::process::abort()
}
