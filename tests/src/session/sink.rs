//! Where the programs of a session write to: a sink that may call the engine from within a write.
//!
//! A reaction is a text that is run when the program next writes, in the middle of the evaluation that writes. When it
//! has changed the program, that evaluation may go on with the old functions or with the new ones, and from then on
//! writes as it likes: nothing more reacts until it has ended, so that every mode runs the same reactions.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use kaleidoscope::{Engine, Output};

use super::item::{ItemRun, run_apart};

/// What was written while something ran.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) output: String,
    /// Whether a reaction has changed the program meanwhile.
    pub(super) is_open: bool,
}

/// The sink of one engine. Clones are the same sink.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink(Arc<Mutex<Stage>>);

#[derive(Debug, Default)]
struct Stage {
    /// What each thread wrote, and nobody has asked for.
    written: HashMap<ThreadId, String>,
    /// The texts to be run, one at each write.
    reactions: VecDeque<String>,
    /// What they are run with; nothing while a write is just a write. Not for longer than a step: the engine owns the
    /// sink.
    engine: Option<Engine>,
    /// What came of the reactions' items.
    inside: Vec<ItemRun>,
    /// How many reactions are running, one inside the other.
    depth: usize,
    /// How often reactions have changed the program, now and when the outermost item began.
    n_changes: usize,
    n_changes_before: usize,
}

impl Sink {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the text run at the next write that nothing else reacts to.
    pub(super) fn add_reaction(&self, text: &str) {
        self.stage().reactions.push_back(text.to_owned());
    }

    /// Runs the step with reactions. Returns also what came of their items.
    pub(super) fn react<T>(&self, engine: &Engine, step: impl FnOnce() -> T) -> (T, Vec<ItemRun>) {
        self.stage().engine = Some(engine.clone());
        let result = step();
        let mut stage = self.stage();
        stage.engine = None;
        (result, mem::take(&mut stage.inside))
    }

    /// Runs an item or a call. Returns also what was written meanwhile, on this thread.
    pub(super) fn listen<T>(&self, run: impl FnOnce() -> T) -> (T, Written) {
        let n_changes_before = self.stage().begin();
        let result = run();
        let mut stage = self.stage();
        let output = stage.written.remove(&thread::current().id()).unwrap_or_default();
        (result, Written { output, is_open: stage.n_changes != n_changes_before })
    }
}

impl Output for Sink {
    fn write(&self, text: &str) -> io::Result<()> {
        let reaction = self.stage().write(text);
        if let Some((engine, text)) = reaction {
            let items = run_apart(&engine, self, &text);
            let mut stage = self.stage();
            stage.depth -= 1;
            stage.n_changes += items.iter().filter(|item| item.is_change()).count();
            stage.inside.extend(items);
        }
        Ok(())
    }
}

impl Stage {
    /// An item is about to run. Returns how often reactions have changed the program.
    fn begin(&mut self) -> usize {
        if self.depth == 0 {
            self.n_changes_before = self.n_changes;
        }
        self.n_changes
    }

    /// Notes what was written. Returns the reaction that is to be run now.
    fn write(&mut self, text: &str) -> Option<(Engine, String)> {
        self.written.entry(thread::current().id()).or_default().push_str(text);
        let engine = self.engine.clone().filter(|_| self.n_changes == self.n_changes_before)?;
        let reaction = self.reactions.pop_front()?;
        self.depth += 1;
        Some((engine, reaction))
    }
}
