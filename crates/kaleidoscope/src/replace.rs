//! Replacing a text: all of its definitions, or none, in one change. For files that are edited
//! while their program runs.

use crate::backtrace::Place;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::outcome::{ItemOutcome, Outcome, ProgramError};
use crate::{Diagnostic, DiagnosticCode, Event, Span};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{Change, Definition, in_engine_mode};
use kaleidoscope_lang::item::{Item, Read};
use kaleidoscope_lang::reader::Reader;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

impl Engine {
    /// Defines all functions of a text, in the place of those that the text of the same name
    /// defined before: in one step, so that no call sees some of them. Functions that the new text
    /// defines no more are removed. If any item is wrong, nothing changes. Returns the warnings.
    ///
    /// The text has `def` and `extern` only. It is read without the names that the old one has
    /// defined. Where the old one had redefined a function (of C's maths library, of the host, of
    /// another text), that function does not come back.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::new()?;
    /// engine.replace("rates.kal", "def rate(x) 2; def price(x) x * rate(x); def old(x) x;")?;
    /// let price = engine.function::<(f64,)>("price")?;
    /// assert_eq!(price.call((10.0,))?, 20.0);
    ///
    /// let error = engine.replace("rates.kal", "def rate(x) 3; def price(x) y;").unwrap_err();
    /// assert_eq!(error.to_string(), "rates.kal:1:29: there is no variable `y` here");
    /// assert_eq!(price.call((10.0,))?, 20.0);
    ///
    /// engine.replace("rates.kal", "def rate(x) 3; def price(x) x * rate(x) + 1;")?;
    /// assert_eq!(price.call((10.0,))?, 31.0);
    /// assert!(engine.function::<(f64,)>("old").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The outcome with the errors of items, among them
    /// [`DiagnosticCode::NotADefinition`] for an expression. If an observer panics, that is an
    /// error, too, and the definitions have changed.
    pub fn replace(&self, name: &str, text: &str) -> Result<Vec<Diagnostic>, ProgramError> {
        in_engine_mode(|| self.replace_in_engine_mode(name, text))
    }

    fn replace_in_engine_mode(&self, name: &str, text: &str) -> Result<Vec<Diagnostic>, ProgramError> {
        let start = Instant::now();
        let mut reader = Reader::new(name);
        reader.limit_items(self.shared.settings.max_item_bytes);
        reader.push(text);
        reader.finish();
        let mut outcome = Outcome { items: Vec::new(), source: reader.source() };
        if let Err(trap) = self.jit.admit() {
            return Err(failed(outcome, trap.into()));
        }
        let mut program = self.shared.program();
        let mut changed = program.clone();
        let mut changes: BTreeMap<FunctionId, (Definition, u32)> = BTreeMap::new();
        let mut removed = Vec::new();
        let text_name: Arc<str> = name.into();
        for (id, version) in changed.take_file(name) {
            let is_current = changed.names.current(&changed.names.signature(id).name) == Some(id);
            // Otherwise another text has defined the function since.
            if is_current && self.jit.version(id) == version {
                changed.names.remove(id);
                removed.push(id);
            }
        }
        while let Some(read) = reader.read(&changed.names) {
            let place = Place::new(Arc::clone(&text_name), reader.line(read.span.start));
            changed.names.note_failure(&read, reader.slice(read.span), || place.to_string());
            let Read { item, mut diagnostics, span } = read;
            match &item {
                Some(Item::Definition { id, function, .. }) => {
                    let before = changed.names.current(&function.name).filter(|before| before != id);
                    changed.names.commit(item.as_ref().expect("matched"));
                    let version = changed.define(*id, reader.slice(span), Some(place));
                    changes.insert(*id, (Definition::Ir(Arc::clone(function)), version));
                    // The name has another arity now: the old function becomes unavailable.
                    changes.extend(before.map(|before| (before, (Definition::Unavailable, version))));
                }
                Some(Item::Expression { .. }) => diagnostics.push(Diagnostic::error(
                    DiagnosticCode::NotADefinition,
                    span,
                    "a text that is replaced has definitions only; this is an expression",
                )),
                Some(item) => changed.names.commit(item),
                None => {}
            }
            outcome.items.push(ItemOutcome { value: None, diagnostics, span });
        }
        let mut outcome = outcome.without_errors()?;
        for id in removed {
            changes.entry(id).or_insert_with(|| (Definition::Unavailable, changed.remove(id)));
        }
        // All functions of the text are defined in the same moment.
        let is_true = |diagnostic: &Diagnostic| {
            let callee = diagnostic.span.map(|span| reader.slice(span));
            diagnostic.code != DiagnosticCode::NotYetDefined
                || callee.is_none_or(|callee| changed.names.current(callee).is_none())
        };
        outcome.items.iter_mut().for_each(|item| item.diagnostics.retain(is_true));
        let n_functions = changed.names.n_functions();
        let arities = changed.declarations(program.names.n_functions()).map(|(arity, _)| arity);
        let declared = self.shared.check_functions(n_functions - changed.n_provided()).and_then(|()| {
            self.declare(arities).map_err(|error| Failure::Memory { reason: error.to_string() })
        });
        if let Err(failure) = declared {
            return Err(failed(outcome, failure));
        }
        let is_ir = |definition: &Definition| matches!(definition, Definition::Ir(_));
        let defined: Vec<_> = changes
            .iter()
            .filter(|(_, (definition, _))| is_ir(definition))
            .map(|(id, (_, version))| (*id, *version))
            .collect();
        changed.add_file(name, defined.clone());
        *program = changed;
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(id, (definition, version))| Change::new(id, definition).version(version))
            .collect();
        let applied = self.jit.apply(changes);
        drop(program);
        let result = applied
            .and_then(|superseded| self.jit.settle(superseded))
            .and(self.jit.emit(|| Event::Read { took: start.elapsed() }))
            .and_then(|()| defined.iter().try_for_each(|&(id, _)| self.compile_if_eager(id)));
        match result {
            Ok(()) => Ok(outcome.items.into_iter().flat_map(|item| item.diagnostics).collect()),
            Err(trap) => Err(failed(outcome, trap.into())),
        }
    }
}

/// The outcome with a failure that concerns the whole text.
fn failed(mut outcome: Outcome, failure: Failure) -> ProgramError {
    let span = Span::new(0, 0);
    let diagnostics = vec![failure.into_diagnostic(span)];
    outcome.items.push(ItemOutcome { value: None, diagnostics, span });
    ProgramError::new(outcome)
}
