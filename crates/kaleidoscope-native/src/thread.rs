//! What a thread keeps from its first guarded call to its end: its record, guest stacks, signal
//! stack.
//!
//! Made at the thread's first guarded call, on any thread of the process, and freed by the
//! destructors of the thread's locals. After a fork, the child has the thread that forked, with
//! all of this intact.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

use crate::arch::{StackSwitch, thread_block};
use crate::deadline;
use crate::error::Error;
use crate::fork::{Handled, Process};
use crate::guest_stack::{GuestStack, rounded};
use crate::interrupt::{InterruptCause, ThreadRecord};
use crate::interrupt_signal::{self, RetryTimer};
use crate::limits::Limits;
use crate::previous_handler;
use crate::signal_mask;
use crate::signal_stack::SignalStack;
use crate::stack_trace::StackTraceBuffer;

/// How many guest stacks a thread keeps: engines with different limits may alternate on it.
const N_STACKS: usize = 4;

/// The time in nanoseconds until an interrupt is retried that could not end the call where it was.
const RETRY_NANOSECONDS: i64 = 200_000;

/// How often a thread looks for a signal that it has sent to itself: some 20 ms. Valgrind looks for
/// signals every 100,000 jumps.
const SPINS: u32 = 1 << 20;

/// One of this many guarded calls keeps the signals: two system calls of some 100 ns then cost less
/// than a nanosecond a call.
const KEEP_EVERY: u32 = 256;

/// A thread that has made a guarded call.
///
/// Promises:
/// 1. `ThreadBlock::thread` is null or points to the `Thread` of this thread, which lives until the
///    thread's `Owner` is dropped, on the same thread.
/// 2. `innermost` is null or points to the first field of an activation of this thread that has not
///    ended, and may be used for the whole activation.
pub(crate) struct Thread {
    pub(crate) record: &'static ThreadRecord,
    innermost: Cell<*const StackSwitch>,
    /// The most recently used first.
    stacks: RefCell<Vec<Rc<GuestStack>>>,
    pub(crate) trace: StackTraceBuffer,
    timer: Cell<Option<RetryTimer>>,
    /// How many interrupt signals have arrived.
    n_signals: AtomicU32,
    /// Whether one that this thread sent to itself has arrived.
    is_interruptible: Cell<bool>,
    /// The innermost activation that began in the process that forked this one, or null.
    forked: Cell<*const StackSwitch>,
    signal_stack: RefCell<SignalStack>,
    /// Guarded calls until one keeps the signals again.
    n_until_kept: Cell<u32>,
}

/// Frees a [`Thread`] when its thread ends.
#[derive(Debug)]
struct Owner(Cell<*mut Thread>);

thread_local! {
    static OWNER: Owner = const { Owner(Cell::new(null_mut())) };
}

impl Thread {
    /// This thread, if it has made a guarded call. Async-signal-safe.
    ///
    /// The reference must not outlive the thread's destructors: no one keeps it longer than a call.
    pub(crate) fn known<'thread>() -> Option<&'thread Self> {
        // SAFETY: promise 1.
        unsafe { thread_block().thread.load(Ordering::Relaxed).cast::<Self>().as_ref() }
    }

    /// Creates the value of this thread, which has none yet.
    ///
    /// # Errors
    /// If there is no memory for a signal stack, or the thread is ending.
    pub(crate) fn create<'thread>() -> Result<&'thread Self, Error> {
        register_fork_handler();
        let signal_stack = SignalStack::ensure()?;
        OWNER
            .try_with(|owner| {
                let thread = Box::into_raw(Box::new(Self {
                    record: ThreadRecord::acquire(),
                    innermost: Cell::new(null()),
                    stacks: RefCell::new(Vec::new()),
                    trace: StackTraceBuffer::new(),
                    timer: Cell::new(None),
                    n_signals: AtomicU32::new(0),
                    is_interruptible: Cell::new(false),
                    forked: Cell::new(null()),
                    signal_stack: RefCell::new(signal_stack),
                    n_until_kept: Cell::new(KEEP_EVERY),
                }));
                owner.0.set(thread);
                thread_block().thread.store(thread.cast(), Ordering::Release);
            })
            .map_err(|_| Error::thread_ending())?;
        Ok(Self::known().expect("it has just been made"))
    }

    /// The stack switch of the innermost activation of this thread, or null.
    #[inline]
    pub(crate) fn innermost(&self) -> *const StackSwitch {
        self.innermost.get()
    }

    /// Sets the innermost activation.
    ///
    /// # Safety
    /// Promise 2 holds until another one, or none, is set.
    #[inline]
    pub(crate) unsafe fn set_innermost(&self, stack_switch: *const StackSwitch) {
        self.innermost.set(stack_switch);
    }

    /// A guest stack for these limits. It may be in use by an outer activation.
    #[inline]
    pub(crate) fn stack(&self, limits: &Limits) -> Result<Rc<GuestStack>, Error> {
        let n_bytes = rounded(limits.stack_bytes);
        if let Some(stack) = self.stacks.borrow().first().filter(|stack| stack.is_for(n_bytes)) {
            return Ok(Rc::clone(stack));
        }
        self.other_stack(n_bytes, limits.min_stack_bytes)
    }

    #[cold]
    fn other_stack(&self, n_bytes: usize, min_bytes: usize) -> Result<Rc<GuestStack>, Error> {
        let mut stacks = self.stacks.borrow_mut();
        let stack = match stacks.iter().position(|stack| stack.is_for(n_bytes)) {
            Some(idx) => stacks.remove(idx),
            None => Rc::new(GuestStack::map_at_least(min_bytes, n_bytes)?),
        };
        // A dropped stack that is in use lives on in its activation.
        stacks.truncate(N_STACKS - 1);
        stacks.insert(0, Rc::clone(&stack));
        Ok(stack)
    }

    /// Notes that an interrupt signal has arrived. For its handler.
    pub(crate) fn note_signal(&self) {
        self.n_signals.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a guarded call, before it begins.
    #[inline]
    pub(crate) fn note_call(&self) -> Result<(), Error> {
        let n = self.n_until_kept.get();
        if n == 0 {
            return self.keep_signals();
        }
        self.n_until_kept.set(n - 1);
        Ok(())
    }

    /// Undoes what the host may have done to this thread since its first call: signals blocked, the
    /// signal stack disabled or replaced by a small one. Takes two or three system calls.
    ///
    /// # Errors
    /// If there is no memory for a signal stack.
    #[cold]
    pub(crate) fn keep_signals(&self) -> Result<(), Error> {
        self.n_until_kept.set(KEEP_EVERY);
        signal_mask::unblock();
        self.signal_stack.borrow_mut().keep()
    }

    /// Makes sure that interrupt signals reach this thread, and tries it once. Some sandboxes
    /// refuse or drop the system call, and ThreadSanitizer holds signals back until the thread
    /// calls the C library.
    pub(crate) fn expect_interruptible(&self) -> Result<(), Error> {
        self.keep_signals()?;
        if self.is_interruptible.get() { Ok(()) } else { self.send_signal_to_itself() }
    }

    #[cold]
    fn send_signal_to_itself(&self) -> Result<(), Error> {
        let n_before = self.n_signals.load(Ordering::Relaxed);
        if !interrupt_signal::send(interrupt_signal::thread_id()) {
            return Err(Error::interrupt_signal(Some(&std::io::Error::last_os_error())));
        }
        // The handler runs before the system call returns, or a little later in an emulator. The
        // loop calls nothing, as generated code may do.
        let has_arrived = || self.n_signals.load(Ordering::Relaxed) != n_before;
        if !(0..SPINS).any(|_| {
            has_arrived() || {
                std::hint::spin_loop();
                false
            }
        }) {
            return Err(Error::interrupt_signal(None));
        }
        self.is_interruptible.set(true);
        Ok(())
    }

    /// Schedules another interrupt signal for this thread. Async-signal-safe; only for the handler
    /// of that signal, which does not interrupt itself.
    pub(crate) fn retry_interrupt_later(&self) {
        let timer = self.timer.take().or_else(RetryTimer::new);
        if let Some(timer) = &timer {
            timer.set(RETRY_NANOSECONDS);
        }
        self.timer.set(timer);
    }

    /// Cancels what [`retry_interrupt_later`](Self::retry_interrupt_later) scheduled. Only while no
    /// generated code runs, because no handler schedules a retry then.
    pub(crate) fn cancel_retry(&self) {
        let timer = self.timer.take();
        if let Some(timer) = &timer {
            timer.set(0);
        }
        self.timer.set(timer);
    }

    /// Why the innermost call of this thread must end, if an interrupt or a deadline says so.
    #[cold]
    pub(crate) fn pending_interrupt(&self) -> Option<InterruptCause> {
        let interrupt_pending = &thread_block().interrupt_pending;
        interrupt_pending.store(0, Ordering::Relaxed);
        // A handler that runs from here on sets the word again.
        compiler_fence(Ordering::SeqCst);
        let cause = self.record.pending_interrupt();
        // The interrupt may also concern the outer call, or a later call of this one.
        if cause.is_some() || self.is_in_forked_call() {
            interrupt_pending.store(1, Ordering::Relaxed);
        }
        cause
    }

    /// Whether the innermost activation began in the process that forked this one.
    fn is_in_forked_call(&self) -> bool {
        !self.forked.get().is_null() && self.forked.get() == self.innermost()
    }

    /// Notes that an activation has ended, which was in this one.
    #[inline]
    pub(crate) fn note_end(&self, ended: *const StackSwitch, outer: *const StackSwitch) {
        if !self.forked.get().is_null() {
            self.note_end_after_fork(ended, outer);
        }
    }

    #[cold]
    fn note_end_after_fork(&self, ended: *const StackSwitch, outer: *const StackSwitch) {
        if self.forked.get() == ended {
            self.forked.set(outer);
        }
        if self.is_in_forked_call() {
            thread_block().interrupt_pending.store(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("record", &self.record).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let thread = self.0.replace(null_mut());
        if thread.is_null() {
            return;
        }
        let block = thread_block();
        block.thread.store(null_mut(), Ordering::Relaxed);
        block.interrupt_pending.store(0, Ordering::Relaxed);
        // SAFETY: made by `Thread::create` and dropped only here; no call is running when a thread
        // ends.
        let thread = unsafe { Box::from_raw(thread) };
        thread.record.release();
    }
}

/// Registers the handler that repairs the state of threads in a forked child, which has only
/// the thread that forked.
fn register_fork_handler() {
    extern "C" fn in_child() {
        let thread = Thread::known();
        if let Some(thread) = thread {
            if let Some(timer) = thread.timer.take() {
                // The parent's timer does not exist here, and its id may be given to another timer.
                std::mem::forget(timer);
            }
            thread.forked.set(thread.innermost());
            // Makes a call that began before the fork ask before it continues.
            thread_block().interrupt_pending.store(1, Ordering::Relaxed);
        }
        ThreadRecord::after_fork(thread.map(|thread| thread.record));
        deadline::after_fork();
        previous_handler::after_fork();
    }
    static HANDLED: Handled = Handled::new();
    // Counts forks from now on.
    Process::current();
    HANDLED.by(in_child);
}
