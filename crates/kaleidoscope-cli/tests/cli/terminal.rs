//! A terminal for the interactive session: what a user types, and what the screen shows.

use crate::command::executable;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use test_process::Process;

const N_ROWS: u16 = 50;
const N_COLUMNS: u16 = 100;

/// How long the screen may take to show what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
const CTRL_L: &str = "\x0c";
pub(crate) const CTRL_R: &str = "\x12";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const TAB: &str = "\t";

/// A session at a pseudo-terminal. Its state folder is its own, unless one is given.
pub(crate) struct Terminal {
    process: Process,
    keyboard: File,
    shown: Arc<Mutex<Shown>>,
    _state: Option<TempDir>,
}

struct Shown {
    screen: vt100::Parser,
    /// Everything that was written to the terminal.
    bytes: Vec<u8>,
}

impl Terminal {
    pub(crate) fn open(args: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut terminal = Self::open_with(args, state.path(), &[]);
        terminal._state = Some(state);
        terminal
    }

    /// With this state folder, and these variables of the environment.
    pub(crate) fn open_with(args: &[&str], state: &Path, variables: &[(&str, &OsStr)]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: N_ROWS, ws_col: N_COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = File::from(rustix::fs::open(&*name, flags, Mode::empty()).unwrap());
        // Makes the terminal that of a session of its own, so that Ctrl-C reaches it.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(executable()).args(args);
        session.env("TERM", "xterm-256color").env("XDG_STATE_HOME", state).env_remove("NO_COLOR");
        session.envs(variables.iter().copied());
        session.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let process = Process::start(&mut session);
        // The command has copies of the terminal's other end, which must not outlive it.
        drop(session);
        let keyboard = File::from(master);
        let screen = vt100::Parser::new(N_ROWS, N_COLUMNS, 0);
        let shown = Arc::new(Mutex::new(Shown { screen, bytes: Vec::new() }));
        let mut from = keyboard.try_clone().unwrap();
        let to = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The read fails once the session has ended.
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                let mut shown = to.lock().unwrap();
                shown.screen.process(&buffer[..n]);
                shown.bytes.extend_from_slice(&buffer[..n]);
            }
        });
        let terminal = Self { process, keyboard, shown, _state: None };
        terminal.wait_for("the prompt", |screen| screen.trim_end().ends_with("ready>"));
        terminal
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Types an entry on an empty screen, and waits until the screen shows the text. Returns the
    /// screen.
    pub(crate) fn enter(&mut self, entry: &str, text: &str) -> String {
        self.press(CTRL_L);
        self.wait_for("nothing but the prompt", |screen| screen.trim_end() == "ready>");
        self.press(&format!("{entry}\r"));
        self.wait_for_text(text)
    }

    /// Waits until the screen shows the text, and the prompt after it.
    pub(crate) fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| {
            screen.contains(text)
                && screen.trim_end().lines().last().is_some_and(|line| line.trim_end() == "ready>")
        })
    }

    /// Waits until the entry that was typed runs: the cursor is on the line below, which is empty
    /// or shows how long it takes.
    pub(crate) fn wait_until_it_runs(&self) {
        self.wait_for("a running entry", |_| {
            let shown = self.shown.lock().unwrap();
            let screen = shown.screen.screen();
            let (row, column) = screen.cursor_position();
            let line = screen.contents_between(row, 0, row, N_COLUMNS);
            row > 0 && ((column == 0 && line.is_empty()) || line.contains("Ctrl-C stops it"))
        });
    }

    /// Waits until the screen is as described.
    pub(crate) fn wait_for(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "the screen does not show {what}:\n{screen}");
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.shown.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written to the terminal so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shown.lock().unwrap().bytes.clone()
    }

    /// Leaves the session by these keys. Returns its exit code.
    pub(crate) fn leave(mut self, keys: &str) -> Option<i32> {
        self.press(keys);
        self.process.wait().code()
    }
}
