//! Output sink of a session's programs, which can call the engine from within a write.
//!
//! A reaction is a text that runs at the program's next write, in the middle of the evaluation that
//! writes. After a reaction has redefined a function, that evaluation may use the old or the new
//! function, so its writes depend on the mode. No more reactions run until the evaluation ends, so
//! every mode runs the same reactions.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use kaleidoscope::{CallError, Diagnostic, Engine, ItemOutcome, Output, Script};

use super::item::{ItemRun, Written};

/// The sink of one engine. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputSink(Arc<Mutex<SinkState>>);

#[derive(Debug, Default)]
struct SinkState {
    /// Unread output of each thread.
    written: HashMap<ThreadId, String>,
    /// Texts to run, one at each write.
    reactions: VecDeque<String>,
    /// The engine that runs reactions, or `None` outside steps with reactions. Set for a step only,
    /// because the engine owns the sink.
    engine: Option<Engine>,
    /// Results of the reactions' items.
    nested: Vec<ItemRun>,
    /// Number of running reactions: they nest.
    depth: usize,
    /// Changes of the program by reactions: now, and when the outermost item began.
    n_changes: usize,
    n_changes_before: usize,
}

impl OutputSink {
    fn state(&self) -> MutexGuard<'_, SinkState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a text that runs at a later write.
    pub(super) fn add_reaction(&self, text: &str) {
        self.state().reactions.push_back(text.to_owned());
    }

    /// Runs a step with reactions. Also returns the results of the reactions' items.
    pub(super) fn react<T>(&self, engine: &Engine, step: impl FnOnce() -> T) -> (T, Vec<ItemRun>) {
        self.state().engine = Some(engine.clone());
        let result = step();
        let mut state = self.state();
        state.engine = None;
        (result, mem::take(&mut state.nested))
    }

    /// Runs an item or a call. Also returns what it wrote on this thread.
    pub(super) fn listen<T>(&self, run: impl FnOnce() -> T) -> (T, Written) {
        let n_changes_before = self.state().begin();
        let result = run();
        let mut state = self.state();
        let output = state.written.remove(&thread::current().id()).unwrap_or_default();
        (result, Written { output, is_undetermined: state.n_changes != n_changes_before })
    }

    /// Runs the items of the script that `next` accepts.
    pub(super) fn run_items(
        &self,
        script: &mut Script,
        next: fn(&mut Script) -> Option<ItemOutcome>,
    ) -> Vec<ItemRun> {
        let mut items = Vec::new();
        while let (Some(item), written) = self.listen(|| next(script)) {
            items.push(ItemRun::new(item.value, item.diagnostics, Some(item.span), written));
        }
        items
    }

    /// Runs a text as a script of its own.
    pub(super) fn run_separately(&self, engine: &Engine, text: &str) -> Vec<ItemRun> {
        let mut script = engine.script("separate");
        script.push(text);
        script.finish();
        self.run_items(&mut script, Script::run_next)
    }

    /// Makes a call from Rust.
    pub(super) fn run_call(&self, call: impl FnOnce() -> Result<f64, CallError>) -> ItemRun {
        let (result, written) = self.listen(call);
        let error =
            result.as_ref().err().map(|error| Diagnostic::error(error.code(), None, error.to_string()));
        ItemRun::new(result.ok(), error.into_iter().collect(), None, written)
    }
}

impl Output for OutputSink {
    fn write(&self, text: &str) -> io::Result<()> {
        let reaction = self.state().write(text);
        if let Some((engine, text)) = reaction {
            let items = self.run_separately(&engine, &text);
            let mut state = self.state();
            state.depth -= 1;
            state.n_changes += items.iter().filter(|item| item.is_change()).count();
            state.nested.extend(items);
        }
        Ok(())
    }
}

impl SinkState {
    /// Begins an item. Returns the number of changes by reactions so far.
    fn begin(&mut self) -> usize {
        if self.depth == 0 {
            self.n_changes_before = self.n_changes;
        }
        self.n_changes
    }

    /// Records the output. Returns the reaction to run now.
    fn write(&mut self, text: &str) -> Option<(Engine, String)> {
        self.written.entry(thread::current().id()).or_default().push_str(text);
        let engine = self.engine.clone().filter(|_| self.n_changes == self.n_changes_before)?;
        let reaction = self.reactions.pop_front()?;
        self.depth += 1;
        Some((engine, reaction))
    }
}
