//! Output sink of a session's programs, which can call the engine from within a write.
//!
//! A reaction is a text that runs at the program's next write, in the middle of the evaluation that
//! writes. If it redefines a function, the very next call runs the new definition, in every mode.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use kaleidoscope::{CallError, Diagnostic, Engine, ItemOutcome, Output, Script};

use super::item::ItemRun;

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
    pub(super) fn listen<T>(&self, run: impl FnOnce() -> T) -> (T, String) {
        let result = run();
        let output = self.state().written.remove(&thread::current().id()).unwrap_or_default();
        (result, output)
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
            self.state().nested.extend(items);
        }
        Ok(())
    }
}

impl SinkState {
    /// Records the output. Returns the reaction to run now.
    fn write(&mut self, text: &str) -> Option<(Engine, String)> {
        self.written.entry(thread::current().id()).or_default().push_str(text);
        let engine = self.engine.clone()?;
        let reaction = self.reactions.pop_front()?;
        Some((engine, reaction))
    }
}
