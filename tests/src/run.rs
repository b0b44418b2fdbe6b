//! A text run in one mode, and what came of each of its items.
//!
//! The result keeps what a person or a script could see of the run and nothing else, so that two runs can be compared
//! with `==`. Values are compared in their printed form: it has every bit of a double but the sign and payload of NaN,
//! which the language cannot observe.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kaleidoscope::lang::number;
use kaleidoscope::{
    Builder, Engine, Event, Mode, Observer, Optimization, OutputBuffer, Severity, Statistics, Thresholds,
    Variable,
};

use crate::generate::HOST_VARIABLES;

/// One thing that an item gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The value of a top-level expression, as it is printed.
    Value(String),
    /// The code of an error.
    Error(String),
    /// The code of a warning.
    Warning(String),
}

/// What came of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRun {
    /// Values and diagnostics in their order, each with its line: where the item ends or the diagnostic points.
    pub effects: Vec<(Effect, usize)>,
    /// What the program wrote meanwhile.
    pub output: String,
    /// The last line of the item, from 1.
    pub line: usize,
}

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Run {
    /// The items, in order.
    pub items: Vec<ItemRun>,
    /// For each item, the functions compiled while it was run, in order.
    pub compiled: Vec<Vec<String>>,
}

/// How an engine is made for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// When code is made.
    pub mode: Mode,
    /// How much it is optimised.
    pub optimization: Optimization,
}

/// So low that the code of small programs becomes hot in the midst of running.
const THRESHOLDS: Thresholds = Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };

impl Setting {
    /// Every mode at its usual level.
    pub fn every_mode() -> impl Iterator<Item = Self> {
        Mode::ALL.iter().map(|&mode| Self { mode, optimization: Optimization::default() })
    }

    /// An engine with this setting, to be set up further.
    pub fn builder(self) -> Builder {
        Engine::builder().mode(self.mode).optimization(self.optimization).thresholds(THRESHOLDS)
    }
}

/// Notes which functions are compiled.
#[derive(Clone, Debug, Default)]
struct Compilations(Arc<Mutex<Vec<String>>>);

impl Compilations {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Compilations {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { code, .. } = event
            && !code.is_expression()
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(code.name.to_string());
        }
    }
}

/// Runs a text, which may use [`HOST_VARIABLES`].
///
/// # Panics
///
/// When no engine can be made.
pub fn run(text: &str, setting: Setting) -> Run {
    run_counted(text, setting, Statistics::new())
}

/// As [`run`], with statistics that the caller keeps.
///
/// # Panics
///
/// When no engine can be made.
pub fn run_counted(text: &str, setting: Setting, statistics: Statistics) -> Run {
    let output = OutputBuffer::default();
    let compilations = Compilations::default();
    let engine = HOST_VARIABLES
        .iter()
        .fold(setting.builder(), |builder, &(name, value)| builder.bind(name, &Variable::new(value)))
        .output(output.clone())
        .observer(compilations.clone())
        .observer(statistics)
        .build()
        .expect("the machine of a test has memory for an engine");
    let mut script = engine.script("case");
    script.push(text);
    script.finish();

    let mut run = Run { items: Vec::new(), compiled: Vec::new() };
    while let Some(item) = script.run_next() {
        let line_of = |offset: u32| script.source().position(offset).line as usize;
        let line = line_of(item.span.end.saturating_sub(1).max(item.span.start));
        let mut effects: Vec<_> = item
            .diagnostics
            .iter()
            .map(|diagnostic| {
                let code = diagnostic.code.to_string();
                let effect = match diagnostic.severity {
                    Severity::Error => Effect::Error(code),
                    Severity::Warning => Effect::Warning(code),
                };
                (effect, diagnostic.span.map_or(line, |span| line_of(span.start)))
            })
            .collect();
        effects.extend(item.value.map(|value| (Effect::Value(number::format(value)), line)));
        run.items.push(ItemRun { effects, output: output.take(), line });
        run.compiled.push(compilations.take());
    }
    run
}

impl Run {
    /// What the command writes to standard output for this run: output and values, a pending line ended before a value.
    pub fn standard_output(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            text += &item.output;
            for (effect, _) in &item.effects {
                if let Effect::Value(value) = effect {
                    if !text.is_empty() && !text.ends_with('\n') {
                        text.push('\n');
                    }
                    text += value;
                    text.push('\n');
                }
            }
        }
        text
    }
}
