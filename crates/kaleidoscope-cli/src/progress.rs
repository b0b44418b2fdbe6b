//! Progress: an evaluation that takes longer than a second at a terminal shows its time, and that
//! Ctrl-C stops it.
//!
//! The line is on standard error, and only while the program is silent: it disappears before any
//! output. It has a line of the terminal for itself: behind output that did not end its line, and
//! while a program waits for what is typed, there is none. Where standard error is no terminal, or
//! one that cannot clear a line, nothing is shown and nothing is measured. The line is short, so
//! that the terminal can show `^C` behind it, and it never waits for the terminal.

use crate::ready;
use rustix::termios::tcgetwinsize;
use std::ffi::OsStr;
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

/// The columns behind the line: for `^C`, and for the cursor, so that the terminal does not wrap.
const ROOM: usize = 3;

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
    /// What was written last did not end its line.
    is_line_open: bool,
    /// The program waits for what is typed at the terminal.
    is_waiting: bool,
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
        let is_possible = io::stderr().is_terminal() && can_clear(std::env::var_os("TERM").as_deref());
        Self(is_possible.then(Arc::default))
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

    /// Makes room for output at the terminal: these bytes come next.
    pub(crate) fn make_room(&self, next: &[u8]) {
        let (Some(shared), Some(&last)) = (&self.0, next.last()) else { return };
        let mut state = shared.lock();
        state.be_silent();
        state.is_line_open = last != b'\n';
    }

    /// Runs an action that waits for what is typed at the terminal.
    pub(crate) fn while_typing<T>(&self, wait: impl FnOnce() -> T) -> T {
        let Some(shared) = &self.0 else { return wait() };
        let set_waiting = |is_waiting| {
            let mut state = shared.lock();
            state.be_silent();
            state.is_waiting = is_waiting;
        };
        set_waiting(true);
        let result = wait();
        set_waiting(false);
        result
    }

    /// Text was typed, and the terminal shows it.
    pub(crate) fn note_typed(&self, text: &[u8]) {
        let (Some(shared), Some(&last)) = (&self.0, text.last()) else { return };
        // Ctrl-D hands over a line that has not ended.
        shared.lock().is_line_open = last != b'\n';
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
        if self.is_line_open || self.is_waiting {
            return;
        }
        let frame = FRAMES[self.n_drawn % FRAMES.len()];
        let n_columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
        write(&format!("{CLEAR}{}", line(frame, elapsed, n_columns)));
        self.n_drawn += 1;
    }

    fn hide(&mut self) {
        if self.n_drawn > 0 {
            write(CLEAR);
            self.n_drawn = 0;
        }
    }

    /// Hides the line until the program was silent for long again.
    fn be_silent(&mut self) {
        if let Some(running) = &mut self.running {
            running.wrote = Instant::now();
        }
        self.hide();
    }
}

/// The line, as far as it fits into a terminal with this number of columns; 0 if that is unknown.
fn line(frame: char, elapsed: Duration, n_columns: usize) -> String {
    let most = if n_columns == 0 { usize::MAX } else { n_columns.saturating_sub(ROOM) };
    format!("{frame} {} s; Ctrl-C stops it", elapsed.as_secs()).chars().take(most).collect()
}

/// Whether a terminal of this name can clear a line.
fn can_clear(terminal: Option<&OsStr>) -> bool {
    terminal.is_some_and(|name| !name.is_empty() && name != "dumb")
}

/// Writes to the terminal, unless that would wait for it.
fn write(text: &str) {
    drop(ready::write_all(io::stderr().lock(), text.as_bytes(), || true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_into_the_terminal() {
        let of = |n_columns| line('*', Duration::from_millis(2900), n_columns);
        assert_eq!(of(100), "* 2 s; Ctrl-C stops it");
        assert_eq!(of(0), "* 2 s; Ctrl-C stops it");
        assert_eq!(of(12), "* 2 s; Ct");
        assert_eq!(of(2), "");
    }

    #[test]
    fn some_terminals_cannot_clear_a_line() {
        for (name, expected) in
            [(Some("xterm"), true), (Some("dumb"), false), (Some(""), false), (None, false)]
        {
            assert_eq!(can_clear(name.map(OsStr::new)), expected, "{name:?}");
        }
    }
}
