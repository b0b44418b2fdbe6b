//! How long does the interactive session take for a key, an entry and `:asm`?
//!
//! Runs the command at a pseudo-terminal, like a person who types: first alone, then with 10,000
//! definitions. A key counts from the press until the terminal has been quiet for a moment after
//! its answer, without that moment; an entry, from Enter until the next prompt.

use kaleidoscope_benches::{peer, record};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

const N_DEFINITIONS: usize = 10_000;

/// A terminal that is silent for so long has been answered.
const QUIET: Duration = Duration::from_millis(60);

/// What the command writes when it begins to read an entry: pasted text is to be in brackets.
const PROMPT: &str = "\x1b[?2004h";

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let folder = env::temp_dir().join(format!("keystrokes-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    let file = folder.join("definitions.kal");
    let mut text = String::new();
    for number in 0..N_DEFINITIONS {
        writeln!(text, "def function{number}(x y) x * {number} + y;").expect("strings take all text");
    }
    fs::write(&file, text).expect("the folder can be written");

    println!("{:<28} {:>12} {:>12}", "milliseconds", "alone", "10,000 def");
    let load = format!(":load {}\r", file.display());
    let few = "def function5(x y) x * 5 + y\rdef function6(x y) x * 6 + y\r";
    let alone = measure(&folder, few);
    let many = measure(&folder, &load);
    let mut lines = Vec::new();
    for ((name, alone), (_, many)) in alone.iter().zip(&many) {
        println!("{name:<28} {alone:>12.2} {many:>12.2}");
        lines.push(format!("{name},{alone:.2},{many:.2}"));
    }
    record::add("keystrokes", "what,alone_ms,with_10000_definitions_ms", &lines);
    // A file that stays is no harm.
    drop(fs::remove_dir_all(&folder));
}

/// Milliseconds for each thing that a person does.
fn measure(folder: &std::path::Path, definitions: &str) -> Vec<(&'static str, f64)> {
    let mut terminal = Terminal::open(folder);
    terminal.until("ready> ");
    terminal.press(definitions);
    // What is typed ahead runs when the definitions are there.
    terminal.press("60000 + 1234\r");
    terminal.until("\n61234\r\n");
    terminal.settle();
    let mut keys: Vec<f64> = Vec::new();
    for key in "function5(function6(1, 2), function5(3, 4))".chars() {
        keys.push(terminal.answer(&key.to_string()));
    }
    keys.sort_by(f64::total_cmp);
    let (median, slowest) = (keys[keys.len() / 2], keys[keys.len() - 1]);
    let mut times = vec![("a key, median", median), ("a key, slowest", slowest)];
    // Leaves the entry.
    terminal.answer("\x03");
    terminal.answer("functi");
    times.push(("Tab", terminal.answer("\t")));
    // Leaves what may be asked, and the entry.
    terminal.answer("n");
    terminal.answer("\x03");
    for (name, entry) in [
        ("an expression", "function5(1, 2)"),
        ("a definition", "def square(x) x * x"),
        (":asm, the first time", ":asm function5"),
        (":asm, later", ":asm function6"),
    ] {
        terminal.answer(entry);
        // An entry has run when the terminal is asked to bracket what is pasted at the next prompt.
        let start = Instant::now();
        terminal.press("\r");
        terminal.until(PROMPT);
        times.push((name, start.elapsed().as_secs_f64() * 1e3));
        terminal.settle();
    }
    times
}

/// The command at a pseudo-terminal.
struct Terminal {
    keyboard: File,
    /// What the terminal shows, as it arrives.
    shown: Receiver<(Instant, Vec<u8>)>,
    child: Child,
}

impl Terminal {
    fn open(state: &std::path::Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.expect("there is a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end can be used");
        let name = ptsname(&master, Vec::new()).expect("its other end has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = File::from(rustix::fs::open(&*name, flags, Mode::empty()).expect("it can be opened"));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(peer::kaleidoscope());
        command.env("TERM", "xterm-256color").env("XDG_STATE_HOME", state);
        let clone = || slave.try_clone().expect("a file descriptor is left");
        command.stdin(clone()).stdout(clone()).stderr(clone());
        let child = command.spawn().expect("setsid is there");
        drop((command, slave));
        let keyboard = File::from(master);
        let mut from = keyboard.try_clone().expect("a file descriptor is left");
        let (to, shown) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            // The read fails once the command has ended.
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if to.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, shown, child }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the command runs");
    }

    /// Waits until the terminal has shown the text.
    fn until(&mut self, text: &str) {
        let mut all = Vec::new();
        while !all.windows(text.len()).any(|part| part == text.as_bytes()) {
            let (_, part) = self.shown.recv_timeout(PATIENCE).unwrap_or_else(|_| {
                panic!("{text:?} is not shown after {:?}", String::from_utf8_lossy(&all))
            });
            all.extend(part);
        }
    }

    /// Waits until the terminal is quiet. Returns when it showed something last.
    fn settle(&mut self) -> Option<Instant> {
        let mut last = None;
        while let Ok((at, _)) = self.shown.recv_timeout(QUIET) {
            last = Some(at);
        }
        last
    }

    /// Presses keys. Returns the milliseconds until the terminal has answered.
    fn answer(&mut self, keys: &str) -> f64 {
        let start = Instant::now();
        self.press(keys);
        let Ok((first, _)) = self.shown.recv_timeout(PATIENCE) else { return PATIENCE.as_secs_f64() * 1e3 };
        let last = self.settle().unwrap_or(first);
        last.duration_since(start).as_secs_f64() * 1e3
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
