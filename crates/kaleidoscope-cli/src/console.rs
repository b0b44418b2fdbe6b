//! Standard output: what programs write and the values of expressions, in one buffer.
//!
//! The console flushes the buffer when it is full, before each write to standard error, before each
//! wait for standard input, and at the end. To a terminal, it flushes after each write.
//!
//! A reader that closes the pipe is not an error: later output is dropped, and the run ends. A
//! reader that does not read blocks the run. That ends with the time limit or by Ctrl-C: the output
//! that found no room is lost, and the command ends.

use crate::progress::Progress;
use crate::{closed_output, ready};
use kaleidoscope::lang::number;
use kaleidoscope::{Output, is_stop_pending};
use rustix::fs::{FileType, fstat};
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Standard output with a buffer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    state: Arc<Mutex<State>>,
    is_to_stop: Arc<AtomicBool>,
    progress: Progress,
}

#[derive(Debug)]
struct State {
    /// Has its room from the beginning. Where it had to grow and there was no memory, the lock
    /// would be held, and the output so far could not be written.
    buffer: Vec<u8>,
    is_terminal: bool,
    /// Whether a terminal may show the output at once: also behind a pipe, but never a file.
    is_shown: bool,
    /// The program's last output did not end a line.
    is_line_open: bool,
    /// Why writing failed. Nothing is written afterwards.
    failed: Option<Arc<io::Error>>,
    /// Whether the command is to stop, instead of waiting for a reader.
    is_to_stop: Arc<AtomicBool>,
    /// How long a write waits for a reader at most, wherever it comes from.
    time_limit: Option<Duration>,
    /// How many digits behind the point values have. `None`: as many as they need.
    n_digits: Option<usize>,
    /// Whether what programs write is dropped.
    drops_output: bool,
    /// Disappears from the terminal before output.
    progress: Progress,
}

const FLUSH_AT_BYTES: usize = 64 << 10;

impl Console {
    /// An empty buffer.
    pub(crate) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_file = fstat(io::stdout())
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let is_to_stop = Arc::<AtomicBool>::default();
        let progress = Progress::new();
        let state = State {
            buffer: Vec::with_capacity(FLUSH_AT_BYTES + (4 << 10)),
            is_terminal,
            is_shown: !is_file,
            is_line_open: false,
            failed: None,
            is_to_stop: Arc::clone(&is_to_stop),
            time_limit: None,
            n_digits: None,
            drops_output: false,
            progress: progress.clone(),
        };
        Self { state: Arc::new(Mutex::new(state)), is_to_stop, progress }
    }

    /// What shows how long an evaluation takes.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Limits the time that a write waits for a reader.
    pub(crate) fn set_time_limit(&self, limit: Option<Duration>) {
        self.lock().time_limit = limit;
    }

    /// Sets how many digits behind the point values have.
    pub(crate) fn set_digits(&self, n_digits: Option<usize>) {
        self.lock().n_digits = n_digits;
    }

    /// Says whether what programs write is dropped from now on.
    pub(crate) fn set_drops_output(&self, drops_output: bool) {
        self.lock().drops_output = drops_output;
    }

    /// Says whether the command is to stop: then no output waits for a reader.
    pub(crate) fn set_to_stop(&self, is_to_stop: bool) {
        self.is_to_stop.store(is_to_stop, Ordering::Relaxed);
    }

    /// Whether the command is to stop, because of Ctrl-C or because no one reads its output.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.is_to_stop.load(Ordering::Relaxed) || self.is_blocked()
    }

    /// Whether writing failed because no one reads.
    pub(crate) fn is_blocked(&self) -> bool {
        self.failure().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// Flushes the buffer, unless another thread is writing.
    pub(crate) fn flush_if_idle(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            drop(state.flush());
        }
    }

    /// Prints the value of a top-level expression on a line of its own.
    pub(crate) fn print_value(&self, value: f64) -> io::Result<()> {
        // No lock is held while this allocates: without memory, the output so far is still written.
        let n_digits = self.lock().n_digits;
        let line = match n_digits {
            Some(n) if value.is_finite() => format!("{value:.n$}\n"),
            _ => format!("{}\n", number::format(value)),
        };
        let mut state = self.lock();
        if state.is_line_open {
            state.write("\n")?;
        }
        state.write(&line)
    }

    /// Prints text of the command itself.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.lock().write(text)
    }

    /// Ends the line that the program left open, and flushes: a prompt comes next.
    pub(crate) fn end_line(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.is_line_open {
            state.write("\n")?;
        }
        state.flush()
    }

    /// Flushes the buffer.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.lock().flush()
    }

    /// Why writing failed, if it did. Then the run ends.
    pub(crate) fn failure(&self) -> Option<Arc<io::Error>> {
        self.lock().failed.clone()
    }

    /// Flushes, and returns an error if output was lost. A closed pipe is not an error.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match self.flush() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write to standard output: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.buffer.extend_from_slice(bytes);
        if let Some(&last) = bytes.last() {
            self.is_line_open = last != b'\n';
        }
        if self.is_terminal || self.buffer.len() >= FLUSH_AT_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.is_shown {
            self.progress.make_room(&self.buffer);
        }
        let start = Instant::now();
        let is_late = || self.time_limit.is_some_and(|limit| start.elapsed() >= limit);
        let is_to_stop = || self.is_to_stop.load(Ordering::Relaxed) || is_stop_pending() || is_late();
        let written = if closed_output::is_closed() {
            Err(io::Error::new(io::ErrorKind::NotConnected, "it is closed"))
        } else {
            ready::write_all(io::stdout().lock(), &self.buffer, is_to_stop)
        };
        self.buffer.clear();
        if let Err(error) = written {
            self.failed = Some(Arc::new(error));
        }
        self.check()
    }

    /// The error of an earlier write.
    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some(error) => Err(io::Error::new(error.kind(), Arc::clone(error))),
            None => Ok(()),
        }
    }
}

impl Output for Console {
    fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if state.drops_output { Ok(()) } else { state.write_bytes(bytes) }
    }
}
