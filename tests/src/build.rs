//! Builds texts ahead of time, runs the executables, and says what they must print.
//!
//! A [`Machine`] is this one, AArch64 under QEMU, or WebAssembly in Node.
//!
//! The interpreter runs the same items. An item that fails is left out of the executable: one that
//! fails while it runs would end the program. [`Built::with_failure`] has exactly that, for the
//! message and the exit code.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kaleidoscope::ir::compile::{BuildFile, BuildMachine, BuildRequest, LinkedProgram};
use kaleidoscope::lang::number;
use kaleidoscope::{
    AheadOfTime, Color, Engine, ErrorKind, Mode, Optimization, OutputBuffer, RUNTIME, render,
};
use tempfile::TempDir;

use crate::run::add_prelude;

/// What a process writes, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// What it writes to standard output.
    pub stdout: Vec<u8>,
    /// What it writes to standard error.
    pub stderr: String,
    /// The exit code.
    pub code: i32,
}

/// Texts as one program, with what it must do.
#[derive(Debug)]
pub struct Built {
    program: LinkedProgram,
    expected: Ended,
}

/// Which items of the texts are part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Items {
    /// All that succeed.
    Successful,
    /// All up to the first that fails while it runs.
    UntilFailure,
}

impl Built {
    /// All items of the texts that succeed. `None` if the texts need a host.
    ///
    /// # Panics
    ///
    /// If no engine can be built.
    pub fn of_texts(texts: &[String]) -> Option<Self> {
        Self::plan(texts, Items::Successful).map(|(built, _)| built)
    }

    /// The items of the text up to the first that fails while it runs. `None` if none does, or the
    /// text needs a host.
    ///
    /// # Panics
    ///
    /// If no engine can be built.
    pub fn with_failure(text: &str) -> Option<Self> {
        let (built, has_failed) = Self::plan(&[text.to_owned()], Items::UntilFailure)?;
        has_failed.then_some(built)
    }

    /// Builds the program with LLVM, runs it on the machine, and compares. `None` if the machine
    /// lacks a function.
    ///
    /// # Errors
    ///
    /// The differences.
    ///
    /// # Panics
    ///
    /// If the program cannot be built.
    pub fn check(&self, machine: Machine, optimization: Optimization) -> Result<Option<()>, String> {
        let folder = TempDir::new().expect("a test may write files");
        let path = machine.link(&self.program, optimization, folder.path());
        let output = test_process::output(&mut machine.command(&path, folder.path()), b"");
        let ended = Ended {
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        };
        if machine == Machine::WebAssembly && ended.code == LACKS_A_FUNCTION {
            return Ok(None);
        }
        let is_same = match machine {
            Machine::This => ended == self.expected,
            Machine::Aarch64 | Machine::WebAssembly => ended.is_nearly(&self.expected),
        };
        if is_same {
            return Ok(Some(()));
        }
        let text = |ended: &Ended| {
            format!(
                "{}\n{}\nexit code {}\n",
                String::from_utf8_lossy(&ended.stdout),
                ended.stderr,
                ended.code
            )
        };
        Err(format!("expected\n{}\ngot\n{}", text(&self.expected), text(&ended)))
    }

    /// The program, and whether an item has failed while it ran.
    fn plan(texts: &[String], items: Items) -> Option<(Self, bool)> {
        let output = OutputBuffer::default();
        let running = Engine::builder().mode(Mode::Off).output(output.clone()).build();
        let running = running.expect("the machine of a test has memory for an engine");
        // Debug information changes no result.
        let builder = Engine::builder();
        let builder = if texts.len() == 1 { builder.debug_info() } else { builder };
        let read = builder.build().expect("the machine of a test has memory for an engine");
        let mut program = AheadOfTime::new(&read, "test");
        let mut expected = Printed::default();
        let mut has_failed = false;
        'texts: for text in texts {
            for engine in [&running, &read] {
                add_prelude(engine, text);
            }
            let mut run = running.script("text");
            let mut planned = read.script("text");
            for script in [&mut run, &mut planned] {
                script.push(text);
                script.finish();
            }
            while let Some(outcome) = run.run_next() {
                let item = planned.read_next().expect("both engines read the same items");
                let written = output.take_bytes();
                let is_unread = item.item.is_none();
                let fails = outcome.is_error() && !is_unread;
                if is_unread || fails && items == Items::Successful {
                    continue;
                }
                if let Err(error) = program.add(&item, &planned.source()) {
                    assert_eq!(error.kind(), ErrorKind::CannotBuild, "{error}");
                    return None;
                }
                expected.write(&written);
                if let Some(value) = outcome.value {
                    expected.print(value);
                }
                if fails {
                    let errors = outcome.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
                    let source = run.source();
                    expected.ended.stderr = errors
                        .map(|diagnostic| {
                            format!("{}\n", render(diagnostic, &source, Color::Never).trim_end())
                        })
                        .collect();
                    expected.ended.code = 1;
                    has_failed = true;
                    break 'texts;
                }
            }
        }
        let program = program.finish().expect("only added items are refused");
        Some((Self { program, expected: expected.ended }, has_failed))
    }
}

/// Output as the command prints it.
#[derive(Debug, Default)]
struct Printed {
    ended: Ended,
}

impl Printed {
    fn write(&mut self, bytes: &[u8]) {
        self.ended.stdout.extend_from_slice(bytes);
    }

    /// A value has a line of its own.
    fn print(&mut self, value: f64) {
        if self.ended.stdout.last().is_some_and(|&last| last != b'\n') {
            self.write(b"\n");
        }
        let mut line = String::new();
        let _ = writeln!(line, "{}", number::format(value));
        self.write(line.as_bytes());
    }
}

impl Ended {
    /// Whether both are the same, but for numbers whose last digits the maths library decides.
    fn is_nearly(&self, other: &Self) -> bool {
        let lines = |ended: &Self| {
            let text = String::from_utf8_lossy(&ended.stdout).into_owned();
            text.split('\n').map(str::to_owned).collect::<Vec<_>>()
        };
        let (ours, theirs) = (lines(self), lines(other));
        let are_near = |(ours, theirs): (&String, &String)| {
            ours == theirs
                || matches!((ours.parse(), theirs.parse()), (Ok(ours), Ok(theirs)) if is_near(ours, theirs))
        };
        (self.code, &self.stderr) == (other.code, &other.stderr)
            && ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(are_near)
    }
}

/// Whether the numbers are the same, or at most 2 units in the last place apart.
fn is_near(a: f64, b: f64) -> bool {
    const MOST_UNITS: u64 = 2;
    // In the order of the numbers.
    let place = |number: f64| {
        let bits = number.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    a.is_nan() && b.is_nan() || place(a).abs_diff(place(b)) <= MOST_UNITS
}

/// The exit code of `host.mjs` for a module that needs what JavaScript does not have.
const LACKS_A_FUNCTION: i32 = 3;

/// A machine that runs built programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The machine of the test.
    This,
    /// AArch64, emulated by QEMU.
    Aarch64,
    /// WebAssembly, by Node.
    WebAssembly,
}

impl Machine {
    fn triple(self) -> Option<&'static str> {
        match self {
            Self::This => None,
            Self::Aarch64 => Some("aarch64-linux-gnu"),
            Self::WebAssembly => Some("wasm32-unknown-unknown"),
        }
    }

    /// Builds an executable or a module in the folder.
    fn link(self, program: &LinkedProgram, optimization: Optimization, folder: &Path) -> PathBuf {
        let request = BuildRequest {
            program: program.clone(),
            machine: BuildMachine { triple: self.triple().map(str::to_owned), ..BuildMachine::default() },
            optimization,
            files: vec![BuildFile::Object],
        };
        let made = compiler().build(request).unwrap_or_else(|error| panic!("{error}"));
        let (object, path) = (folder.join("program.o"), folder.join("program"));
        std::fs::write(&object, &made[0]).expect("a test may write files");
        match self.cc() {
            Some(cc) => {
                run_tool(cc, &[self.runtime(), &object, Path::new("-lm"), Path::new("-o"), &path]);
            }
            None => {
                let flags = ["--no-entry", "--export-dynamic", "--allow-undefined", "-o"].map(Path::new);
                run_tool("wasm-ld-22", &[&flags[..], &[&path, &object]].concat());
            }
        }
        path
    }

    fn cc(self) -> Option<&'static str> {
        match self {
            Self::This => Some("cc"),
            Self::Aarch64 => Some("aarch64-linux-gnu-gcc"),
            Self::WebAssembly => None,
        }
    }

    /// The command that runs what [`link`](Self::link) has made.
    fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = match self {
            Self::This => return Command::new(program),
            Self::Aarch64 => Command::new("qemu-aarch64"),
            Self::WebAssembly => Command::new("node"),
        };
        if self == Self::Aarch64 {
            command.args(["-L", "/usr/aarch64-linux-gnu"]);
        } else {
            let host = folder.join("host.mjs");
            std::fs::write(&host, include_str!("build/host.mjs")).expect("a test may write files");
            command.arg(host);
        }
        command.arg(program);
        command
    }

    /// The runtime, compiled once.
    fn runtime(self) -> &'static Path {
        static THIS: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
        static AARCH64: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
        let place = if self == Self::This { &THIS } else { &AARCH64 };
        let (_, path) = place.get_or_init(|| {
            let folder = TempDir::new().expect("a test may write files");
            let (text, object) = (folder.path().join("runtime.c"), folder.path().join("runtime.o"));
            std::fs::write(&text, RUNTIME).expect("a test may write files");
            let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-c"].map(Path::new);
            let cc = self.cc().expect("modules have no runtime");
            run_tool(cc, &[&flags[..], &[&text, Path::new("-o"), &object]].concat());
            (folder, object)
        });
        path
    }
}

/// An engine whose compiler builds all programs.
fn compiler() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let engine = Engine::builder().mode(Mode::Lazy).build();
        engine.expect("the machine of a test has memory for an engine")
    })
}

fn run_tool(tool: &str, args: &[&Path]) {
    let output = Command::new(tool).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}: {error}"));
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Prints numbers with the runtime, as `printd` does.
///
/// # Panics
///
/// If there is no C compiler.
pub fn print_numbers(numbers: &[f64]) -> Vec<u8> {
    const MAIN: &str = "#include <stdio.h>\n\
        double kaleidoscope_printd(double);\n\
        int main(void) { double number; while (fread(&number, sizeof number, 1, stdin)) kaleidoscope_printd(number); }\n";
    let folder = TempDir::new().expect("a test may write files");
    let (main, library) = (folder.path().join("main.c"), folder.path().join("runtime.c"));
    for (path, text) in [(&main, MAIN), (&library, RUNTIME)] {
        std::fs::write(path, text).expect("a test may write files");
    }
    let path = folder.path().join("print");
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-DKALEIDOSCOPE_LIBRARY"].map(Path::new);
    run_tool("cc", &[&flags[..], &[&main, &library, Path::new("-o"), &path]].concat());
    let bytes: Vec<_> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    test_process::output(&mut Command::new(path), &bytes).stdout
}
