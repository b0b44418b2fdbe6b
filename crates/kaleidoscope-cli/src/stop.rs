//! Ctrl-C: stops the item that runs. While no item runs, it stops the command.
//!
//! The signal arrives on a thread of its own (crate `ctrlc`), so the handler may do what any
//! thread may do. The interactive session reads its lines with the terminal's own handling of
//! Ctrl-C off, so no signal arrives while it reads.

use crate::Exit;
use crate::console::Console;
use kaleidoscope::Interrupter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Time between two interrupts of one Ctrl-C: short for a person, and long enough to cost nothing.
const AGAIN: Duration = Duration::from_millis(5);

/// What the handler and the run share.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    console: Console,
    interrupter: Interrupter,
    /// Ctrl-C was pressed, and the run has not noticed yet.
    is_requested: Mutex<bool>,
    noticed: Condvar,
    /// The run waits for input, and notices nothing before input comes.
    is_waiting: AtomicBool,
}

impl Stop {
    /// Takes Ctrl-C over. Without a handler Ctrl-C ends the process as usual, so a failure is no
    /// error.
    pub(crate) fn install(console: Console, interrupter: Interrupter) -> Self {
        let stop = Self::new(console, interrupter);
        let of_handler = stop.clone();
        drop(ctrlc::set_handler(move || {
            // A second Ctrl-C does not wait until the run has noticed the first.
            if *of_handler.lock() {
                of_handler.state.exit();
            }
            of_handler.request();
        }));
        stop
    }

    fn new(console: Console, interrupter: Interrupter) -> Self {
        let state = State {
            console,
            interrupter,
            is_requested: Mutex::new(false),
            noticed: Condvar::new(),
            is_waiting: AtomicBool::new(false),
        };
        Self { state: Arc::new(state) }
    }

    /// Stops the item that runs or the next one, or the command while it waits.
    ///
    /// An interrupt does not affect an item that begins after it, and the run may be about to
    /// begin one or to wait: it has looked for a request and found none. So a thread stops what it
    /// finds until the run has noticed.
    fn request(&self) {
        self.set_requested(true);
        let stop = self.clone();
        thread::spawn(move || {
            let mut is_requested = stop.lock();
            while *is_requested {
                if stop.state.is_waiting.load(Ordering::SeqCst) {
                    stop.state.exit();
                }
                // The lock is held: an item after the one that was stopped is not interrupted.
                stop.state.interrupter.interrupt();
                let result = stop.state.noticed.wait_timeout(is_requested, AGAIN);
                is_requested = result.unwrap_or_else(PoisonError::into_inner).0;
            }
        });
    }

    /// Whether Ctrl-C was pressed since the last call.
    pub(crate) fn take(&self) -> bool {
        let was_requested = self.set_requested(false);
        self.state.noticed.notify_all();
        was_requested
    }

    /// Runs an action that waits for input. Ctrl-C ends the command at once meanwhile.
    pub(crate) fn while_waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.state.is_waiting.store(true, Ordering::SeqCst);
        let result = wait();
        self.state.is_waiting.store(false, Ordering::SeqCst);
        result
    }

    /// Sets whether a request is pending. Returns whether one was.
    fn set_requested(&self, is_pending: bool) -> bool {
        let mut is_requested = self.lock();
        self.state.console.set_to_stop(is_pending);
        std::mem::replace(&mut *is_requested, is_pending)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.state.is_requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the process.
    fn exit(&self) -> ! {
        self.console.flush_if_idle();
        Exit::Interrupted.now()
    }
}

#[cfg(test)]
mod tests;
