//! Sessions: one engine that runs the items of several inputs, and the exit code that results.

use crate::Exit;
use crate::args::{RunOptions, StatsFormat};
use crate::console::Console;
use crate::input::{Chunk, Input};
use crate::parameters::with_hint_at_numbers;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::statistics;
use crate::stop::Stop;
use crate::trace::Trace;
use kaleidoscope::{
    CodeCache, Diagnostic, DiagnosticCode, Engine, ItemOutcome, Script, Source, Span, Statistics,
};
use std::borrow::Cow;
use std::path::Path;

/// One session: the engine, its output, and the exit code so far.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) console: Console,
    pub(crate) reporter: Reporter,
    pub(crate) options: RunOptions,
    pub(crate) stop: Stop,
    pub(crate) cache: Option<CodeCache>,
    pub(crate) is_interactive: bool,
    pub(crate) exit: Exit,
}

/// Whether the session continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

impl Session {
    /// Runs inputs one after the other.
    pub(crate) fn run_inputs(&mut self, inputs: &[Input]) {
        self.run_inputs_with(inputs, |_, _| {});
    }

    /// As [`Self::run_inputs`]. `note` receives each outcome, with the text of its input so far.
    pub(crate) fn run_inputs_with(&mut self, inputs: &[Input], mut note: impl FnMut(&Source, &ItemOutcome)) {
        // An unreadable file is an error of the command line, so all files are opened before
        // anything runs.
        let mut opened = Vec::new();
        for input in inputs {
            match input.open() {
                Ok(chunks) => opened.push((input, chunks)),
                Err(refusal) => {
                    let mut refusal = with_hint_at_numbers(refusal, input);
                    if matches!(self.options.cache, Some(None)) && Path::new(&input.name()).is_dir() {
                        refusal.message.push_str("; the folder of `--cache` follows `=`");
                    }
                    self.exit = self.reporter.refuse(&refusal);
                    return;
                }
            }
        }
        for (input, mut chunks) in opened {
            let keep_going = self.keeps_going(matches!(input, Input::Stdin));
            let mut script = self.engine.script(&input.name());
            let mut is_ended = false;
            while !is_ended {
                match self.stop.while_waiting(|| chunks.next_chunk()) {
                    Ok(Chunk::Text(text)) => script.push(&text),
                    Ok(Chunk::NotUtf8(bytes)) => {
                        self.exit = self.exit.max(Exit::Program);
                        report_not_utf8(&self.reporter, &mut script, &bytes);
                        if !keep_going {
                            return;
                        }
                    }
                    Ok(Chunk::End) => {
                        script.finish();
                        is_ended = true;
                    }
                    Err(message) => {
                        self.fail(&message);
                        return;
                    }
                }
                let next = |script: &mut Script| {
                    let outcome = script.run_next()?;
                    note(&script.source(), &outcome);
                    Some(outcome)
                };
                if self.run_items(&mut script, next, keep_going) == Flow::Stop {
                    return;
                }
                if matches!(input, Input::Stdin) {
                    // The writer of standard input may wait for the answer. The console remembers a
                    // failure; the next write returns it.
                    drop(self.console.flush());
                }
            }
        }
    }

    pub(crate) fn keeps_going(&self, by_default: bool) -> bool {
        self.options.keep_going || (by_default && !self.options.fail_fast)
    }

    /// Runs the complete items of the script, and prints values and diagnostics.
    pub(crate) fn run_items(
        &mut self,
        script: &mut Script,
        mut next: impl FnMut(&mut Script) -> Option<ItemOutcome>,
        keep_going: bool,
    ) -> Flow {
        if self.is_stopped() {
            return Flow::Stop;
        }
        let mut next = |script: &mut Script, progress: &Progress| {
            progress.begin();
            let outcome = next(script);
            progress.end();
            outcome
        };
        while let Some(outcome) = next(script, self.console.progress()) {
            if let Some(value) = outcome.value
                && !self.options.quiet
            {
                // The console remembers a failure, which is checked below.
                drop(self.console.print_value(value));
            }
            // Without a reader, the run ends in silence.
            if self.console.failure().is_some() && !self.console.is_blocked() {
                return Flow::Stop;
            }
            if !outcome.diagnostics.is_empty() {
                let source = script.source();
                for diagnostic in &outcome.diagnostics {
                    self.reporter.report(&self.with_hint(diagnostic), &source);
                }
            }
            if self.is_stopped() {
                return Flow::Stop;
            }
            if outcome.is_error() {
                self.exit = self.exit.max(Exit::Program);
            }
            if self.console.is_blocked() || (outcome.is_error() && !keep_going) {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    /// The diagnostic with a hint at an option that may be the cause.
    fn with_hint<'a>(&self, diagnostic: &'a Diagnostic) -> Cow<'a, Diagnostic> {
        match self.options.stack {
            Some(stack) if diagnostic.code == DiagnosticCode::OutOfResources => {
                let hint = format!(
                    "`--stack {stack}` asks for {stack} MiB; without it, the stack is smaller where memory is limited"
                );
                Cow::Owned(diagnostic.clone().with_hint(hint))
            }
            _ => Cow::Borrowed(diagnostic),
        }
    }

    /// Whether a signal ends the session. In the interactive session, Ctrl-C ends an item only.
    fn is_stopped(&mut self) -> bool {
        let ends = |exit: &Exit| *exit == Exit::Terminated || !self.is_interactive;
        let Some(exit) = self.stop.take().filter(ends) else { return false };
        self.exit = exit;
        // What is printed from here on waits for no reader.
        self.console.set_to_stop(true);
        true
    }

    /// Flushes the output, and writes statistics and trace.
    pub(crate) fn finish(
        mut self,
        statistics: Option<(StatsFormat, Statistics)>,
        trace: Option<&Trace>,
    ) -> Exit {
        let finished = self.console.finish();
        // Ctrl-C also ends the wait for a reader of the last output.
        self.is_stopped();
        let mut exit = self.exit;
        if let Err(message) = finished
            && !exit.is_stopped()
        {
            self.reporter.failure(&message);
            exit = exit.max(Exit::Program);
        }
        if let Some(obstacle) = self.cache.as_ref().and_then(CodeCache::obstacle) {
            self.reporter.warning(&format!("{obstacle}; there is no code cache"));
        }
        if let Some((format, statistics)) = statistics {
            let cache = self.cache.as_ref().map(CodeCache::totals);
            statistics::print(format, &statistics.totals(), cache);
        }
        if let Some(Err(message)) = trace.map(Trace::finish) {
            self.reporter.failure(&message);
            exit = exit.max(Exit::Program);
        }
        // The process ends here. Dropping the engine would free memory that the process frees
        // anyway, and wait for compile threads.
        std::mem::forget(self.engine);
        exit
    }

    /// Reports an error that ends the session.
    pub(crate) fn fail(&mut self, message: &str) {
        self.reporter.failure(message);
        self.exit = Exit::Program;
    }
}

/// Reads the whole input into the script, and reports invalid UTF-8.
///
/// # Errors
/// Why the input cannot be read.
pub(crate) fn read_all(input: &Input, script: &mut Script, reporter: &Reporter) -> Result<Exit, Refusal> {
    let mut chunks = input.open()?;
    let mut exit = Exit::Success;
    loop {
        match chunks.next_chunk().map_err(Refusal::usage)? {
            Chunk::Text(text) => script.push(&text),
            Chunk::NotUtf8(bytes) => {
                report_not_utf8(reporter, script, &bytes);
                exit = Exit::Program;
            }
            Chunk::End => {
                script.finish();
                return Ok(exit);
            }
        }
    }
}

/// Reports the invalid bytes, and puts U+FFFD in their place, which the lexer rejects.
fn report_not_utf8(reporter: &Reporter, script: &mut Script, bytes: &[u8]) {
    let start = script.source().text().len() as u32;
    script.push("\u{fffd}");
    let source = script.source();
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let span = Span::new(start, source.text().len() as u32);
    reporter.report(
        &Diagnostic::error(DiagnosticCode::NotUtf8, span, format!("not UTF-8: {}", bytes.join(" "))),
        &source,
    );
}
