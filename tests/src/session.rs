//! Sessions: the same steps taken with an engine of each setting, side by side; each must see the same.
//!
//! A session defines a few names again and again, with the same and with other numbers of parameters, declares them,
//! calls them, has the host register closures in their place, fails, and hands its text over in odd pieces. It defines and calls from within the program's output
//! (`sink.rs`) and from several threads at once (`race.rs`); it recurses until the stack is used up, and is stopped
//! where it would not end. After every step what came of it is compared with what the reference evaluator gave
//! (`item.rs` says what counts), and the lives of function bodies are looked at (`lives.rs`).

mod handle;
mod item;
mod lives;
mod race;
mod seat;
mod sink;
mod step;
#[cfg(test)]
mod tests;
mod write;

pub use race::Race;
pub use step::{Step, Stop, Way};

use std::fmt::Write as _;

use kaleidoscope::{Builder, DiagnosticCode, Mode, Optimization};

use crate::compare::reduce;
use crate::random::Random;
use crate::run::Setting;
use item::ItemRun;
use seat::{Seat, StepRun};

/// The setting by which the others are judged.
const REFERENCE: Setting = Setting { mode: Mode::Off, optimization: Optimization::None };

/// The settings that are judged, one line each. A fuzzer takes one of them, or all; other sessions take all. Some have
/// the same mode: an engine must not see what another one does, and races are run with what is judged only.
const JUDGED: &[Setting] = &[
    Setting { mode: Mode::Tiered, optimization: Optimization::Aggressive },
    Setting { mode: Mode::Lazy, optimization: Optimization::None },
    Setting { mode: Mode::Eager, optimization: Optimization::None },
    Setting { mode: Mode::Off, optimization: Optimization::None },
    Setting { mode: Mode::Lazy, optimization: Optimization::Default },
    Setting { mode: Mode::Baseline, optimization: Optimization::None },
];

/// What all engines of a session have in common.
struct Frame {
    name: &'static str,
    apply: fn(Builder) -> Builder,
    /// An error that not all modes give, as they do not come as far: what fails with it counts as right.
    excused: Option<DiagnosticCode>,
}

/// The choices of it, one line each. The stacks are small, so that endless recursion is soon over, and hold far more
/// than any other recursion of a session needs.
const FRAMES: &[Frame] = &[
    frame("64 KiB of stack", |builder| builder.stack_bytes(64 << 10), None),
    frame("1 MiB of stack", |builder| builder.stack_bytes(1 << 20), None),
    frame("8 functions", |builder| builder.stack_bytes(64 << 10).max_functions(8), None),
    frame("60 bytes an item", |builder| builder.stack_bytes(64 << 10).max_item_bytes(60), None),
    frame(
        "500 bytes of code",
        |builder| builder.stack_bytes(64 << 10).max_code_bytes(500),
        Some(DiagnosticCode::CodeMemoryFull),
    ),
];

const fn frame(name: &'static str, apply: fn(Builder) -> Builder, excused: Option<DiagnosticCode>) -> Frame {
    Frame { name, apply, excused }
}

/// A list of steps, and the engines that take them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which engines are compared with the reference.
    pub judged: Vec<Setting>,
    /// The position in the list of what the engines have in common.
    frame: usize,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Session {
    /// The session of this seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self { judged: JUDGED.to_vec(), frame: random.below(FRAMES.len()), steps: step::steps(random) }
    }

    /// The session whose choices are these bytes: a fuzzer's. Most have one engine beside the reference: making code
    /// takes longer than all the rest.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut random = Random::from_bytes(bytes);
        let frame = random.below(FRAMES.len());
        let judged = match JUDGED.get(random.below(JUDGED.len() + 1)) {
            Some(&setting) => vec![setting],
            None => JUDGED.to_vec(),
        };
        Self { judged, frame, steps: step::steps(random) }
    }

    /// Runs the session; when the engines do not agree, makes it as small as removing steps can.
    ///
    /// # Errors
    ///
    /// The small session and where it fails.
    pub fn check(&self) -> Result<(), String> {
        self.run(&self.steps).map(drop).map_err(|difference| {
            let small = reduce(&self.steps, |steps| self.run(steps).is_err());
            let difference = self.run(&small).err().unwrap_or(difference);
            let mut report =
                format!("{difference}\n── the session with {}, reduced ──\n", FRAMES[self.frame].name);
            for step in &small {
                let _ = writeln!(report, "{step:?}");
            }
            report
        })
    }

    /// Takes the steps with every engine.
    fn run(&self, steps: &[Step]) -> Result<Tally, String> {
        let frame = &FRAMES[self.frame];
        let mut reference = Seat::new(REFERENCE, frame);
        let mut judged: Vec<Seat> = self.judged.iter().map(|&setting| Seat::new(setting, frame)).collect();
        let mut tally = Tally::default();
        for step in steps.iter().map(Some).chain([None]) {
            let expected = reference.take(step);
            for seat in &mut judged {
                let verdict = seat.judge(step, &expected);
                verdict.map_err(|complaint| format!("{seat}, {step:?}\n  {complaint}"))?;
            }
            tally.add(&expected);
        }
        Ok(tally)
    }
}

/// What a session came by, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    n_values: usize,
    n_errors: usize,
    n_overflows: usize,
    /// Evaluations stopped by a request, and by a time limit.
    n_interrupted: usize,
    n_timed_out: usize,
    /// Errors that a closure of the host's gave back.
    n_host_errors: usize,
    /// Items run from within the output.
    n_inside: usize,
    /// Races in which it makes a difference when a call is made.
    n_races: usize,
}

impl Tally {
    fn add(&mut self, run: &StepRun) {
        self.n_values += run.items.iter().filter(|item| item.value.is_some()).count();
        for error in run.items.iter().flat_map(ItemRun::errors) {
            self.n_errors += 1;
            match error {
                DiagnosticCode::StackOverflow => self.n_overflows += 1,
                DiagnosticCode::Interrupted => self.n_interrupted += 1,
                DiagnosticCode::TimedOut => self.n_timed_out += 1,
                DiagnosticCode::HostError => self.n_host_errors += 1,
                _ => {}
            }
        }
        self.n_inside += run.inside.len();
        self.n_races += usize::from(run.race.is_open());
    }
}
