//! What runs in an environment: a program in one mode.

use crate::program::Program;
use kaleidoscope::{Engine, Mode, OutputBuffer, Thresholds};
use std::time::Duration;

/// How long an evaluation may take. The endless loop takes as long.
const LIMIT: Duration = Duration::from_millis(300);

/// How long other programs may take. They never do.
const LONG_LIMIT: Duration = Duration::from_secs(20);

/// A program in a mode.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) mode: Mode,
    pub(crate) program: &'static Program,
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
        builder.output(OutputBuffer::default()).build()
    }

    /// Runs a small program in the engine, so all that happens once has happened.
    pub(crate) fn warm_up(engine: &Engine) {
        let outcome = engine.run("def warm(x) x + 1; for i = 0, i < 9 in warm(i);");
        assert_eq!(outcome.values().collect::<Vec<_>>(), [0.0], "nothing hostile has happened yet");
    }

    /// Runs the program in the engine and prints the outcome.
    pub(crate) fn run_in(self, engine: &Engine) {
        let limit = if self.program.name == "loop" { LIMIT } else { LONG_LIMIT };
        let outcome = engine.within(limit).run(&self.program.text());
        let values = outcome.values().map(|value| value.to_string());
        let codes = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str().to_owned());
        println!("{}", values.chain(codes).collect::<Vec<_>>().join(" "));
        for diagnostic in outcome.diagnostics() {
            eprintln!("{}: {}", diagnostic.code.as_str(), diagnostic.message);
        }
    }
}
