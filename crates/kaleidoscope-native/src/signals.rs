//! The handlers of signals: stack overflow, requests to stop, and whoever handled these signals before.
//!
//! Three signals are handled from the first guarded call of the process on, for good:
//! - SIGSEGV and SIGBUS: a fault in the guard of the guest stack that this thread is on ends the call.
//! - SIGURG tells a thread that it may have to stop. As Go found for its scheduler (runtime/signal_unix.go, `sigPreempt`):
//!   nobody relies on it, it is ignored by default, debuggers let it pass, and a needless one does no harm.
//!
//! A thread that makes guarded calls has them unblocked from its first one on.
//!
//! Everything else is handed on to the handler that was there before, or to the default action, as if this crate were
//! not there. A handler that is installed later and hands on what is not for it works as well.
//!
//! When may a thread be sent away from where it is? While `guest` is set and the stack pointer lies in the guest stack,
//! only frames that may be skipped can be above the landing (the promises of [`arch`](crate::arch)): generated code, stubs,
//! and this crate's assembly, which has neither on the guest stack anything to lose. One guest of another sort is
//! possible: a handler of somebody else that does not ask for the alternate stack runs on top of generated code, and must
//! not be skipped. It is part of a loaded object, as generated code is not; so a request does not land in loaded objects
//! but comes again a little later, by a timer of the thread. An overflow in such a handler ends the call all the same:
//! the alternative is the end of the process.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use libc::{SIG_DFL, SIG_IGN, SIGBUS, SIGSEGV, SIGURG, sigaction, siginfo_t};

use crate::arch::{Context, thread_block};
use crate::call::{Activation, Ending};
use crate::thread::Thread;

/// The signal by which a thread is told to look for requests.
const NOTICE: c_int = SIGURG;

/// What stands in the signals that this crate sends: the address of something that is only here.
static COOKIE: AtomicU8 = AtomicU8::new(0);

/// Who handles a signal when it is not for this crate.
struct Chained {
    signal: c_int,
    before: OnceLock<sigaction>,
    /// It was to be called once only, and has been.
    is_spent: AtomicBool,
}

static CHAINED: [Chained; 3] = [Chained::new(SIGSEGV), Chained::new(SIGBUS), Chained::new(NOTICE)];

/// Installs the handlers, once.
pub(crate) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        find_object_of();
        for chained in &CHAINED {
            chained.install(if chained.signal == NOTICE { on_notice } else { on_fault });
        }
    });
}

/// Lets the signals of this crate through to this thread: whoever made it may have blocked all that it did not know.
pub(crate) fn unblock() {
    let mut ours = MaybeUninit::uninit();
    // SAFETY: writes an empty set.
    unsafe { libc::sigemptyset(ours.as_mut_ptr()) };
    for chained in &CHAINED {
        // SAFETY: the set has been written.
        unsafe { libc::sigaddset(ours.as_mut_ptr(), chained.signal) };
    }
    // SAFETY: the set has been written.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, ours.as_ptr(), null_mut()) };
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the argument of a handler, used until it returns.
    let seen = unsafe { Context::new(context) };
    if let (Some(activation), Some(mut seen)) = (Activation::guest(), seen)
        && is_overflow(activation, info, &seen)
    {
        // SAFETY: generated code is running, on its stack; see the head of this file.
        unsafe { activation.leave(Ending::StackOverflow, &mut seen) };
        return;
    }
    chained(signal).call(info, context);
}

/// Whether a fault is the end of a guest stack.
fn is_overflow(activation: &Activation<'_>, info: *const siginfo_t, seen: &Context) -> bool {
    let stack = activation.stack();
    // SAFETY: the argument of a handler.
    let Some(info) = (unsafe { info.as_ref() }) else { return false };
    if !stack.holds(seen.sp()) {
        return false;
    }
    if info.si_code == libc::SI_KERNEL {
        // No address: the kernel itself may have run out of room, for the frame of a handler without a stack of its own.
        return seen.sp() < stack.low() + 2 * crate::signal_stack::least();
    }
    // SAFETY: a fault that comes from the processor has an address; other senders have `si_code` below 1.
    info.si_code > 0 && stack.guards(unsafe { info.si_addr() }.addr())
}

extern "C" fn on_notice(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let errno = errno();
    let errno_before = errno.get();
    // SAFETY: the argument of a handler, used until it returns.
    if let Some(mut seen) = unsafe { Context::new(context) } {
        look_for_requests(&mut seen);
    }
    // SAFETY: the argument of a handler.
    let is_ours = unsafe { info.as_ref() }.is_some_and(|info| {
        // SAFETY: a signal with this code has a value, and any other has these bytes too.
        matches!(info.si_code, libc::SI_QUEUE | libc::SI_TIMER)
            && unsafe { info.si_value() }.sival_ptr == cookie()
    });
    if !is_ours {
        chained(signal).call(info, context);
    }
    errno.set(errno_before);
}

/// The error number of this thread, which system calls write.
fn errno<'thread>() -> &'thread Cell<c_int> {
    // SAFETY: asks for an address.
    let address = unsafe { libc::__errno_location() };
    // SAFETY: the address of a variable of this thread, which nobody has a reference to.
    unsafe { &*address.cast::<Cell<c_int>>() }
}

fn look_for_requests(seen: &mut Context) {
    let Some(thread) = Thread::known() else { return };
    let Some(cause) = thread.seat.stopped() else { return };
    thread_block().attention.store(1, Ordering::Relaxed);
    let Some(activation) = Activation::guest() else { return };
    if activation.stack().holds(seen.sp()) && !is_in_loaded_object(seen.pc()) {
        // SAFETY: generated code is running, on its stack; see the head of this file.
        unsafe { activation.leave(Ending::Stopped(cause), seen) };
    } else {
        thread.notify_again();
    }
}

/// Tells a thread of this process to look for requests. One that has ended is not told.
pub(crate) fn notify(thread_id: c_int) {
    /// As the kernel reads it: the head, then what goes with `SI_QUEUE`.
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
        return;
    }
    // SAFETY: asks for a number.
    let process = unsafe { libc::getpid() };
    let info = Queued {
        signal: NOTICE,
        errno: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        process,
        user: 0,
        value: cookie(),
        rest: [0; 12],
    };
    // SAFETY: a thread of this process is signalled, and the kernel reads as much as the structure has.
    unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread_id, NOTICE, &raw const info) };
}

/// The number of this thread in the kernel.
pub(crate) fn thread_id() -> c_int {
    // SAFETY: asks for a number.
    unsafe { libc::gettid() }
}

fn cookie() -> *mut c_void {
    (&raw const COOKIE).cast_mut().cast()
}

/// A timer that notifies one thread. Made by system calls alone, as a handler may.
#[derive(Debug)]
pub(crate) struct NoticeTimer(c_int);

impl NoticeTimer {
    /// For this thread; none if the system has no more.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: zero is a valid event.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = NOTICE;
        event.sigev_notify_thread_id = thread_id();
        event.sigev_value = libc::sigval { sival_ptr: cookie() };
        let mut timer: c_int = 0;
        let clock = libc::CLOCK_MONOTONIC;
        // SAFETY: both structures are as the kernel has them, and it writes one number.
        let made = unsafe { libc::syscall(libc::SYS_timer_create, clock, &raw const event, &raw mut timer) };
        (made == 0).then_some(Self(timer))
    }

    /// Notifies once, after so many nanoseconds; never, if 0.
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

impl Drop for NoticeTimer {
    fn drop(&mut self) {
        // SAFETY: the timer is ours.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}

fn chained(signal: c_int) -> &'static Chained {
    CHAINED.iter().find(|chained| chained.signal == signal).unwrap_or(&CHAINED[0])
}

impl Chained {
    const fn new(signal: c_int) -> Self {
        Self { signal, before: OnceLock::new(), is_spent: AtomicBool::new(false) }
    }

    fn install(&self, handler: Handler) {
        let mut before = MaybeUninit::uninit();
        // Known before the handler can run.
        // SAFETY: asks only; the structure is written in full.
        let known = unsafe { sigaction(self.signal, null(), before.as_mut_ptr()) };
        assert_eq!(known, 0, "the signal exists");
        // SAFETY: written by the call above.
        let _ = self.before.set(unsafe { before.assume_init() });

        // SAFETY: zero is a valid action.
        let mut action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as *const () as usize;
        // The system calls of host functions go on after a notice, where the system can do that.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handlers here are async-signal-safe, and keep or hand on what they do not handle.
        let installed = unsafe { sigaction(self.signal, &raw const action, null_mut()) };
        assert_eq!(installed, 0, "the signal can be handled");
    }

    /// Does what would have been done without this crate.
    fn call(&self, info: *mut siginfo_t, context: *mut c_void) {
        let before = self.before.get().filter(|_| !self.is_spent.load(Ordering::Relaxed));
        let handler = before.map_or(SIG_DFL, |before| before.sa_sigaction);
        let (Some(before), false) = (before, matches!(handler, SIG_DFL | SIG_IGN)) else {
            self.act_by_default(handler, info);
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
            // SAFETY: a set of our own; when this handler returns, the kernel puts the thread's mask back.
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

    fn act_by_default(&self, handler: usize, info: *const siginfo_t) {
        // SAFETY: the argument of a handler.
        let is_fault = unsafe { info.as_ref() }.is_none_or(|info| info.si_code > 0);
        let is_ignored = handler == SIG_IGN && !is_fault;
        if self.signal == NOTICE || is_ignored {
            return;
        }
        // A fault happens again when the handler returns; the kernel ignores no fault.
        // SAFETY: zero is the default action.
        let action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: whoever handled the signal before does not handle it, and the process is about to end.
        unsafe { sigaction(self.signal, &raw const action, null_mut()) };
        if !is_fault {
            // SAFETY: it waits until this handler has returned.
            unsafe { libc::raise(self.signal) };
        }
    }
}

/// `_dl_find_object` of glibc, since 2.35: which loaded object an address belongs to; 0 if there is one.
type FindObject = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

/// Its address, 1 if the C library lacks it, 0 if nobody has asked yet.
static FIND_OBJECT: AtomicUsize = AtomicUsize::new(0);

/// Looks up `_dl_find_object`: not in a handler.
fn find_object_of() {
    // SAFETY: the name ends with a zero.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) }.addr();
    FIND_OBJECT.store(address.max(1), Ordering::Relaxed);
}

/// Whether an address lies in the executable or in a shared library. Says no if the C library is too old to know.
fn is_in_loaded_object(address: usize) -> bool {
    let find = FIND_OBJECT.load(Ordering::Relaxed);
    if find <= 1 {
        return false;
    }
    // SAFETY: the function of this name has this type.
    let find = unsafe { std::mem::transmute::<usize, FindObject>(find) };
    // More than `struct dl_find_object` has.
    let mut found = [0_u64; 32];
    // SAFETY: async-signal-safe (glibc's manual, "Dynamic Linker Introspection"); writes less than there is.
    unsafe { find(address as *mut c_void, found.as_mut_ptr().cast()) == 0 }
}
