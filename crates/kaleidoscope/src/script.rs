//! Scripts: program text, run item by item. Each item sees the names that the items before it left.

use crate::backtrace::Place;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::outcome::{ItemOutcome, Outcome};
use crate::program::Program;
use crate::{DiagnosticCode, Event, Source, Span};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{Superseded, Trap, in_engine_mode};
use kaleidoscope_lang::item::{Item, Read};
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_lang::reader::Reader;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A program text that is read and run item by item. From [`Engine::script`].
///
/// Text may be added at any time. An item is read once its end is certain.
#[derive(Debug)]
pub struct Script {
    engine: Engine,
    name: Arc<str>,
    reader: Reader,
    /// The functions that the prelude has defined so far, if the text is the prelude.
    prelude: Option<Vec<FunctionId>>,
}

impl Engine {
    /// Runs all items of the text, also after errors.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::new()?;
    /// let outcome = engine.run("1 + 1; 2 +; 3;");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [2.0, 3.0]);
    /// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::ExpectedExpression));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn run(&self, text: &str) -> Outcome {
        self.run_named("text", text)
    }

    /// As [`Self::run`], with a name for the text, which diagnostics show: for example a file's.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let error = Engine::new()?.run_named("rates.kal", "rate(1);").ok().unwrap_err();
    /// assert_eq!(error.to_string(), "rates.kal:1:1: there is no function `rate`");
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn run_named(&self, name: &str, text: &str) -> Outcome {
        let mut script = self.script(name);
        script.push(text);
        script.run_to_end()
    }

    /// A script, for text that is run item by item. Diagnostics show the name, for example a file's
    /// name.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let mut script = engine.script("typed");
    /// script.push("def f(x) ");
    /// assert!(script.run_next().is_none() && script.is_pending());
    /// script.push("x + 1; f(1);");
    /// assert_eq!(script.run_next().and_then(|item| item.value), None);
    /// assert_eq!(script.run_next().and_then(|item| item.value), Some(2.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn script(&self, name: &str) -> Script {
        Script::new(self.clone(), name)
    }

    /// Whether lines of text that are typed one after the other end between items: not inside an
    /// item that waits for its rest. For prompts with several lines. Nothing is defined, nothing
    /// runs.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// assert!(!engine.is_complete(&["def f(x)"]));
    /// assert!(engine.is_complete(&["def f(x)", "  x + 1"]));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn is_complete(&self, lines: &[&str]) -> bool {
        let mut names = self.shared.program().names.clone();
        let mut reader = Reader::new("");
        reader.limit_items(self.shared.settings.max_item_bytes);
        for line in lines {
            reader.push(line);
            reader.push("\n");
            while let Some(read) = in_engine_mode(|| reader.read_line(&names)) {
                read.item.iter().for_each(|item| names.commit(item));
            }
        }
        !reader.pending()
    }
}

impl Script {
    pub(crate) fn new(engine: Engine, name: &str) -> Self {
        let mut reader = Reader::new(name);
        reader.limit_items(engine.shared.settings.max_item_bytes);
        if engine.shared.settings.keeps_positions {
            let directory = std::env::current_dir().unwrap_or_default();
            reader.keep_positions(&directory.to_string_lossy());
        }
        Self { engine, name: name.into(), reader, prelude: None }
    }

    /// Limits the time of each item from now on, as [`Engine::within`] does.
    pub fn set_time_limit(&mut self, limit: Duration) {
        self.engine = self.engine.within(limit);
    }

    /// Adds text at the end.
    pub fn push(&mut self, text: &str) {
        self.reader.push(text);
    }

    /// Declares the text complete: no more text will be pushed.
    pub fn finish(&mut self) {
        self.reader.finish();
    }

    /// The text so far, for rendering diagnostics.
    pub fn source(&self) -> Source {
        self.reader.source()
    }

    /// Whether the text so far ends inside an item.
    pub fn is_pending(&self) -> bool {
        self.reader.pending()
    }

    /// Drops the text that was not read yet, for a user who gives up an unfinished item.
    pub fn abandon(&mut self) {
        self.reader.abandon();
    }

    /// Reads the next item and runs it. `None` if there is none, or if its end is not certain yet.
    pub fn run_next(&mut self) -> Option<ItemOutcome> {
        self.run(Reader::read)
    }

    /// As [`Self::run_next`], but the end of the text may end an item. For interactive use: a user
    /// who typed `1 + 2` and a new line expects the value.
    pub fn run_next_line(&mut self) -> Option<ItemOutcome> {
        self.run(Reader::read_line)
    }

    /// Runs all remaining items, also after errors.
    pub(crate) fn run_to_end(mut self) -> Outcome {
        self.finish();
        let items = std::iter::from_fn(|| self.run_next()).collect();
        Outcome { items, source: self.source() }
    }

    /// Runs the prelude. Also returns the functions that it defined.
    pub(crate) fn run_prelude(mut self) -> (Outcome, Vec<FunctionId>) {
        self.finish();
        self.prelude = Some(Vec::new());
        let items = std::iter::from_fn(|| self.run_next()).collect();
        (Outcome { items, source: self.source() }, self.prelude.unwrap_or_default())
    }

    /// Reads the next item and defines its function, but runs nothing. For tools that inspect a
    /// program.
    pub fn read_next(&mut self) -> Option<Read> {
        in_engine_mode(|| self.read(Reader::read)).map(|(read, _)| read)
    }

    /// The reader, for the tokens and the syntax tree of the item read last.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    fn read(&mut self, read: ReadItem) -> Option<(Read, Result<Superseded, Failure>)> {
        if let Err(trap) = self.engine.jit.admit() {
            return self.refuse(trap).map(|read| (read, Ok(Superseded::default())));
        }
        let mut program = self.engine.shared.program();
        let mut read = read(&mut self.reader, &program.names)?;
        if let Some(defined) = &mut self.prelude {
            match &read.item {
                Some(Item::Definition { id, .. }) if belongs_to_prelude(&program, &read) => defined.push(*id),
                None if !read.diagnostics.iter().any(|found| found.code == DiagnosticCode::NameOfArray) => {}
                _ => read = Read { item: None, diagnostics: Vec::new(), span: read.span },
            }
        }
        let commit = match &read.item {
            Some(item) => {
                let place = Place::new(Arc::clone(&self.name), self.reader.line(read.span.start));
                self.engine.commit(&mut program, item, self.reader.slice(read.span), Some(place))
            }
            None => {
                let text = self.reader.slice(read.span);
                let place = || format!("{}:{}", self.name, self.reader.line(read.span.start));
                program.names.note_failure(&read, text, place);
                Ok(Superseded::default())
            }
        };
        Some((read, commit))
    }

    /// Drops the text that was not read yet, because this thread cannot evaluate now. `None` if no
    /// item has begun.
    #[cold]
    fn refuse(&mut self, trap: Trap) -> Option<Read> {
        let is_pending = self.reader.pending();
        self.reader.abandon();
        let end = u32::try_from(self.reader.source().text().len()).unwrap_or(u32::MAX);
        let span = Span::new(end, end);
        let diagnostics = vec![Failure::from(trap).into_diagnostic(span)];
        is_pending.then_some(Read { item: None, diagnostics, span })
    }

    /// Reading a number computes, as running does.
    fn run(&mut self, read: ReadItem) -> Option<ItemOutcome> {
        in_engine_mode(|| self.run_in_engine_mode(read))
    }

    fn run_in_engine_mode(&mut self, read: ReadItem) -> Option<ItemOutcome> {
        let start = Instant::now();
        let (read, commit) = self.read(read)?;
        let took = start.elapsed();
        let Read { item, mut diagnostics, span, .. } = read;
        // If an observer panics, the item fails, but its definition remains.
        let mut observed = self.engine.jit.emit(|| Event::Read { took });
        let result = commit.and_then(|superseded| self.run_item(item, superseded, &mut observed));
        let result = result.and_then(|value| Ok(observed.map(|()| value)?));
        let value = result.unwrap_or_else(|failure| {
            diagnostics.push(failure.into_diagnostic(span));
            None
        });
        Some(ItemOutcome { value, diagnostics, span })
    }

    /// Finishes a definition, or runs an expression. `observed` receives the first panic of an
    /// observer of a definition.
    fn run_item(
        &self,
        item: Option<Item>,
        superseded: Superseded,
        observed: &mut Result<(), Trap>,
    ) -> Result<Option<f64>, Failure> {
        let jit = &self.engine.jit;
        let mut note = |result: Result<(), Trap>| {
            if observed.is_ok() {
                *observed = result;
            }
        };
        note(jit.settle(superseded));
        match item {
            Some(Item::Expression { function, .. }) => Ok(Some(jit.run_once(&function, self.engine.limits)?)),
            Some(Item::Definition { id, .. }) => {
                note(self.engine.compile_if_eager(id));
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// A method of the reader that reads an item.
type ReadItem = fn(&mut Reader, &Names) -> Option<Read>;

/// Whether the prelude is to define this function: programs and hosts keep their functions, a name
/// of an array is an error, and a warning says that the engine does not provide a callee.
fn belongs_to_prelude(program: &Program, read: &Read) -> bool {
    let Some(Item::Definition { function, .. }) = &read.item else { return false };
    let before = program.names.current(&function.name).map(|id| program.names.state(id));
    let is_free = matches!(before, None | Some(NameState::Declared));
    is_free && read.diagnostics.is_empty()
}
