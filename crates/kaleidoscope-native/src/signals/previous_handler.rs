//! Previous handlers: what would handle a signal if this crate were not there.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{SIG_DFL, SIG_IGN, sigaction, siginfo_t};

use crate::interrupt_signal::INTERRUPT_SIGNAL;

/// A signal handler that takes information about the signal.
pub(super) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// The handler that a signal had before this crate installed its own.
pub(super) struct PreviousHandler {
    signal: c_int,
    action: OnceLock<sigaction>,
    /// Whether the handler was for one signal only, and has run.
    is_spent: AtomicBool,
}

impl PreviousHandler {
    pub(super) const fn new(signal: c_int) -> Self {
        Self { signal, action: OnceLock::new(), is_spent: AtomicBool::new(false) }
    }

    pub(super) fn signal(&self) -> c_int {
        self.signal
    }

    /// Installs `handler`, and remembers the handler that it replaces.
    pub(super) fn replace(&self, handler: Handler) {
        let mut before = MaybeUninit::uninit();
        // Read first: the new handler may run as soon as it is installed.
        // SAFETY: changes nothing; the structure is written in full.
        let known = unsafe { sigaction(self.signal, null(), before.as_mut_ptr()) };
        assert_eq!(known, 0, "the signal exists");
        // SAFETY: written by the call above.
        let _ = self.action.set(unsafe { before.assume_init() });

        // SAFETY: zero is a valid action.
        let mut action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as *const () as usize;
        // Restart: system calls of host functions continue after an interrupt signal where
        // possible.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handlers of this crate are async-signal-safe, and pass on what does not
        // concern them.
        let installed = unsafe { sigaction(self.signal, &raw const action, null_mut()) };
        assert_eq!(installed, 0, "the signal can be handled");
    }

    /// Does what would have been done without this crate.
    pub(super) fn call(&self, info: *mut siginfo_t, context: *mut c_void) {
        let before = self.action.get().filter(|_| !self.is_spent.load(Ordering::Relaxed));
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
    }

    fn default_action(&self, handler: usize, info: *const siginfo_t) {
        // SAFETY: the argument of a handler.
        let is_fault = unsafe { info.as_ref() }.is_none_or(|info| info.si_code > 0);
        let is_ignored = handler == SIG_IGN && !is_fault;
        if self.signal == INTERRUPT_SIGNAL || is_ignored {
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
