//! What runs in an environment: a program in one mode.

use crate::program::Program;
use kaleidoscope::{Builder, Engine, Mode, OutputBuffer, Thresholds};
use std::time::Duration;

/// How long programs may take. They never do, but for the endless loop.
const LONG_LIMIT: Duration = Duration::from_secs(20);

/// A program in a mode.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) mode: Mode,
    pub(crate) program: &'static Program,
    /// What the endless loop and the endless recursion may take.
    pub(crate) limits: Limits,
}

/// What a program may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The time of the endless loop.
    pub(crate) time: Duration,
    /// The size of the guest stack in bytes; `None` for the engine's own choice.
    pub(crate) stack_bytes: Option<usize>,
}

impl Limits {
    /// For a program that runs once.
    pub(crate) const LARGE: Self = Self { time: Duration::from_millis(300), stack_bytes: None };

    /// For a program that runs many times.
    pub(crate) const SMALL: Self = Self { time: Duration::from_millis(20), stack_bytes: Some(1 << 20) };
}

impl Subject {
    /// Makes an engine, runs the program and prints the outcome.
    pub(crate) fn run_here(self) {
        match self.engine() {
            Ok(engine) => self.run_in(&engine),
            Err(error) => println!("no engine: {error}"),
        }
    }

    /// An engine in this mode, where everything that runs twice is hot.
    pub(crate) fn engine(self) -> Result<Engine, kaleidoscope::Error> {
        let hot = Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };
        let builder = Engine::builder().mode(self.mode).thresholds(hot);
        let builder = self.limits.stack_bytes.into_iter().fold(builder, Builder::stack_bytes);
        builder.output(OutputBuffer::default()).build()
    }

    /// Runs a small program in the engine, so all that happens once has happened.
    pub(crate) fn warm_up(engine: &Engine) {
        let outcome = engine.run("def warm(x) x + 1; for i = 0, i < 9 in warm(i);");
        assert_eq!(outcome.values().collect::<Vec<_>>(), [0.0], "nothing hostile has happened yet");
    }

    /// Runs the program in the engine and prints the outcome.
    pub(crate) fn run_in(self, engine: &Engine) {
        let limit = if self.program.name == "loop" { self.limits.time } else { LONG_LIMIT };
        let outcome = engine.within(limit).run(&self.program.text());
        let values = outcome.values().map(|value| value.to_string());
        let codes = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str().to_owned());
        println!("{}", values.chain(codes).collect::<Vec<_>>().join(" "));
        for diagnostic in outcome.diagnostics() {
            eprintln!("{}: {}", diagnostic.code.as_str(), diagnostic.message);
        }
    }
}
