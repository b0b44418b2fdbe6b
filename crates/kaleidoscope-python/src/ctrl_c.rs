//! Ctrl-C: interrupts an evaluation of the main thread, so that Python can raise
//! `KeyboardInterrupt`.
//!
//! Python notes a signal and runs its handler when the main thread next executes Python, which may
//! be never while generated code runs. So while the main thread evaluates, SIGINT has a handler of
//! this module. It calls the handler that was there and wakes a thread, the watcher, which
//! interrupts the evaluation. Afterwards the handler that was there is restored, and Python runs
//! the program's own one. Where SIGINT is ignored, or ends the process, nothing is changed.
//!
//! Only the main thread sets `ACTIVE` and `BEFORE`. The handler reads them on any thread, does
//! nothing else but atomic operations and a write to a descriptor, and keeps `errno`.

use kaleidoscope::Interrupter;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Time between two interrupts of one Ctrl-C: an evaluation that begins after an interrupt is not
/// affected by it, so one is not enough.
const AGAIN: Duration = Duration::from_millis(5);

/// The main thread of Python, as `pthread_self` names it.
static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);

/// SIGINT arrived, and the evaluation has not ended yet.
static PENDING: AtomicBool = AtomicBool::new(false);

/// The handler that was there, and whether it takes three arguments.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
static BEFORE_TAKES_INFO: AtomicBool = AtomicBool::new(false);

/// The descriptor by which the handler wakes the watcher; -1 if there is none.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// The interrupters of the evaluations of the main thread, outermost first. A new list in a forked
/// child, where the old one may be locked by a thread that does not exist there.
static RUNNING: AtomicPtr<Mutex<Vec<Interrupter>>> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// The action of SIGINT before the outermost evaluation of this thread.
    static ACTION: RefCell<Option<libc::sigaction>> = const { RefCell::new(None) };
}

/// Says that this thread is Python's main thread.
#[pyfunction]
pub(crate) fn use_main_thread(ident: usize) {
    MAIN_THREAD.store(ident, Ordering::Relaxed);
}

/// Prepares a forked child, in which the watcher does not exist.
#[pyfunction]
pub(crate) fn after_fork() {
    MAIN_THREAD.store(this_thread(), Ordering::Relaxed);
    RUNNING.store(ptr::null_mut(), Ordering::Release);
    PENDING.store(false, Ordering::Relaxed);
    let descriptor = WAKE.swap(-1, Ordering::Relaxed);
    if descriptor >= 0 {
        // SAFETY: the descriptor is this module's own, and no other thread exists in the child.
        unsafe { libc::close(descriptor) };
    }
}

/// Evaluates without Python's lock. On the main thread, Ctrl-C interrupts the evaluation, and the
/// result is then the exception that the program's handler of SIGINT raised, if it raised one.
pub(crate) fn evaluate<T: Send>(
    py: Python<'_>,
    interrupter: &Interrupter,
    body: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    if this_thread() != MAIN_THREAD.load(Ordering::Relaxed) || !begin(interrupter) {
        return Ok(py.detach(body));
    }
    let ended = End;
    // For a signal that came before the handler of this module was there.
    let early = py.check_signals();
    let result = early.map(|()| py.detach(body));
    drop(ended);
    if PENDING.swap(false, Ordering::Relaxed) && result.is_ok() {
        // A handler that runs in a host function has run already; then nothing is raised here.
        py.check_signals()?;
    }
    result
}

/// Ends the evaluation of the main thread, also after a panic.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        let mut running = running();
        running.pop();
        if running.is_empty() {
            restore();
        }
    }
}

/// Registers an evaluation of the main thread. False if SIGINT is not to be handled here.
fn begin(interrupter: &Interrupter) -> bool {
    let mut running = running();
    if running.is_empty() && !take_over() {
        return false;
    }
    running.push(interrupter.clone());
    true
}

fn running() -> MutexGuard<'static, Vec<Interrupter>> {
    let mut list = RUNNING.load(Ordering::Acquire);
    if list.is_null() {
        list = Box::into_raw(Box::default());
        RUNNING.store(list, Ordering::Release);
    }
    // SAFETY: the list was made here by the main thread, the only one to make one, and is never
    // freed.
    let list = unsafe { &*list };
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the handler of this module, if there is one to call.
fn take_over() -> bool {
    let mut before = MaybeUninit::uninit();
    // SAFETY: without a new action, the call only writes the present one.
    if unsafe { libc::sigaction(libc::SIGINT, ptr::null(), before.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call has succeeded, so the action is written.
    let before: libc::sigaction = unsafe { before.assume_init() };
    if [libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction) || !start_watcher() {
        return false;
    }
    BEFORE.store(before.sa_sigaction, Ordering::Relaxed);
    BEFORE_TAKES_INFO.store(before.sa_flags & libc::SA_SIGINFO != 0, Ordering::Relaxed);
    let mut own = before;
    own.sa_sigaction = on_sigint as *const () as usize;
    own.sa_flags = (before.sa_flags & !libc::SA_RESETHAND) | libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler has the type that `SA_SIGINFO` asks for, and does only what a signal
    // handler may do.
    if unsafe { libc::sigaction(libc::SIGINT, &raw const own, ptr::null_mut()) } != 0 {
        return false;
    }
    ACTION.replace(Some(before));
    true
}

/// Restores the action that was there, unless a host function has set another one.
fn restore() {
    let Some(before) = ACTION.take() else { return };
    let mut present = MaybeUninit::uninit();
    // SAFETY: the action is one that the system gave.
    if unsafe { libc::sigaction(libc::SIGINT, &raw const before, present.as_mut_ptr()) } != 0 {
        return;
    }
    // SAFETY: the call has succeeded, so the action is written.
    let present: libc::sigaction = unsafe { present.assume_init() };
    if present.sa_sigaction != on_sigint as *const () as usize {
        // SAFETY: the action is one that the system gave.
        unsafe { libc::sigaction(libc::SIGINT, &raw const present, ptr::null_mut()) };
    }
}

extern "C" fn on_sigint(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the call has no conditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the address of this thread's `errno` is valid while the thread runs.
    let errno_before = unsafe { *errno };
    let before = BEFORE.load(Ordering::Relaxed);
    if BEFORE_TAKES_INFO.load(Ordering::Relaxed) {
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: `take_over` found this handler with `SA_SIGINFO`, so it has this type.
        let handler = unsafe { std::mem::transmute::<usize, Handler>(before) };
        handler(signal, info, context);
    } else {
        // SAFETY: `take_over` found this handler without `SA_SIGINFO`, so it has this type.
        let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(before) };
        handler(signal);
    }
    PENDING.store(true, Ordering::Relaxed);
    let one = 1_u64;
    // SAFETY: the source is 8 bytes; a descriptor of -1 is an error, which changes nothing.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), (&raw const one).cast(), size_of::<u64>()) };
    // SAFETY: as above.
    unsafe { *errno = errno_before };
}

/// Starts the watcher, if there is none. False if the system refuses.
fn start_watcher() -> bool {
    if WAKE.load(Ordering::Relaxed) >= 0 {
        return true;
    }
    // SAFETY: the call takes numbers only.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        return false;
    }
    let watch = move || watch(descriptor);
    match thread::Builder::new().name("kaleidoscope-ctrl-c".to_owned()).spawn(watch) {
        Ok(_) => WAKE.store(descriptor, Ordering::Relaxed),
        Err(_) => {
            // SAFETY: the descriptor was made above, and no thread has it.
            unsafe { libc::close(descriptor) };
        }
    }
    WAKE.load(Ordering::Relaxed) >= 0
}

/// Interrupts the evaluations of the main thread while a signal is pending.
fn watch(descriptor: c_int) {
    let mut count = 0_u64;
    loop {
        // SAFETY: the target is 8 bytes.
        let n_read = unsafe { libc::read(descriptor, (&raw mut count).cast(), size_of::<u64>()) };
        if n_read < 0 && std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return;
        }
        loop {
            let running = running();
            // The signal is taken under the lock when an evaluation ends, so the evaluations of the
            // list are those that were running when it came, or that a host function began since.
            if running.is_empty() || !PENDING.load(Ordering::Relaxed) {
                break;
            }
            running.iter().for_each(Interrupter::interrupt);
            drop(running);
            thread::park_timeout(AGAIN);
        }
    }
}

fn this_thread() -> usize {
    // SAFETY: the call has no conditions.
    unsafe { libc::pthread_self() as usize }
}
