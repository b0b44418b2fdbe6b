//! What a thread keeps from its first guarded call to its end: its seat, its guest stacks, its alternate stack.
//!
//! Made when it is first needed, on threads made by anyone, and taken down by the thread's own destructors. A fork leaves
//! the child with the thread that forked, and everything of its own in order.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::ptr::{self, null, null_mut};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::arch::{stack_pointer, thread_block};
use crate::call::Activation;
use crate::deadline;
use crate::error::Error;
use crate::signal_stack::SignalStack;
use crate::signals::{self, NoticeTimer};
use crate::stack::{Stack, rounded};
use crate::stop::Seat;
use crate::trace::Recorder;

/// How many guest stacks a thread keeps: engines with different limits may take turns on it.
const N_STACKS: usize = 4;

/// After how many nanoseconds a thread that could not be stopped where it was is notified again.
const AGAIN: i64 = 200_000;

/// A thread that has made a guarded call.
///
/// Promises:
/// 1. `ThreadBlock::thread` is null or points to the value of this thread, which is there
///    until `Owner` is dropped, on the same thread.
/// 2. `innermost` is null or points to an activation of this thread that has not ended.
pub(crate) struct Thread {
    pub(crate) seat: &'static Seat,
    innermost: Cell<*const Activation<'static>>,
    /// The last used first.
    stacks: RefCell<Vec<Rc<Stack>>>,
    pub(crate) trace: Recorder,
    timer: Cell<Option<NoticeTimer>>,
    lowest_host_sp: OnceCell<usize>,
    _signal_stack: SignalStack,
}

/// Takes a [`Thread`] down when its thread ends.
#[derive(Debug)]
struct Owner(Cell<*mut Thread>);

thread_local! {
    static OWNER: Owner = const { Owner(Cell::new(null_mut())) };
}

impl Thread {
    /// This thread, if it has made a guarded call. A handler of a signal may ask.
    ///
    /// The reference must not outlive the thread's destructors: nobody keeps it longer than a call.
    pub(crate) fn known<'thread>() -> Option<&'thread Self> {
        // SAFETY: promise 1.
        unsafe { thread_block().thread.load(Ordering::Relaxed).cast::<Self>().as_ref() }
    }

    /// This thread.
    #[inline]
    pub(crate) fn current<'thread>() -> Result<&'thread Self, Error> {
        Self::known().map_or_else(Self::make, Ok)
    }

    #[cold]
    fn make<'thread>() -> Result<&'thread Self, Error> {
        signals::install();
        reset_after_fork();
        let signal_stack = SignalStack::ensure()?;
        OWNER
            .try_with(|owner| {
                let thread = Box::into_raw(Box::new(Self {
                    seat: Seat::take(),
                    innermost: Cell::new(null()),
                    stacks: RefCell::new(Vec::new()),
                    trace: Recorder::new(),
                    timer: Cell::new(None),
                    lowest_host_sp: OnceCell::new(),
                    _signal_stack: signal_stack,
                }));
                owner.0.set(thread);
                signals::unblock();
                thread_block().thread.store(thread.cast(), Ordering::Release);
            })
            .map_err(|_| Error::thread_ends())?;
        Ok(Self::known().expect("it has just been made"))
    }

    /// The innermost activation of this thread.
    #[inline]
    pub(crate) fn innermost<'a>(&'a self) -> Option<&'a Activation<'a>> {
        // SAFETY: promise 2.
        unsafe { self.innermost.get().as_ref() }
    }

    /// Makes another activation, or none, the innermost.
    ///
    /// # Safety
    /// It does not end before another has been set.
    #[inline]
    pub(crate) unsafe fn set_innermost(&self, activation: Option<&Activation<'_>>) {
        self.innermost.set(activation.map_or(null(), |activation| ptr::from_ref(activation).cast()));
    }

    /// A guest stack of this size, in use or not.
    #[inline]
    pub(crate) fn stack(&self, n_bytes: usize) -> Result<Rc<Stack>, Error> {
        let n_bytes = rounded(n_bytes);
        if let Some(stack) = self.stacks.borrow().first().filter(|stack| stack.n_bytes() == n_bytes) {
            return Ok(Rc::clone(stack));
        }
        self.other_stack(n_bytes)
    }

    #[cold]
    fn other_stack(&self, n_bytes: usize) -> Result<Rc<Stack>, Error> {
        let mut stacks = self.stacks.borrow_mut();
        let stack = match stacks.iter().position(|stack| stack.n_bytes() == n_bytes) {
            Some(idx) => stacks.remove(idx),
            None => Rc::new(Stack::map(n_bytes)?),
        };
        // One that is in use is kept by its activation.
        stacks.truncate(N_STACKS - 1);
        stacks.insert(0, Rc::clone(&stack));
        Ok(stack)
    }

    /// Has this thread notified once more, a little later. Async-signal-safe; only for the handler of notices, which does
    /// not interrupt itself.
    pub(crate) fn notify_again(&self) {
        let timer = self.timer.take().or_else(NoticeTimer::new);
        if let Some(timer) = &timer {
            timer.set(AGAIN);
        }
        self.timer.set(timer);
    }

    /// Takes back what `notify_again` has ordered. Only while no generated code runs: no handler gives orders then.
    pub(crate) fn notify_no_more(&self) {
        let timer = self.timer.take();
        if let Some(timer) = &timer {
            timer.set(0);
        }
        self.timer.set(timer);
    }

    /// Whether a call inside others finds the host's stack too full: host functions and generated code that call each
    /// other without end fill both.
    pub(crate) fn is_host_stack_full(&self) -> bool {
        let sp = stack_pointer();
        let lowest = *self.lowest_host_sp.get_or_init(lowest_host_sp);
        // Further away, it is not this stack: somebody runs coroutines.
        (lowest.saturating_sub(RESERVE)..lowest).contains(&sp)
    }
}

/// How much of the host's stack host functions can count on, in bytes.
const RESERVE: usize = 256 << 10;

/// Where the host's stack of this thread counts as full: some way above its end.
fn lowest_host_sp() -> usize {
    let mut attributes = std::mem::MaybeUninit::uninit();
    // SAFETY: asks who this is.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: asks for the attributes of this thread, which are written if the answer is 0.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: written above.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: the attributes are valid, the others are variables of the right types.
    let answer = unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) };
    // SAFETY: the attributes are valid and used no more.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    if answer == 0 { start.addr() + RESERVE.min(size / 4) } else { 0 }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("seat", &self.seat).finish_non_exhaustive()
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
        block.attention.store(0, Ordering::Relaxed);
        // SAFETY: made by `Thread::make` and dropped only here; no call is running when a thread ends.
        let thread = unsafe { Box::from_raw(thread) };
        thread.seat.leave();
    }
}

/// Keeps a forked child in order; asked for once.
fn reset_after_fork() {
    extern "C" fn in_child() {
        let thread = Thread::known();
        if let Some(timer) = thread.and_then(|thread| thread.timer.take()) {
            // Timers stay with the parent, and numbers are given again.
            std::mem::forget(timer);
        }
        Seat::after_fork(thread.map(|thread| thread.seat));
        deadline::after_fork();
    }
    static ASKED: OnceLock<()> = OnceLock::new();
    ASKED.get_or_init(|| {
        // SAFETY: the function touches atomic words only.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}
