//! One engine of a session, and how it takes a step.

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use kaleidoscope::{Builder, DiagnosticCode, Engine, ErrorKind, ItemOutcome, Script};

use super::Frame;
use super::handle::Handle;
use super::item::{ItemRun, run_apart, run_call, run_items};
use super::lives::Lives;
use super::race::RaceRun;
use super::sink::Sink;
use super::step::{Step, Stop, Way};
use crate::run::Setting;

/// How long what never ends may run. A machine under load takes longer to notice; it makes no difference.
const TIME_LIMIT: Duration = Duration::from_millis(2);

/// The most functions that are held: each is called twice in a scope.
const MOST_HANDLES: usize = 3;

/// What came of one step.
#[derive(Debug, Default, PartialEq)]
pub(super) struct StepRun {
    /// Of the items, and of calls from Rust.
    pub(super) items: Vec<ItemRun>,
    /// Of items run from within the program's output.
    pub(super) inside: Vec<ItemRun>,
    pub(super) race: RaceRun,
    /// Why there is no function to hold.
    no_handle: Option<ErrorKind>,
    /// Whether an unfinished item waits for more text.
    is_pending: bool,
}

impl StepRun {
    /// Counts what failed with this error as if it were what is expected.
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

/// An engine, and where its programs write to.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) engine: Engine,
    pub(super) sink: Sink,
}

impl Room {
    /// A room for an engine that is set up so.
    pub(super) fn new(builder: Builder) -> Self {
        let sink = Sink::default();
        let engine = builder.output(sink.clone()).build();
        Self { engine: engine.expect("the machine of a test has memory for an engine"), sink }
    }

    /// Runs a text of its own.
    pub(super) fn run(&self, text: &str) -> Vec<ItemRun> {
        run_apart(&self.engine, &self.sink, text)
    }

    /// Calls the function by itself.
    pub(super) fn call(&self, handle: &Handle) -> ItemRun {
        run_call(&self.sink, || handle.call())
    }

    /// Inside of one scope: calls the functions, runs a text of its own, and calls them again.
    fn run_in_scope(&self, handles: &VecDeque<Handle>, text: &str) -> Vec<ItemRun> {
        let entered = self.engine.enter(|scope| {
            let calls = || handles.iter().map(|handle| run_call(&self.sink, || handle.call_in(scope)));
            let before: Vec<ItemRun> = calls().collect();
            before.into_iter().chain(self.run(text)).chain(calls()).collect()
        });
        entered.unwrap_or_else(|error| vec![run_call(&self.sink, || Err(error))])
    }

    /// Runs a text of its own on another thread, with requests to stop until it does.
    fn run_interrupted(&self, text: &str) -> Vec<ItemRun> {
        let interrupter = self.engine.interrupter();
        thread::scope(|scope| {
            let running = scope.spawn(|| self.run(text));
            while !running.is_finished() {
                interrupter.interrupt();
                thread::yield_now();
            }
            running.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Registers what [`Step::Register`] says.
fn register(engine: &Engine, name: &str, n_arguments: usize, offset: usize) {
    let sum = move |args: &[f64]| {
        let sum = args.iter().sum::<f64>() + offset as f64;
        if sum > 9.0 { Err("too much") } else { Ok(sum) }
    };
    let registered = engine.register_slice(name, n_arguments as u32, sum);
    registered.expect("a session's names are names, and its observer does not panic");
}

/// An engine of the session, with the one long text that most steps add to.
pub(super) struct Seat {
    setting: Setting,
    frame: &'static Frame,
    room: Room,
    script: Script,
    /// Functions that were asked for, the last ones.
    handles: VecDeque<Handle>,
    lives: Lives,
}

impl Seat {
    pub(super) fn new(setting: Setting, frame: &'static Frame) -> Self {
        let lives = Lives::default();
        let room = Room::new((frame.apply)(setting.builder()).observer(lives.clone()));
        let script = room.engine.script("session");
        Self { setting, frame, room, script, handles: VecDeque::new(), lives }
    }

    /// Takes the step, or ends the session where there is none.
    pub(super) fn take(&mut self, step: Option<&Step>) -> StepRun {
        let mut run = StepRun::default();
        match step {
            Some(Step::Text { text, way }) => {
                (run.items, run.inside) = self.react(|seat| seat.hand_over(text, *way));
            }
            Some(Step::Reaction { text }) => self.room.sink.add_reaction(text),
            Some(Step::Hold { name, n_arguments }) => {
                let handle = Handle::new(&self.room.engine, name, *n_arguments);
                run.no_handle = handle.map(|handle| self.hold(handle)).err().map(|error| error.kind());
            }
            Some(&Step::Register { name, n_arguments, offset }) => {
                register(&self.room.engine, name, n_arguments, offset);
                self.lives.withdraw(name);
            }
            Some(Step::Scope { text }) => {
                (run.items, run.inside) = self.react(|seat| seat.room.run_in_scope(&seat.handles, text));
            }
            Some(Step::Endless { text, stop: Stop::Request }) => run.items = self.room.run_interrupted(text),
            Some(Step::Endless { text, stop: Stop::TimeLimit }) => {
                // Of another engine: with so short a limit, what ends by itself might not end in time.
                let builder = (self.frame.apply)(self.setting.builder());
                run.items = Room::new(builder.time_limit(TIME_LIMIT)).run(text);
            }
            Some(Step::Race(race)) => run.race = race.run_in_turn(&self.room),
            None => {
                self.script.finish();
                run.items = self.drain(Script::run_next);
            }
        }
        run.is_pending = self.script.is_pending();
        run
    }

    /// Takes the step and compares with what the reference made of it.
    ///
    /// # Errors
    ///
    /// What differs, in words.
    pub(super) fn judge(&mut self, step: Option<&Step>, expected: &StepRun) -> Result<(), String> {
        if let (Some(Step::Race(race)), None) = (step, self.frame.excused) {
            race.run_at_once(&self.room, &expected.race)?;
        } else {
            let mut got = self.take(step);
            if let Some(error) = self.frame.excused {
                got.excuse(error, expected);
            }
            if got != *expected {
                return Err(format!("expected {expected:?}\n  got      {got:?}"));
            }
        }
        self.lives.check()
    }

    /// Takes a step in which reactions run, unless the engines may differ in how far a program comes.
    fn react(&mut self, step: impl FnOnce(&mut Self) -> Vec<ItemRun>) -> (Vec<ItemRun>, Vec<ItemRun>) {
        if self.frame.excused.is_some() {
            return (step(self), Vec::new());
        }
        let (sink, engine) = (self.room.sink.clone(), self.room.engine.clone());
        sink.react(&engine, || step(self))
    }

    fn hold(&mut self, handle: Handle) {
        self.handles.truncate(MOST_HANDLES - 1);
        self.handles.push_front(handle);
    }

    fn hand_over(&mut self, text: &str, way: Way) -> Vec<ItemRun> {
        if way == Way::Apart {
            return self.room.run(text);
        }
        let mut items = Vec::new();
        for piece in way.pieces(text) {
            self.script.push(piece);
            items.extend(self.drain(Script::run_next));
        }
        match way {
            Way::Line => items.extend(self.drain(Script::run_next_line)),
            Way::Abandoned => self.script.abandon(),
            _ => {}
        }
        items
    }

    fn drain(&mut self, next: fn(&mut Script) -> Option<ItemOutcome>) -> Vec<ItemRun> {
        run_items(&mut self.script, next, &self.room.sink)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { mode, optimization } = self.setting;
        write!(f, "mode {} at level {optimization:?}", mode.name())
    }
}
