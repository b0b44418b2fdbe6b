//! Text being run: item after item, each with the names as the ones before have left them.

use crate::engine::{Commit, Engine};
use crate::failure::Failure;
use crate::{Diagnostic, Event, Mode, Severity, Source, Span};
use kaleidoscope_jit::Trap;
use kaleidoscope_lang::item::{Item, Read};
use kaleidoscope_lang::names::Names;
use kaleidoscope_lang::reader::Reader;
use std::time::Instant;

/// A text that is read and run item by item. From [`Engine::script`].
///
/// Text may be added while it runs: an item is taken when it is surely complete.
#[derive(Debug)]
pub struct Script {
    engine: Engine,
    reader: Reader,
}

/// What came of one item.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// let outcome = engine.run("def f(x) x; f(1); g(1);");
/// let is_error: Vec<bool> = outcome.items.iter().map(|item| item.is_error()).collect();
/// assert_eq!(is_error, [false, false, true]);
/// assert_eq!(outcome.items[1].value, Some(1.0));
/// assert_eq!(outcome.source.slice(outcome.items[2].span), "g(1)");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ItemOutcome {
    /// The value, of a top-level expression that ran to its end.
    pub value: Option<f64>,
    /// What is to be said of the item: errors, which made it fail, and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Where the item stands in the text.
    pub span: Span,
}

impl ItemOutcome {
    /// Whether the item failed.
    pub fn is_error(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// What came of a whole text.
///
/// ```
/// use kaleidoscope::{Color, Engine, render};
///
/// let outcome = Engine::new()?.run("1; x; 3;");
/// assert_eq!(outcome.values().collect::<Vec<_>>(), [1.0, 3.0]);
/// let text: String = outcome.diagnostics().map(|diagnostic| render(diagnostic, &outcome.source, Color::Never)).collect();
/// assert!(text.contains("there is no variable `x` here"));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The items, in order.
    pub items: Vec<ItemOutcome>,
    /// The text, for rendering diagnostics.
    pub source: Source,
}

impl Outcome {
    /// The values of the top-level expressions that ran to their end, in order.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.items.iter().filter_map(|item| item.value)
    }

    /// The diagnostics of all items, in order.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> + '_ {
        self.items.iter().flat_map(|item| &item.diagnostics)
    }
}

impl Script {
    pub(crate) fn new(engine: Engine, name: &str) -> Self {
        let mut reader = Reader::new(name);
        reader.limit_items(engine.shared.settings.max_item_bytes);
        Self { engine, reader }
    }

    /// Adds text at the end.
    pub fn push(&mut self, text: &str) {
        self.reader.push(text);
    }

    /// Says that no more text comes: what is there is all.
    pub fn finish(&mut self) {
        self.reader.finish();
    }

    /// The text so far, for rendering diagnostics.
    pub fn source(&self) -> Source {
        self.reader.source()
    }

    /// Whether the text so far ends within an item.
    pub fn is_pending(&self) -> bool {
        self.reader.pending()
    }

    /// Drops the text that has not been read: what a person wants who gives up an unfinished item.
    pub fn abandon(&mut self) {
        self.reader.abandon();
    }

    /// Reads the next item and runs it. `None` when there is none, or none that is surely complete.
    pub fn run_next(&mut self) -> Option<ItemOutcome> {
        self.run(Reader::read)
    }

    /// As [`Self::run_next`], but an item is also taken when it may end where the text so far ends: what a person
    /// expects who has typed `1 + 2` and a new line.
    pub fn run_next_line(&mut self) -> Option<ItemOutcome> {
        self.run(Reader::read_line)
    }

    /// Runs all that is left, going on after errors: no more text comes.
    pub(crate) fn run_to_end(mut self) -> Outcome {
        self.finish();
        let items = std::iter::from_fn(|| self.run_next()).collect();
        Outcome { items, source: self.source() }
    }

    /// Reads the next item and makes it part of the program, but runs nothing: for tools that look at a program.
    pub fn read_next(&mut self) -> Option<Read> {
        self.read(Reader::read).map(|(read, _)| read)
    }

    /// The reader, for the tokens and the syntax of the item read last.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    fn read(&mut self, read: ReadItem) -> Option<(Read, Result<Commit, Failure>)> {
        let mut program = self.engine.shared.program();
        let read = read(&mut self.reader, &program.names)?;
        let commit = match &read.item {
            Some(item) => self.engine.commit(&mut program, item, self.reader.slice(read.span)),
            None => Ok(Commit::default()),
        };
        Some((read, commit))
    }

    fn run(&mut self, read: ReadItem) -> Option<ItemOutcome> {
        let start = Instant::now();
        let (read, commit) = self.read(read)?;
        let took = start.elapsed();
        let Read { item, mut diagnostics, span, .. } = read;
        // A panic of an observer makes the item an error, but takes nothing back.
        let mut observed = self.engine.jit.emit(|| Event::Read { took });
        let result = commit.and_then(|commit| self.run_item(item, commit, &mut observed));
        let result = result.and_then(|value| Ok(observed.map(|()| value)?));
        let value = result.unwrap_or_else(|failure| {
            diagnostics.push(failure.into_diagnostic(span));
            None
        });
        Some(ItemOutcome { value, diagnostics, span })
    }

    /// Finishes a definition, or runs an expression. The first panic of an observer of a definition is
    /// noted in `observed`.
    fn run_item(
        &self,
        item: Option<Item>,
        commit: Commit,
        observed: &mut Result<(), Trap>,
    ) -> Result<Option<f64>, Failure> {
        let jit = &self.engine.jit;
        let mut note = |result: Result<(), Trap>| {
            if observed.is_ok() {
                *observed = result;
            }
        };
        note(jit.settle(commit.superseded));
        match item {
            Some(Item::Expression { function, .. }) => Ok(Some(jit.run_once(&function, self.engine.limits)?)),
            Some(Item::Definition { id, .. }) => {
                if jit.mode() == Mode::Eager {
                    match jit.compile_eagerly(id) {
                        // The first call fails again, and reports it.
                        Ok(()) | Err(Trap::Compile { .. } | Trap::CodeMemoryFull { .. }) => {}
                        Err(trap) => note(Err(trap)),
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// One of the reader's ways to read an item.
type ReadItem = fn(&mut Reader, &Names) -> Option<Read>;
