//! Ctrl-C: stops the item that runs; where none runs, the command.
//!
//! The signal arrives on a thread of its own (crate `ctrlc`), so everything may be done there that a thread may do. The
//! interactive session reads its lines with the terminal's own handling of Ctrl-C off, so while it reads nothing comes here.

use crate::Exit;
use crate::console::Console;
use kaleidoscope::Interrupter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the handler and the run tell each other. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    console: Console,
    /// Somebody has pressed Ctrl-C since this was last looked at.
    is_requested: AtomicBool,
    /// The run waits for input, and will not look at anything before it comes.
    is_waiting: AtomicBool,
}

impl Stop {
    /// Takes Ctrl-C over. Without a handler Ctrl-C ends the process as it always does, so a failure is no error.
    pub(crate) fn install(console: Console, interrupter: Interrupter) -> Self {
        let state =
            State { console, is_requested: AtomicBool::new(false), is_waiting: AtomicBool::new(false) };
        let stop = Self { state: Arc::new(state) };
        let state = Arc::clone(&stop.state);
        drop(ctrlc::set_handler(move || {
            // Who presses twice does not want to wait for the first to be heard.
            let again = state.is_requested.swap(true, Ordering::SeqCst);
            if again || state.is_waiting.load(Ordering::SeqCst) {
                drop(state.console.flush());
                Exit::Interrupted.now();
            }
            interrupter.interrupt();
        }));
        stop
    }

    /// Whether Ctrl-C was pressed since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.state.is_requested.swap(false, Ordering::SeqCst)
    }

    /// Does something that waits for input: meanwhile Ctrl-C ends the command at once.
    pub(crate) fn while_waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.state.is_waiting.store(true, Ordering::SeqCst);
        let result = wait();
        self.state.is_waiting.store(false, Ordering::SeqCst);
        result
    }
}
