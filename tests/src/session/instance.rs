//! Engine with its output sink: runs texts, calls and scopes.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::thread;

use kaleidoscope::{Builder, Engine};

use super::handle::Handle;
use super::item::ItemRun;
use super::output_sink::OutputSink;

/// An engine and the sink of its programs.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) engine: Engine,
    pub(super) sink: OutputSink,
}

impl Instance {
    /// Builds the engine.
    pub(super) fn new(builder: Builder) -> Self {
        let sink = OutputSink::default();
        let engine = builder.output(sink.clone()).build();
        Self { engine: engine.expect("the machine of a test has memory for an engine"), sink }
    }

    /// Runs a text as a script of its own.
    pub(super) fn run(&self, text: &str) -> Vec<ItemRun> {
        self.sink.run_separately(&self.engine, text)
    }

    /// Calls the function.
    pub(super) fn call(&self, handle: &Handle) -> ItemRun {
        self.sink.run_call(|| handle.call())
    }

    /// In one scope: calls the functions, runs a text as a script of its own, and calls them again.
    pub(super) fn run_in_scope(&self, handles: &VecDeque<Handle>, text: &str) -> Vec<ItemRun> {
        let entered = self.engine.enter(|scope| {
            let calls = || handles.iter().map(|handle| self.sink.run_call(|| handle.call_in(scope)));
            let before: Vec<ItemRun> = calls().collect();
            Ok(before.into_iter().chain(self.run(text)).chain(calls()).collect())
        });
        entered.unwrap_or_else(|error| vec![self.sink.run_call(|| Err(error))])
    }

    /// Runs a text on another thread and interrupts it until it ends.
    pub(super) fn run_interrupted(&self, text: &str) -> Vec<ItemRun> {
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
