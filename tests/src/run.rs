//! Runs a text in one mode and returns the results of its items.
//!
//! A result has exactly what a person or a script can see of the run, so `==` compares two runs.
//! Values are compared in their printed form, which shows every bit of a double except the sign and
//! payload of NaN. The language cannot observe those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kaleidoscope::lang::number;
use kaleidoscope::{
    Array, Builder, Engine, Event, Mode, Observer, Optimization, OutputBuffer, Severity, Statistics,
    Thresholds, Variable,
};

use crate::generate::{HOST_ARRAYS, HOST_VARIABLES, WITH_PRELUDE};

/// One effect of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The printed value of a top-level expression.
    Value(String),
    /// The code of an error.
    Error(String),
    /// The code of a warning.
    Warning(String),
}

/// The results of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRun {
    /// Values and diagnostics in order, each with its line: the end of the item, or the position of
    /// the diagnostic.
    pub effects: Vec<(Effect, usize)>,
    /// The output of the item.
    pub output: String,
    /// The last line of the item, from 1.
    pub line: usize,
}

/// The results of a text.
#[derive(Clone, Debug)]
pub struct Run {
    /// The items, in order.
    pub items: Vec<ItemRun>,
    /// For each item, the functions compiled while it ran, in order.
    pub compiled: Vec<Vec<String>>,
}

/// Engine settings of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// When functions are compiled.
    pub mode: Mode,
    /// How much code is optimized.
    pub optimization: Optimization,
    /// Whether debuggers see the code, which is different then.
    pub has_debug_info: bool,
}

/// Tier-up thresholds so low that small programs tier up while they run.
const THRESHOLDS: Thresholds = Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };

impl Setting {
    /// Returns every mode at its default optimization level.
    pub fn every_mode() -> impl Iterator<Item = Self> {
        Mode::ALL.iter().map(|&mode| Self::new(mode, Optimization::default()))
    }

    /// The mode at this level, without debug information.
    pub const fn new(mode: Mode, optimization: Optimization) -> Self {
        Self { mode, optimization, has_debug_info: false }
    }

    /// The same, with debug information.
    #[must_use]
    pub const fn with_debug_info(self) -> Self {
        Self { has_debug_info: true, ..self }
    }

    /// Returns an engine builder with this setting.
    pub fn builder(self) -> Builder {
        let builder =
            Engine::builder().mode(self.mode).optimization(self.optimization).thresholds(THRESHOLDS);
        if self.has_debug_info { builder.debug_info() } else { builder }
    }
}

/// Observer that records the compiled functions.
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

/// Adds the prelude if the text says so.
///
/// # Panics
///
/// If the prelude has a mistake.
pub fn add_prelude(engine: &Engine, text: &str) {
    if text.lines().any(|line| line == WITH_PRELUDE) {
        engine.prelude().expect("the prelude has no mistakes");
    }
}

/// Runs a text, which may use [`HOST_VARIABLES`] and [`HOST_ARRAYS`], and arrays that a comment
/// names.
///
/// # Panics
///
/// If no engine can be built.
pub fn run(text: &str, setting: Setting) -> Run {
    run_counted(text, setting, Statistics::new())
}

/// Runs a text like [`run`] and adds to the caller's statistics.
///
/// # Panics
///
/// If no engine can be built.
pub fn run_counted(text: &str, setting: Setting, statistics: Statistics) -> Run {
    let output = OutputBuffer::default();
    let compilations = Compilations::default();
    let builder = HOST_VARIABLES
        .iter()
        .fold(setting.builder(), |builder, &(name, value)| builder.bind(name, &Variable::new(value)));
    let engine = HOST_ARRAYS
        .iter()
        .fold(builder, |builder, &(name, len)| builder.bind_array(name, &Array::from_slice(&vec![1.0; len])));
    let engine = arrays_of(text)
        .fold(engine, |builder, (name, len)| builder.bind_array(name, &Array::new(len)))
        .output(output.clone())
        .observer(compilations.clone())
        .observer(statistics)
        .build()
        .expect("the machine of a test has memory for an engine");
    add_prelude(&engine, text);
    compilations.take();
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

/// The arrays that comments of a text name, as the command does: `--array NAME=LENGTH`. All
/// elements are 0 at first.
pub fn arrays_of(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let comments = text.lines().filter_map(|line| line.strip_prefix('#'));
    let options = comments.flat_map(|comment| comment.split("--array ").skip(1));
    options.filter_map(|option| {
        let (name, length) = option.split_ascii_whitespace().next()?.split_once('=')?;
        Some((name, length.parse().ok()?))
    })
}

impl Run {
    /// Returns what the command writes to standard output for this run: output and values. An
    /// unfinished output line ends before a value.
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
