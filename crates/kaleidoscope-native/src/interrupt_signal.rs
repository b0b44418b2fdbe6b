//! The interrupt signal: how one thread makes another check for interrupts, now or a little later.
//!
//! `signals.rs` handles the signal.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::AtomicU8;

use libc::siginfo_t;

use crate::previous_handler;

/// The signal that makes a thread check for interrupts.
pub(crate) const INTERRUPT_SIGNAL: c_int = libc::SIGURG;

static COOKIE: AtomicU8 = AtomicU8::new(0);

/// Sends [`INTERRUPT_SIGNAL`] to a thread of this process. Does nothing if the thread has ended.
/// Returns whether the system has accepted the signal. Installs this crate's handler again, if the
/// program has installed another one.
pub(crate) fn send(thread_id: c_int) -> bool {
    /// `siginfo_t` as the kernel reads it: the head, then the fields of `SI_QUEUE`.
    #[repr(C)]
    struct Queued {
        signal: c_int,
        errno: c_int,
        code: c_int,
        padding: c_int,
        process: libc::pid_t,
        user: libc::uid_t,
        value: *mut c_void,
        rest: [u64; 12],
    }
    const { assert!(size_of::<Queued>() == size_of::<siginfo_t>()) };

    if thread_id == 0 {
        return false;
    }
    previous_handler::INTERRUPT.take_over();
    // SAFETY: returns a number.
    let process = unsafe { libc::getpid() };
    let info = Queued {
        signal: INTERRUPT_SIGNAL,
        errno: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        process,
        user: 0,
        value: cookie(),
        rest: [0; 12],
    };
    let (call, signal) = (libc::SYS_rt_tgsigqueueinfo, INTERRUPT_SIGNAL);
    // SAFETY: signals a thread of this process; the kernel reads as much as the structure has.
    unsafe { libc::syscall(call, process, thread_id, signal, &raw const info) == 0 }
}

/// The kernel's id of this thread.
pub(crate) fn thread_id() -> c_int {
    // SAFETY: returns a number.
    unsafe { libc::gettid() }
}

/// The value of the signals that this crate sends: an address that no other sender uses.
pub(crate) fn cookie() -> *mut c_void {
    (&raw const COOKIE).cast_mut().cast()
}

/// A timer that sends [`INTERRUPT_SIGNAL`] to one thread. Uses system calls only, so that a signal
/// handler may use it.
#[derive(Debug)]
pub(crate) struct RetryTimer(c_int);

impl RetryTimer {
    /// A timer for this thread. Returns `None` if the system has no more timers.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: zero is a valid event.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = INTERRUPT_SIGNAL;
        event.sigev_notify_thread_id = thread_id();
        event.sigev_value = libc::sigval { sival_ptr: cookie() };
        let mut timer: c_int = 0;
        let clock = libc::CLOCK_MONOTONIC;
        // SAFETY: both structures are as the kernel has them, and it writes one number.
        let made = unsafe { libc::syscall(libc::SYS_timer_create, clock, &raw const event, &raw mut timer) };
        (made == 0).then_some(Self(timer))
    }

    /// Sends the signal once, after this time. 0 cancels it.
    pub(crate) fn set(&self, nanoseconds: i64) {
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::itimerspec {
            it_interval: zero,
            it_value: libc::timespec { tv_sec: 0, tv_nsec: nanoseconds },
        };
        let before = null_mut::<libc::itimerspec>();
        // SAFETY: the structure is as the kernel has it, and nothing is written.
        unsafe { libc::syscall(libc::SYS_timer_settime, self.0, 0, &raw const value, before) };
    }
}

impl Drop for RetryTimer {
    fn drop(&mut self) {
        // SAFETY: the timer is ours.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}
