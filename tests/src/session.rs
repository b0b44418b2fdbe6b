//! Sessions: the same steps taken with an engine of each mode, side by side; each must see the same.
//!
//! A session defines a few names again and again, with the same and with other numbers of parameters, declares them,
//! calls them, fails, and hands its text over in odd pieces. After every step what came of it is compared with what
//! the reference evaluator gave, and the lives of function bodies are looked at (`lives.rs`).

mod lives;
mod step;
#[cfg(test)]
mod tests;
mod write;

pub use step::{Step, Way};

use std::fmt::Write as _;

use kaleidoscope::lang::number;
use kaleidoscope::{Diagnostic, Engine, ItemOutcome, Mode, Optimization, OutputBuffer, Script, Span};

use crate::compare::reduce;
use crate::random::Random;
use crate::run::Setting;
use lives::Lives;

/// The settings of the engines, the one by which the others are judged first. Two have the same mode: an engine must
/// not see what another one does.
const SETTINGS: &[Setting] = &[
    Setting { mode: Mode::Off, optimization: Optimization::None },
    Setting { mode: Mode::Lazy, optimization: Optimization::Default },
    Setting { mode: Mode::Lazy, optimization: Optimization::None },
    Setting { mode: Mode::Eager, optimization: Optimization::Default },
];

/// A list of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What came of one item.
#[derive(Debug, PartialEq)]
struct ItemRun {
    /// As it is printed.
    value: Option<String>,
    diagnostics: Vec<Diagnostic>,
    span: Span,
    output: String,
}

/// What came of one step.
#[derive(Debug, PartialEq)]
struct StepRun {
    items: Vec<ItemRun>,
    /// Whether an unfinished item waits for more text.
    is_pending: bool,
}

impl Session {
    /// The session of this seed.
    pub fn new(seed: u64) -> Self {
        Self { steps: step::steps(Random::new(seed)) }
    }

    /// The session whose choices are these bytes: a fuzzer's.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { steps: step::steps(Random::from_bytes(bytes)) }
    }

    /// Runs the session; when the engines do not agree, makes it as small as removing steps can.
    ///
    /// # Errors
    ///
    /// The small session and where it fails.
    pub fn check(&self) -> Result<(), String> {
        run(&self.steps).map(drop).map_err(|difference| {
            let small = reduce(&self.steps, |steps| run(steps).is_err());
            let difference = run(&small).err().unwrap_or(difference);
            let mut report = format!("{difference}\n── the session, reduced ──\n");
            for Step { text, way } in &small {
                let _ = writeln!(report, "{way:?} {text:?}");
            }
            report
        })
    }
}

/// An engine of the session, with the one long text that most steps add to.
struct Seat {
    setting: Setting,
    engine: Engine,
    script: Script,
    output: OutputBuffer,
    lives: Lives,
}

impl Seat {
    fn new(setting: Setting) -> Self {
        let output = OutputBuffer::default();
        let lives = Lives::default();
        let engine = Engine::builder()
            .mode(setting.mode)
            .optimization(setting.optimization)
            .output(output.clone())
            .observer(lives.clone())
            .build()
            .expect("the machine of a test has memory for an engine");
        let script = engine.script("session");
        Self { setting, engine, script, output, lives }
    }

    /// Takes the step, or ends the session where there is none.
    fn take(&mut self, step: Option<&Step>) -> StepRun {
        let mut items = Vec::new();
        match step {
            Some(Step { text, way: Way::Apart }) => self.run_apart(text, &mut items),
            Some(Step { text, way }) => {
                for piece in way.pieces(text) {
                    self.script.push(piece);
                    self.drain(Script::run_next, &mut items);
                }
                if *way == Way::Line {
                    self.drain(Script::run_next_line, &mut items);
                }
                if *way == Way::Abandoned {
                    self.script.abandon();
                }
            }
            None => {
                self.script.finish();
                self.drain(Script::run_next, &mut items);
            }
        }
        StepRun { items, is_pending: self.script.is_pending() }
    }

    fn run_apart(&self, text: &str, items: &mut Vec<ItemRun>) {
        let mut apart = self.engine.script("apart");
        apart.push(text);
        apart.finish();
        while let Some(item) = apart.run_next() {
            items.push(self.item_run(item));
        }
    }

    fn drain(&mut self, next: fn(&mut Script) -> Option<ItemOutcome>, items: &mut Vec<ItemRun>) {
        while let Some(item) = next(&mut self.script) {
            items.push(self.item_run(item));
        }
    }

    fn item_run(&self, item: ItemOutcome) -> ItemRun {
        ItemRun {
            value: item.value.map(number::format),
            diagnostics: item.diagnostics,
            span: item.span,
            output: self.output.take(),
        }
    }
}

/// How many items of a session gave a value, and how many failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    n_values: usize,
    n_errors: usize,
}

/// Takes the steps with every engine.
fn run(steps: &[Step]) -> Result<Tally, String> {
    let mut seats: Vec<Seat> = SETTINGS.iter().map(|&setting| Seat::new(setting)).collect();
    let mut tally = Tally::default();
    for step in steps.iter().map(Some).chain([None]) {
        let (reference, judged) = seats.split_first_mut().expect("there are settings");
        let expected = reference.take(step);
        let place = |seat: &Seat| {
            let text = step.map_or("the end", |step| &step.text);
            format!("mode {} at level {:?}, {text:?}", seat.setting.mode.name(), seat.setting.optimization)
        };
        for seat in judged {
            let got = seat.take(step);
            if expected != got {
                return Err(format!("{}\n  expected {expected:?}\n  got      {got:?}", place(seat)));
            }
            seat.lives.check().map_err(|complaint| format!("{}: {complaint}", place(seat)))?;
        }
        tally.n_values += expected.items.iter().filter(|item| item.value.is_some()).count();
        tally.n_errors +=
            expected.items.iter().flat_map(|item| &item.diagnostics).filter(|it| it.is_error()).count();
    }
    Ok(tally)
}
