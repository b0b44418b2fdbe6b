//! Progress: an evaluation that takes longer than a second at a terminal shows its time, and that
//! Ctrl-C stops it.
//!
//! The line is on standard error, and only while the program is silent: it disappears before any
//! output. Where standard error is no terminal, nothing is shown and nothing is measured. The line
//! is short, so that the terminal can show `^C` behind it, and it never waits for the terminal.

use crate::ready;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long an evaluation is silent before its time is shown.
const SILENCE: Duration = Duration::from_secs(1);

/// Time between two looks at what runs.
const TICK: Duration = Duration::from_millis(100);

/// Moves to the start of the line, and clears it.
const CLEAR: &str = "\r\x1b[2K";

/// What turns in front of the time.
const FRAMES: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];

/// Shows how long an evaluation takes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    begun: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When what runs began, and when the program wrote last.
    running: Option<Running>,
    /// How often the line was drawn since it appeared; 0 if there is none.
    n_drawn: usize,
    /// Whether the thread that looks has been started.
    has_thread: bool,
    /// Whether that thread waits for something to begin.
    is_resting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    began: Instant,
    wrote: Instant,
}

impl Progress {
    /// Progress at a terminal; none elsewhere.
    pub(crate) fn new() -> Self {
        Self(io::stderr().is_terminal().then(Arc::default))
    }

    /// Something begins to run.
    pub(crate) fn begin(&self) {
        let Some(shared) = &self.0 else { return };
        let now = Instant::now();
        let mut state = shared.lock();
        state.running = Some(Running { began: now, wrote: now });
        if !state.has_thread {
            let of_thread = Arc::clone(shared);
            // Without a thread, nothing is shown.
            drop(thread::Builder::new().name("progress".to_owned()).spawn(move || of_thread.watch()));
            state.has_thread = true;
        }
        if state.is_resting {
            shared.begun.notify_one();
        }
    }

    /// What ran has ended.
    pub(crate) fn end(&self) {
        let Some(shared) = &self.0 else { return };
        let mut state = shared.lock();
        state.running = None;
        state.hide();
    }

    /// Makes room for output, which comes next.
    pub(crate) fn hide(&self) {
        let Some(shared) = &self.0 else { return };
        let mut state = shared.lock();
        if let Some(running) = &mut state.running {
            running.wrote = Instant::now();
        }
        state.hide();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what runs, for the life of the process.
    fn watch(&self) {
        let mut state = self.lock();
        loop {
            match state.running {
                Some(running) => {
                    if running.wrote.elapsed() >= SILENCE {
                        state.show(running.began.elapsed());
                    }
                    let waited = self.begun.wait_timeout(state, TICK);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    state.is_resting = true;
                    state = self.begun.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.is_resting = false;
                }
            }
        }
    }
}

impl State {
    fn show(&mut self, elapsed: Duration) {
        let frame = FRAMES[self.n_drawn % FRAMES.len()];
        write(&format!("{CLEAR}{frame} {} s; Ctrl-C stops it", elapsed.as_secs()));
        self.n_drawn += 1;
    }

    fn hide(&mut self) {
        if self.n_drawn > 0 {
            write(CLEAR);
            self.n_drawn = 0;
        }
    }
}

/// Writes to the terminal, unless that would wait for it.
fn write(text: &str) {
    drop(ready::write_all(io::stderr().lock(), text.as_bytes(), || true));
}
