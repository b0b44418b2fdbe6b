//! Time limit for tests that wait for other threads.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use test_process::LIMIT;

/// Runs `test` on a new thread and waits for at most [`LIMIT`].
///
/// A test that waits for other threads runs in this function. If the event that it waits for never
/// happens, the test fails instead of blocking the test binary.
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel::<()>();
    let thread = thread::spawn(move || {
        let _disconnects_at_the_end = sender;
        test();
    });
    match receiver.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("the test did not end within {LIMIT:?}"),
        _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}
