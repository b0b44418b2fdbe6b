//! Activations: one record for each guarded call, or scope of calls, that has not ended.
//!
//! The activations of a thread form a chain, the innermost first. An early exit skips the frames of
//! generated code on the guest stack of the innermost activation, and no others.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use crate::address::CodeAddress;
use crate::arch::{self, FloatMode, N_REGISTER_ARGS, SignalContext, StackSwitch, thread_block};
use crate::deadline;
use crate::error::Error;
use crate::fork::Process;
use crate::guest_stack::{GuestStack, MIN_BYTES};
use crate::host_stack::is_host_stack_full;
use crate::interrupt::{InterruptCause, InterruptHandle, NestingLevel};
use crate::limits::Limits;
use crate::runtime::Runtime;
use crate::stack_trace::StackTrace;
use crate::thread::Thread;
use crate::trap::Trap;

/// Why a running call is exited early.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExitReason {
    /// The runtime returned a trap, which is stored in the activation.
    RuntimeTrap,
    /// The guest stack is used up.
    StackOverflow,
    /// An interrupt or a deadline.
    Interrupted(InterruptCause),
}

/// A guarded call, or a scope of calls, that has not ended.
///
/// Promises:
/// 1. From `ActivationGuard::begin` until that guard is dropped, the activation does not move and
///    is in the chain of its thread. Outer activations live longer; where coroutines alternate,
///    one may end first, and leaves the chain then.
/// 2. It is not shared with other threads. Signal handlers of this thread read it while
///    `ThreadBlock::guest` points to it, and write only its cells.
/// 3. Frames on `stack` below `stack_switch.top()` belong to it, or to activations nested in it.
#[repr(C)]
pub(crate) struct Activation<'call> {
    /// The first field: a pointer to it is a pointer to the activation.
    stack_switch: StackSwitch,
    runtime: &'call dyn Runtime,
    thread: &'call Thread,
    level: &'static NestingLevel,
    stack: Rc<GuestStack>,
    /// Whether no outer activation uses the same guest stack.
    is_outermost_on_stack: Cell<bool>,
    /// The process that the call began in.
    process: Process,
    /// Why the running call is being exited.
    exit_reason: Cell<ExitReason>,
    /// The runtime's trap, on the way to the caller.
    trap: Cell<Option<Trap>>,
    /// The activation around this one on this thread, or null; the first field of it.
    previous: Cell<*const StackSwitch>,
}

fn pointer_to(activation: Option<&Activation<'_>>) -> *const StackSwitch {
    activation.map_or(ptr::null(), |activation| ptr::from_ref(activation).cast())
}

/// Where a new activation goes: in the chain of its thread, and on a guest stack.
pub(crate) struct ActivationSite<'call> {
    thread: &'call Thread,
    previous: Option<&'call Activation<'call>>,
    stack: Rc<GuestStack>,
    /// Where it starts on the guest stack.
    top: usize,
    level: &'static NestingLevel,
    is_outermost_on_stack: bool,
}

impl<'call> ActivationSite<'call> {
    #[inline(always)]
    pub(crate) fn find(thread: &'call Thread, limits: &Limits) -> Result<Self, Trap> {
        let previous = Activation::innermost(thread);
        if is_host_stack_full() {
            return Err(Trap::StackOverflow(StackTrace::capture()));
        }
        thread.note_call()?;
        let stack = thread.stack(limits)?;
        let (top, is_outermost_on_stack) = match previous {
            None => (stack.high(), true),
            Some(previous) => previous.nested_site(&stack)?,
        };
        let level = thread.record.free_level();
        Ok(Self { thread, previous, stack, top, level, is_outermost_on_stack })
    }
}

impl<'call> Activation<'call> {
    /// Built in its final place: if it were moved right after it was written, the processor would
    /// wait for each of its parts.
    #[inline(always)]
    pub(crate) fn new(site: ActivationSite<'call>, runtime: &'call dyn Runtime) -> Self {
        Self {
            stack_switch: StackSwitch::new(site.top),
            runtime,
            thread: site.thread,
            level: site.level,
            stack: site.stack,
            is_outermost_on_stack: Cell::new(site.is_outermost_on_stack),
            process: Process::known(),
            exit_reason: Cell::new(ExitReason::RuntimeTrap),
            trap: Cell::new(None),
            previous: Cell::new(pointer_to(site.previous)),
        }
    }

    /// Where an activation nested in this one starts on a stack, and whether it is the outermost
    /// there.
    #[cold]
    fn nested_site(&self, stack: &Rc<GuestStack>) -> Result<(usize, bool), Trap> {
        if !thread_block().guest.load(Ordering::Relaxed).is_null() {
            fatal("generated code has made a guarded call itself, which only host functions may");
        }
        let Some(outer) = self.chain().find(|activation| Rc::ptr_eq(&activation.stack, stack)) else {
            return Ok((stack.high(), true));
        };
        let outer = &outer.stack_switch;
        let top = if outer.is_running() { outer.guest_sp() } else { outer.top() } & !15;
        if top < stack.low() + MIN_BYTES / 2 {
            return Err(Trap::StackOverflow(StackTrace::capture()));
        }
        Ok((top, false))
    }

    /// This activation, and those around it.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        // SAFETY: the pointer is null or points to the first field of an activation that has not
        // ended (promise 1).
        std::iter::successors(Some(self), |activation| unsafe {
            activation.previous.get().cast::<Self>().as_ref()
        })
    }

    /// Whether it began in this process, and not in one that forked this one.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// Why the running call cannot continue here, apart from interrupts: in the process, or on this
    /// thread.
    #[cold]
    fn obstacle(&self) -> Option<Error> {
        if !self.is_of_this_process() {
            Some(Error::forked())
        } else if self.thread.innermost() != ptr::from_ref(self).cast() {
            Some(Error::out_of_order())
        } else {
            None
        }
    }

    /// Whether a call can run in this activation now.
    pub(crate) fn is_idle(&self) -> bool {
        !self.stack_switch.is_running() && self.thread.innermost() == ptr::from_ref(self).cast()
    }

    /// Runs generated code with these arguments.
    ///
    /// # Safety
    /// As [`call_within`](crate::call_within); the activation is idle.
    #[inline(always)]
    pub(crate) unsafe fn run(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        let n_stack = args.len().saturating_sub(N_REGISTER_ARGS);
        if n_stack > (self.stack_switch.top() - self.stack.low() - MIN_BYTES / 4) / size_of::<f64>() {
            return Err(Trap::StackOverflow(StackTrace::default()));
        }
        // SAFETY: the caller vouches for the code; the arguments fit, as has been checked.
        unsafe { self.run_at(code, args.as_ptr(), args.len()) }
    }

    /// Runs generated code with the `n_args` arguments at `args`.
    ///
    /// # Safety
    /// As [`run`](Self::run); the arguments that travel on the stack have room there.
    #[inline(always)]
    pub(crate) unsafe fn run_at(
        &self,
        code: CodeAddress,
        args: *const f64,
        n_args: usize,
    ) -> Result<f64, Trap> {
        loop {
            // SAFETY: the caller's promises.
            let outcome = unsafe { arch::enter(&self.stack_switch, code.get(), args, n_args) };
            // Every way out of the code leads here: `enter` does not unwind, because upcalls catch
            // panics.
            match outcome.status {
                arch::RETURNED => return Ok(outcome.value),
                arch::NOT_ENTERED => {
                    if let Some(obstacle) = self.obstacle() {
                        return Err(obstacle.into());
                    }
                    if let Some(cause) = self.pending_interrupt() {
                        return Err(Trap::interrupted(cause, StackTrace::default()));
                    }
                }
                _ => return Err(self.take_trap()),
            }
        }
    }

    /// The trap of the call that was just exited.
    #[cold]
    fn take_trap(&self) -> Trap {
        arch::clear_upper_vectors();
        match self.exit_reason.replace(ExitReason::RuntimeTrap) {
            ExitReason::RuntimeTrap => self.trap.take().expect("the runtime's trap has been stored"),
            ExitReason::StackOverflow => {
                // SAFETY: the call has been exited, and nothing nested in it is running (promise
                // 3).
                unsafe { self.stack.release_pages(self.stack_switch.top()) };
                Trap::StackOverflow(self.thread.trace.take())
            }
            ExitReason::Interrupted(cause) => {
                self.thread.cancel_retry();
                Trap::interrupted(cause, self.thread.trace.take())
            }
        }
    }

    /// Why the innermost call must end, if an interrupt or a deadline says so.
    #[cold]
    pub(crate) fn pending_interrupt(&self) -> Option<InterruptCause> {
        self.thread.pending_interrupt()
    }

    /// The innermost activation of this thread.
    #[inline]
    pub(crate) fn innermost(thread: &'call Thread) -> Option<&'call Self> {
        // SAFETY: promise 2 of `Thread`, and the stack switch is the first field of its activation.
        unsafe { thread.innermost().cast::<Self>().as_ref() }
    }

    /// Makes this activation the innermost of its thread.
    ///
    /// # Safety
    /// It does not end before another one, or none, has been made the innermost.
    #[inline]
    unsafe fn set_innermost(thread: &Thread, activation: &Self) {
        // SAFETY: the caller's promise.
        unsafe { thread.set_innermost(ptr::from_ref(activation).cast()) };
    }

    /// Takes this activation, which is not the innermost, out of the chain of its thread: it ends
    /// before one that began later.
    #[cold]
    fn unlink(&self) {
        let Some(innermost) = Self::innermost(self.thread) else { return };
        let this = ptr::from_ref(self).cast();
        if let Some(inner) = innermost.chain().find(|activation| activation.previous.get() == this) {
            inner.previous.set(self.previous.get());
        }
        if self.is_outermost_on_stack.get() {
            let on_stack = innermost.chain().filter(|activation| Rc::ptr_eq(&activation.stack, &self.stack));
            if let Some(outermost) = on_stack.last() {
                self.is_outermost_on_stack.set(false);
                outermost.is_outermost_on_stack.set(true);
            }
        }
    }

    /// The activation whose generated code is running on this thread. For signal handlers, which
    /// must not keep the reference.
    pub(crate) fn running() -> Option<&'call Self> {
        let stack_switch = thread_block().guest.load(Ordering::Relaxed);
        // SAFETY: the activation is running, and the stack switch is its first field (promises 1
        // and 2).
        unsafe { stack_switch.cast::<Self>().as_ref() }
    }

    /// The activation whose generated code made an upcall.
    ///
    /// Aborts the process if there is none: then the code was not entered by a guarded call, so
    /// there is no runtime to call and no `enter` to exit to. `origin` names what the code
    /// reached.
    ///
    /// # Safety
    /// `stack_switch` is null, or that of the innermost activation of this thread.
    pub(crate) unsafe fn of_upcall(
        stack_switch: *const StackSwitch,
        origin: &dyn Fn() -> String,
    ) -> &'call Self {
        // SAFETY: the stack switch is the first field of its activation, which outlives the upcall.
        let Some(activation) = (unsafe { stack_switch.cast::<Self>().as_ref() }) else {
            upcall_without_guarded_call(&origin())
        };
        activation
    }

    /// Calls the runtime. Returns its answer, or, after a trap, the stack switch through which to
    /// exit.
    ///
    /// Inline, like the closures passed to it: otherwise request and answer pass through memory.
    #[inline]
    pub(crate) fn call_runtime<T>(
        &self,
        request: impl FnOnce(&dyn Runtime) -> Result<T, Trap>,
    ) -> Result<T, *const StackSwitch> {
        let mut answer = Trap::catch(|| request(self.runtime));
        // A call that began later and has not ended is on the guest stack below this one: the host
        // function has switched to another coroutine.
        if self.thread.innermost() != ptr::from_ref(self).cast() {
            // What is dropped here may be the host's.
            answer = Trap::catch(|| {
                drop(answer);
                Err(Error::out_of_order().into())
            });
        }
        answer.map_err(|trap| {
            self.exit_reason.set(ExitReason::RuntimeTrap);
            self.trap.set(Some(trap));
            &raw const self.stack_switch
        })
    }

    /// Whether the running call, which is about to continue in generated code, must be exited
    /// instead. Records the reason and the stack trace.
    #[cold]
    pub(crate) fn must_exit(&self) -> bool {
        if let Some(obstacle) = self.obstacle() {
            self.exit_reason.set(ExitReason::RuntimeTrap);
            self.trap.set(Some(obstacle.into()));
            return true;
        }
        let Some(cause) = self.pending_interrupt() else { return false };
        self.thread.trace.record_upcall(&self.stack, &self.stack_switch);
        self.exit_reason.set(ExitReason::Interrupted(cause));
        true
    }

    /// Makes the interrupted thread exit generated code. For signal handlers.
    ///
    /// # Safety
    /// This is [`running`](Self::running), and the interrupted thread runs on its guest stack.
    pub(crate) unsafe fn exit(&self, reason: ExitReason, context: &mut SignalContext) {
        self.exit_reason.set(reason);
        self.thread.trace.record_interrupted(&self.stack, &self.stack_switch, context);
        thread_block().guest.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller's promise: all frames above `enter` may be skipped.
        unsafe { context.exit_through(&self.stack_switch) };
    }

    /// Notes that the running call has switched from this floating-point mode to the engine's.
    pub(crate) fn note_other_mode(&self, mode: FloatMode) {
        self.stack_switch.note_other_mode(mode, &thread_block().host_mode);
    }

    pub(crate) fn stack(&self) -> &GuestStack {
        &self.stack
    }

    pub(crate) fn runtime(&self) -> &'call dyn Runtime {
        self.runtime
    }
}

impl StackTrace {
    /// Where the generated code is that called [`Runtime::materialize`] or [`Runtime::host_call`].
    /// Meant for these two; empty elsewhere.
    pub fn capture() -> Self {
        let Some(thread) = Thread::known() else { return Self::default() };
        let Some(activation) = Activation::innermost(thread) else { return Self::default() };
        if !activation.stack_switch.is_running() {
            return Self::default();
        }
        thread.trace.record_upcall(&activation.stack, &activation.stack_switch);
        thread.trace.take()
    }
}

impl fmt::Debug for Activation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").field("stack_switch", &self.stack_switch).finish_non_exhaustive()
    }
}

/// Keeps an activation in the chain of its thread until it is dropped.
pub(crate) struct ActivationGuard<'a> {
    activation: &'a Activation<'a>,
    interrupt_handle: InterruptHandle,
}

impl<'a> ActivationGuard<'a> {
    #[inline(always)]
    pub(crate) fn begin(activation: &'a Activation<'a>, limits: &Limits) -> Self {
        let interrupt_handle = activation.level.begin(limits.interrupter);
        // SAFETY: `drop` sets the previous one.
        unsafe { Activation::set_innermost(activation.thread, activation) };
        Self { activation, interrupt_handle }
    }

    /// Registers the deadline, if there is one.
    #[inline(always)]
    pub(crate) fn set_deadline(&self, limits: &Limits) -> Result<(), Trap> {
        if let Some(deadline) = limits.deadline {
            self.activation.thread.expect_interruptible()?;
            deadline::register(self.activation.level, self.interrupt_handle, deadline)?;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.interrupt_handle
    }
}

impl Drop for ActivationGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let activation = self.activation;
        activation.level.end();
        if activation.thread.innermost() == ptr::from_ref(activation).cast() {
            // SAFETY: the outer activation has not ended: one that ends leaves the chain.
            unsafe { activation.thread.set_innermost(activation.previous.get()) };
        } else {
            activation.unlink();
        }
        activation.thread.note_end(ptr::from_ref(activation).cast(), activation.previous.get());
        // SAFETY: the calls of this activation have ended, and those nested in it.
        if activation.is_outermost_on_stack.get() && unsafe { activation.stack.was_used_deeply() } {
            // SAFETY: as above, and no other activation is on this stack.
            unsafe { activation.stack.release_pages(activation.stack.high()) };
        }
    }
}

/// Ends the process because generated code that was not entered by a guarded call needs the
/// runtime.
#[cold]
fn upcall_without_guarded_call(origin: &str) -> ! {
    fatal(&format!(
        "generated code reached {origin} without having been entered by a guarded call; \
         a raw call is allowed only to code that needs neither compiling nor the host"
    ))
}

#[cold]
fn fatal(why: &str) -> ! {
    eprintln!("fatal: {why}");
    std::process::abort()
}
