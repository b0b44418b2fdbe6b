//! Random sessions: engines of different settings run the same steps and must give the same
//! results.
//!
//! A session redefines a few names, with the same and with other numbers of parameters. It declares
//! them, calls them, replaces them by host closures, makes mistakes, and delivers its text in odd
//! pieces. It defines and calls functions from within the program's output (`output_sink.rs`) and
//! from several threads (`race.rs`). It overflows the stack, and it stops endless programs. After
//! every step its results are compared with those of the interpreter (`item.rs` defines what must
//! agree), and the lifetimes of code are checked (`code_lifetimes.rs`).

mod code_lifetimes;
mod handle;
mod instance;
mod item;
mod output_sink;
mod participant;
mod race;
mod step;
#[cfg(test)]
mod tests;
mod writer;

pub use race::Race;
pub use step::{Delivery, Step, StopBy};

use std::fmt::Write as _;

use kaleidoscope::{Builder, DiagnosticCode, Mode, Optimization};

use crate::compare::reduce;
use crate::random::Random;
use crate::run::Setting;
use item::ItemRun;
use participant::{Participant, StepRun};

/// The interpreter: the reference that all other settings must agree with.
const REFERENCE: Setting = Setting::new(Mode::Off, Optimization::None);

/// The settings to test. A fuzzer takes one of them or all; other sessions take all. Two settings
/// share the reference's or another setting's mode: engines must not affect each other, and only
/// tested engines run races concurrently.
const TESTED: &[Setting] = &[
    Setting::new(Mode::Tiered, Optimization::Aggressive),
    Setting::new(Mode::Lazy, Optimization::None),
    Setting::new(Mode::Eager, Optimization::None),
    Setting::new(Mode::Off, Optimization::None),
    Setting::new(Mode::Lazy, Optimization::Default),
    Setting::new(Mode::Baseline, Optimization::None),
];

/// Limits of all engines of a session.
struct Limits {
    name: &'static str,
    apply: fn(Builder) -> Builder,
    /// An error that only some modes give, because these limits end a program earlier there. A
    /// result with this error counts as correct.
    excused: Option<DiagnosticCode>,
}

/// The limits to choose from. Stacks are small so that endless recursion ends soon, and still far
/// larger than the other recursions of a session need.
const LIMITS: &[Limits] = &[
    limits("64 KiB of stack", |builder| builder.stack_bytes(64 << 10), None),
    limits("1 MiB of stack", |builder| builder.stack_bytes(1 << 20), None),
    limits("8 functions", |builder| builder.stack_bytes(64 << 10).max_functions(8), None),
    limits("60 bytes an item", |builder| builder.stack_bytes(64 << 10).max_item_bytes(60), None),
    limits(
        "500 bytes of code",
        |builder| builder.stack_bytes(64 << 10).max_code_bytes(500),
        Some(DiagnosticCode::CodeMemoryFull),
    ),
];

const fn limits(
    name: &'static str,
    apply: fn(Builder) -> Builder,
    excused: Option<DiagnosticCode>,
) -> Limits {
    Limits { name, apply, excused }
}

/// A list of steps and the engines that run them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Settings of the engines that are compared with the reference.
    pub tested: Vec<Setting>,
    /// The index of the engines' limits in [`LIMITS`].
    limits: usize,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Session {
    /// Generates the session of this seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self { tested: TESTED.to_vec(), limits: random.below(LIMITS.len()), steps: step::steps(random) }
    }

    /// Generates a fuzzer's session: the bytes are the choices. Most sessions have one engine
    /// besides the reference, because compiling takes most of the time.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut random = Random::from_bytes(bytes);
        let limits = random.below(LIMITS.len());
        let tested = match TESTED.get(random.below(TESTED.len() + 1)) {
            Some(&setting) => vec![setting],
            None => TESTED.to_vec(),
        };
        Self { tested, limits, steps: step::steps(random) }
    }

    /// Runs the session. Reduces it if the engines disagree.
    ///
    /// # Errors
    ///
    /// Returns the reduced session and the difference.
    pub fn check(&self) -> Result<(), String> {
        self.run(&self.steps).map(drop).map_err(|difference| {
            let small = reduce(&self.steps, |steps| self.run(steps).is_err());
            let difference = self.run(&small).err().unwrap_or(difference);
            let mut report =
                format!("{difference}\n── the session with {}, reduced ──\n", LIMITS[self.limits].name);
            for step in &small {
                let _ = writeln!(report, "{step:?}");
            }
            report
        })
    }

    /// Runs the steps with every engine.
    fn run(&self, steps: &[Step]) -> Result<Tally, String> {
        let limits = &LIMITS[self.limits];
        let mut reference = Participant::new(REFERENCE, limits);
        let mut tested: Vec<Participant> =
            self.tested.iter().map(|&setting| Participant::new(setting, limits)).collect();
        let mut tally = Tally::default();
        for step in steps.iter().map(Some).chain([None]) {
            let expected = reference.run_step(step);
            for participant in &mut tested {
                let result = participant.check_step(step, &expected);
                result.map_err(|complaint| format!("{participant}, {step:?}\n  {complaint}"))?;
            }
            tally.add(&expected);
        }
        Ok(tally)
    }
}

/// Numbers of results of each kind in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    n_values: usize,
    n_errors: usize,
    n_overflows: usize,
    /// Evaluations stopped by an interrupt and by a time limit.
    n_interrupted: usize,
    n_timed_out: usize,
    /// Errors that host closures returned.
    n_host_errors: usize,
    /// Items that ran within a write.
    n_nested: usize,
    /// Races whose calls depend on their time.
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
        self.n_nested += run.nested.len();
        self.n_races += usize::from(run.race.is_time_dependent());
    }
}
