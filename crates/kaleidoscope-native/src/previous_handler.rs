//! Previous handlers: what would handle a signal if this crate were not there.
//!
//! The program may install a handler after this crate, or a previous handler may do so when it
//! runs: that of Rust's runtime restores the default action, expecting the fault to happen again.
//! [`PreviousHandler::take_over`] makes such a handler the previous one.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{SIG_DFL, SIG_IGN, SIGBUS, SIGFPE, SIGSEGV, SIGURG, sigaction, siginfo_t};

/// A signal handler that takes information about the signal.
pub(crate) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// For stack overflows, which some systems report as SIGBUS.
pub(crate) static SEGMENTATION: PreviousHandler = PreviousHandler::new(SIGSEGV);
pub(crate) static BUS: PreviousHandler = PreviousHandler::new(SIGBUS);
/// For floating-point exceptions.
pub(crate) static FLOAT: PreviousHandler = PreviousHandler::new(SIGFPE);
/// For interrupts.
pub(crate) static INTERRUPT: PreviousHandler = PreviousHandler::new(SIGURG);

/// Ends, in a forked child, the changes that other threads of the parent were making.
pub(crate) fn after_fork() {
    for previous in [&SEGMENTATION, &BUS, &FLOAT, &INTERRUPT] {
        previous.is_changing.store(false, Ordering::Relaxed);
    }
}

/// How many different actions are remembered for a signal. Programs have one or two.
const N_ACTIONS: usize = 32;

/// The handler that a signal had before this crate installed its own.
///
/// Promises:
/// 1. The first `n_actions` of `actions` are written and never change; the others are written only
///    by the thread that has set `is_changing`.
/// 2. `current` is 0, or the number, from 1 on, of one of the first `n_actions`.
pub(crate) struct PreviousHandler {
    signal: c_int,
    /// The address of this crate's handler. 0 before it is to be installed.
    handler: AtomicUsize,
    actions: [UnsafeCell<MaybeUninit<sigaction>>; N_ACTIONS],
    n_actions: AtomicUsize,
    current: AtomicUsize,
    is_changing: AtomicBool,
    /// Whether the handler was for one signal only, and has run.
    is_spent: AtomicBool,
}

// SAFETY: an action is written before `n_actions` counts it, by one thread at a time, and only read
// afterwards (promise 1).
unsafe impl Sync for PreviousHandler {}

impl PreviousHandler {
    const fn new(signal: c_int) -> Self {
        Self {
            signal,
            handler: AtomicUsize::new(0),
            actions: [const { UnsafeCell::new(MaybeUninit::uninit()) }; N_ACTIONS],
            n_actions: AtomicUsize::new(0),
            current: AtomicUsize::new(0),
            is_changing: AtomicBool::new(false),
            is_spent: AtomicBool::new(false),
        }
    }

    pub(crate) fn signal(&self) -> c_int {
        self.signal
    }

    /// Installs the handler of this crate, for the whole life of the process.
    pub(crate) fn replace(&self, handler: Handler) {
        self.handler.store(handler as *const () as usize, Ordering::Release);
        self.take_over();
        // Another thread may be installing it.
        while self.is_changing.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    /// Installs the handler of this crate again if another one has replaced it, which it remembers.
    /// Async-signal-safe.
    ///
    /// Leaves the other handler where it is if the program has installed more different handlers
    /// than programs do.
    pub(crate) fn take_over(&self) {
        let handler = self.handler.load(Ordering::Acquire);
        if handler == 0 {
            return;
        }
        // Read first: the new handler may run as soon as it is installed.
        let before = self.installed();
        if before.sa_sigaction == handler
            // Another thread is about to do the same, or the one that this handler interrupted.
            || self.is_changing.swap(true, Ordering::Acquire)
        {
            return;
        }
        if let Some(number) = self.remember(&before) {
            self.current.store(number, Ordering::Release);
            self.is_spent.store(false, Ordering::Relaxed);
            self.install(handler);
        }
        self.is_changing.store(false, Ordering::Release);
    }

    fn installed(&self) -> sigaction {
        let mut action = MaybeUninit::uninit();
        // SAFETY: changes nothing; the structure is written in full.
        let known = unsafe { sigaction(self.signal, null(), action.as_mut_ptr()) };
        assert_eq!(known, 0, "the signal exists");
        // SAFETY: written by the call above.
        unsafe { action.assume_init() }
    }

    fn install(&self, handler: usize) {
        // SAFETY: zero is a valid action.
        let mut action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        // Restart: system calls of host functions continue after an interrupt signal where
        // possible.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handlers of this crate are async-signal-safe, and pass on what does not
        // concern them.
        let installed = unsafe { sigaction(self.signal, &raw const action, null_mut()) };
        assert_eq!(installed, 0, "the signal can be handled");
    }

    /// The number of this action, from 1 on. `None` if there are too many. Called by the thread
    /// that has set `is_changing`.
    fn remember(&self, action: &sigaction) -> Option<usize> {
        let n_known = self.n_actions.load(Ordering::Relaxed);
        let is_same = |number: &usize| {
            self.action(*number).is_some_and(|known| {
                (known.sa_sigaction, known.sa_flags) == (action.sa_sigaction, action.sa_flags)
            })
        };
        if let Some(known) = (1..=n_known).find(is_same) {
            return Some(known);
        }
        let free = self.actions.get(n_known)?;
        // SAFETY: no one else writes or reads it (promise 1).
        unsafe { (*free.get()).write(*action) };
        self.n_actions.store(n_known + 1, Ordering::Release);
        Some(n_known + 1)
    }

    /// The remembered action of this number.
    fn action(&self, number: usize) -> Option<&sigaction> {
        let action = self.actions.get(number.checked_sub(1)?)?;
        // SAFETY: no one writes an action that has a number (promise 1).
        let action = unsafe { &*action.get() };
        // SAFETY: a number is known only after the action was written (promises 1 and 2).
        Some(unsafe { action.assume_init_ref() })
    }

    /// Does what would have been done without this crate.
    pub(crate) fn call(&self, info: *mut siginfo_t, context: *mut c_void) {
        let before = self.action(self.current.load(Ordering::Acquire));
        let before = before.filter(|_| !self.is_spent.load(Ordering::Relaxed));
        let handler = before.map_or(SIG_DFL, |before| before.sa_sigaction);
        let (Some(before), false) = (before, matches!(handler, SIG_DFL | SIG_IGN)) else {
            self.default_action(handler, info);
            return;
        };
        if before.sa_flags & libc::SA_RESETHAND != 0 {
            self.is_spent.store(true, Ordering::Relaxed);
        }
        let mut mask = before.sa_mask;
        if before.sa_flags & libc::SA_NODEFER != 0 {
            let mut own = mask;
            // SAFETY: writes a set of signals of our own.
            unsafe { libc::sigemptyset(&raw mut own) };
            // SAFETY: as above.
            unsafe { libc::sigaddset(&raw mut own, self.signal) };
            // SAFETY: a set of our own; when this handler returns, the kernel restores the
            // thread's mask.
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const own, null_mut()) };
        }
        // SAFETY: as above.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, &raw mut mask) };
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            // SAFETY: an action with this flag has a handler of this type.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(self.signal, info, context);
        } else {
            // SAFETY: an action without the flag has a handler of this type.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(self.signal);
        }
        self.take_over();
    }

    fn default_action(&self, handler: usize, info: *const siginfo_t) {
        // SAFETY: the argument of a handler.
        let is_fault = unsafe { info.as_ref() }.is_none_or(|info| info.si_code > 0);
        let is_ignored = handler == SIG_IGN && !is_fault;
        if self.signal == SIGURG || is_ignored {
            return;
        }
        // The faulting instruction runs again when the handler returns; the kernel ignores no
        // fault. SAFETY: zero is the default action.
        let action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: no previous handler wants the signal, and the process is about to end.
        unsafe { sigaction(self.signal, &raw const action, null_mut()) };
        if !is_fault {
            // SAFETY: the signal stays pending until this handler has returned.
            unsafe { libc::raise(self.signal) };
        }
    }
}
