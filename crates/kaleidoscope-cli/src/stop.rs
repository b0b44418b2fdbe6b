//! Ctrl-C and SIGTERM. Ctrl-C stops the item that runs; while no item runs, it stops the command.
//! SIGTERM stops the command in the same way: its output is whole, and the exit code says why.
//!
//! The signals arrive on a thread of their own (crate `signal-hook`), so that anything may be done
//! about them that a thread may do. A signal that the process ignores from its start stays ignored:
//! a shell starts background jobs so. The interactive session reads its lines with the terminal's
//! own handling of Ctrl-C off, so no signal arrives while it reads.

use crate::Exit;
use crate::console::Console;
use kaleidoscope::{Interrupter, is_signal_ignored};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// Time between two interrupts of one Ctrl-C: short for a person, and long enough to cost nothing.
const AGAIN: Duration = Duration::from_millis(5);

/// What the thread of the signals and the run share.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    console: Console,
    interrupter: Interrupter,
    /// A signal has arrived, and the run has not noticed yet. How the command ends if it does.
    requested: Mutex<Option<Exit>>,
    noticed: Condvar,
    /// The run waits for input, and notices nothing before input comes.
    is_waiting: AtomicBool,
    /// How the terminal was before the interactive session, which changes it while it reads.
    terminal: Option<Termios>,
}

impl Stop {
    /// Takes the signals over. Without that they end the process as usual, so a failure is no
    /// error.
    pub(crate) fn install(console: Console, interrupter: Interrupter, is_interactive: bool) -> Self {
        let terminal = is_interactive.then(|| tcgetattr(io::stdin()).ok()).flatten();
        let stop = Self::new(console, interrupter, terminal);
        let of_thread = stop.clone();
        let (installed, is_installed) = mpsc::channel::<()>();
        let spawned = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let wanted = [SIGINT, SIGTERM].into_iter().filter(|&signal| !is_signal_ignored(signal));
            let Ok(mut signals) = Signals::new(wanted) else { return };
            drop(installed);
            for signal in signals.forever() {
                of_thread.note(if signal == SIGTERM { Exit::Terminated } else { Exit::Interrupted });
            }
        });
        // Ends when the thread has installed the handlers, or will not.
        drop(spawned.map(|_| is_installed.recv()));
        stop
    }

    fn new(console: Console, interrupter: Interrupter, terminal: Option<Termios>) -> Self {
        let state = State {
            console,
            interrupter,
            requested: Mutex::new(None),
            noticed: Condvar::new(),
            is_waiting: AtomicBool::new(false),
            terminal,
        };
        Self { state: Arc::new(state) }
    }

    /// A signal has arrived.
    fn note(&self, exit: Exit) {
        // The interactive session would only drop the item.
        let is_end = exit == Exit::Terminated && self.state.terminal.is_some();
        // A second signal does not wait until the run has noticed the first.
        if is_end || self.lock().is_some() {
            self.state.exit(exit);
        }
        self.request(exit);
    }

    /// Stops the item that runs or the next one, or the command while it waits.
    ///
    /// An interrupt does not affect an item that begins after it, and the run may be about to
    /// begin one or to wait: it has looked for a request and found none. So a thread stops what it
    /// finds until the run has noticed. Where no thread can be started, the command ends at once.
    fn request(&self, exit: Exit) {
        self.set_requested(Some(exit));
        let stop = self.clone();
        let started = thread::Builder::new().name("stop".to_owned()).spawn(move || {
            let mut requested = stop.lock();
            while let Some(exit) = *requested {
                if stop.state.is_waiting.load(Ordering::SeqCst) {
                    stop.state.exit(exit);
                }
                // The lock is held: an item after the one that was stopped is not interrupted.
                stop.state.interrupter.interrupt();
                let result = stop.state.noticed.wait_timeout(requested, AGAIN);
                requested = result.unwrap_or_else(PoisonError::into_inner).0;
            }
        });
        if started.is_err() {
            self.state.exit(exit);
        }
    }

    /// Ends the command with the output so far, as far as it finds room. Does not allocate.
    pub(crate) fn end(&self, exit: Exit) -> ! {
        self.state.console.set_to_stop(true);
        self.state.exit(exit)
    }

    /// How the command ends, if a signal has arrived since the last call.
    pub(crate) fn take(&self) -> Option<Exit> {
        let requested = self.set_requested(None);
        self.state.noticed.notify_all();
        requested
    }

    /// Runs an action that waits for input. Signals end the command at once meanwhile.
    pub(crate) fn while_waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.state.is_waiting.store(true, Ordering::SeqCst);
        let result = wait();
        self.state.is_waiting.store(false, Ordering::SeqCst);
        result
    }

    /// Sets the request that is pending. Returns the one before.
    fn set_requested(&self, request: Option<Exit>) -> Option<Exit> {
        let mut requested = self.lock();
        self.state.console.set_to_stop(request.is_some());
        std::mem::replace(&mut *requested, request)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Exit>> {
        self.state.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the process.
    fn exit(&self, exit: Exit) -> ! {
        self.console.flush_if_idle();
        if let Some(terminal) = &self.terminal {
            // There is nothing else to do about the terminal.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
        }
        kaleidoscope::exit_at_once(exit as u8)
    }
}

#[cfg(test)]
mod tests;
