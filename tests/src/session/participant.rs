//! Participant of a session: one engine that runs the session's steps.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use kaleidoscope::{DiagnosticCode, Engine, ErrorKind, ItemOutcome, Script};

use super::Limits;
use super::code_lifetimes::CodeLifetimes;
use super::handle::Handle;
use super::instance::Instance;
use super::item::ItemRun;
use super::race::RaceRun;
use super::step::{Delivery, Step, StopBy};
use crate::run::Setting;

/// Time limit of endless programs. A busy machine stops them later, which changes no result.
const TIME_LIMIT: Duration = Duration::from_millis(2);

/// The most handles to hold. A scope calls each of them twice.
const MAX_HANDLES: usize = 3;

/// The results of one step.
#[derive(Debug, Default, PartialEq)]
pub(super) struct StepRun {
    /// Results of items and of calls from Rust.
    pub(super) items: Vec<ItemRun>,
    /// Results of items that ran within a write of the program.
    pub(super) nested: Vec<ItemRun>,
    pub(super) race: RaceRun,
    /// Why there is no handle to hold.
    no_handle: Option<ErrorKind>,
    /// Whether an unfinished item waits for more text.
    is_pending: bool,
}

impl StepRun {
    /// Replaces each result with this error by the expected result.
    fn excuse(&mut self, error: DiagnosticCode, expected: &Self) {
        for (run, expected) in self.items.iter_mut().chain(self.race.runs_mut()).zip(expected.runs()) {
            if run.errors().any(|code| code == error) {
                run.clone_from(expected);
            }
        }
    }

    fn runs(&self) -> impl Iterator<Item = &ItemRun> {
        self.items.iter().chain(self.race.runs())
    }
}

/// Registers the closure of a [`Step::Register`].
fn register(engine: &Engine, name: &str, n_arguments: usize, offset: usize) {
    let sum = move |args: &[f64]| {
        let sum = args.iter().sum::<f64>() + offset as f64;
        if sum > 9.0 { Err("too much") } else { Ok(sum) }
    };
    let registered = engine.register_slice(name, n_arguments as u32, sum);
    registered.expect("a session uses valid names, and its observer does not panic");
}

/// An engine of the session, with the script that most steps add text to.
pub(super) struct Participant {
    setting: Setting,
    limits: &'static Limits,
    instance: Instance,
    script: Script,
    /// The last handles that were looked up.
    handles: VecDeque<Handle>,
    lifetimes: CodeLifetimes,
}

impl Participant {
    pub(super) fn new(setting: Setting, limits: &'static Limits) -> Self {
        let lifetimes = CodeLifetimes::default();
        let instance = Instance::new((limits.apply)(setting.builder()).observer(lifetimes.clone()));
        let script = instance.engine.script("session");
        Self { setting, limits, instance, script, handles: VecDeque::new(), lifetimes }
    }

    /// Runs the step. `None` ends the session.
    pub(super) fn run_step(&mut self, step: Option<&Step>) -> StepRun {
        let mut run = StepRun::default();
        match step {
            Some(Step::Text { text, delivery }) => {
                (run.items, run.nested) = self.run_with_reactions(|it| it.deliver(text, *delivery));
            }
            Some(Step::Reaction { text }) => self.instance.sink.add_reaction(text),
            Some(Step::Hold { name, n_arguments }) => {
                let handle = Handle::new(&self.instance.engine, name, *n_arguments);
                run.no_handle = handle.map(|handle| self.hold(handle)).err().map(|error| error.kind());
            }
            Some(&Step::Register { name, n_arguments, offset }) => {
                register(&self.instance.engine, name, n_arguments, offset);
                self.lifetimes.withdraw(name);
            }
            Some(Step::Scope { text }) => {
                (run.items, run.nested) =
                    self.run_with_reactions(|it| it.instance.run_in_scope(&it.handles, text));
            }
            Some(Step::Endless { text, stop }) => {
                // What stops the text may stop a compiler, too. The definitions are to be complete.
                let (definitions, endless) = text.rsplit_once(';').unwrap_or(("", text));
                match stop {
                    StopBy::Interrupt => {
                        run.items = self.instance.run(definitions);
                        run.items.extend(self.instance.run_interrupted(endless));
                    }
                    StopBy::TimeLimit => {
                        // A separate engine: nothing else defines what runs under the limit.
                        let mut instance = Instance::new((self.limits.apply)(self.setting.builder()));
                        run.items = instance.run(definitions);
                        instance.engine = instance.engine.within(TIME_LIMIT);
                        run.items.extend(instance.run(endless));
                    }
                }
            }
            Some(Step::Race(race)) => run.race = race.run_sequentially(&self.instance),
            None => {
                self.script.finish();
                run.items = self.run_items(Script::run_next);
            }
        }
        run.is_pending = self.script.is_pending();
        run
    }

    /// Runs the step and compares the results with those of the reference.
    ///
    /// # Errors
    ///
    /// Describes the difference.
    pub(super) fn check_step(&mut self, step: Option<&Step>, expected: &StepRun) -> Result<(), String> {
        if let (Some(Step::Race(race)), None) = (step, self.limits.excused) {
            race.run_concurrently(&self.instance, &expected.race)?;
        } else {
            let mut got = self.run_step(step);
            if let Some(error) = self.limits.excused {
                got.excuse(error, expected);
            }
            if got != *expected {
                return Err(format!("expected {expected:?}\n  got      {got:?}"));
            }
        }
        self.lifetimes.check()
    }

    /// Runs a step with reactions, unless an excused error may end a program earlier in this mode.
    fn run_with_reactions(
        &mut self,
        step: impl FnOnce(&mut Self) -> Vec<ItemRun>,
    ) -> (Vec<ItemRun>, Vec<ItemRun>) {
        if self.limits.excused.is_some() {
            return (step(self), Vec::new());
        }
        let (sink, engine) = (self.instance.sink.clone(), self.instance.engine.clone());
        sink.react(&engine, || step(self))
    }

    fn hold(&mut self, handle: Handle) {
        self.handles.truncate(MAX_HANDLES - 1);
        self.handles.push_front(handle);
    }

    fn deliver(&mut self, text: &str, delivery: Delivery) -> Vec<ItemRun> {
        if delivery == Delivery::Separate {
            return self.instance.run(text);
        }
        let mut items = Vec::new();
        for piece in delivery.pieces(text) {
            self.script.push(piece);
            items.extend(self.run_items(Script::run_next));
        }
        match delivery {
            Delivery::Line => items.extend(self.run_items(Script::run_next_line)),
            Delivery::Abandoned => self.script.abandon(),
            _ => {}
        }
        items
    }

    fn run_items(&mut self, next: fn(&mut Script) -> Option<ItemOutcome>) -> Vec<ItemRun> {
        self.instance.sink.run_items(&mut self.script, next)
    }
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { mode, optimization, .. } = self.setting;
        write!(f, "mode {} at level {optimization:?}", mode.name())
    }
}
