//! `run` and `check`: texts in order in one session.

use crate::Exit;
use crate::args::{CheckOptions, RunOptions};
use crate::backend;
use crate::console::Console;
use crate::input::{Chunk, Input};
use crate::interactive;
use crate::report::Reporter;
use crate::statistics;
use crate::stop::Stop;
use crate::trace::Trace;
use kaleidoscope::{Diagnostic, DiagnosticCode, Engine, ItemOutcome, Script, Span, Statistics};
use std::io::{self, IsTerminal};

/// Runs what the options name.
pub(crate) fn run(options: RunOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let mut inputs: Vec<Input> = options.files.iter().map(|path| Input::of_path(path)).collect();
    inputs.extend(options.texts.iter().cloned().map(Input::Text));
    let is_interactive = inputs.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if inputs.is_empty() && !is_interactive {
        inputs.push(Input::Stdin);
    }

    let builder = match backend::builder(options.jit.mode()) {
        Ok(builder) => builder,
        Err(message) => {
            reporter.failure(&message);
            return Exit::Usage;
        }
    };
    let mut builder = options
        .optimization
        .apply(builder)
        .stack_bytes(options.stack as usize * (1 << 20))
        .output(console.clone());
    if let Some(limit) = options.timeout {
        builder = builder.time_limit(limit);
    }
    let statistics = options.stats.map(|format| (format, Statistics::new()));
    if let Some((_, statistics)) = &statistics {
        builder = builder.observer(statistics.clone());
    }
    let trace = match options.trace.as_deref().map(Trace::create).transpose() {
        Ok(trace) => trace,
        Err(message) => {
            reporter.failure(&message);
            return Exit::Usage;
        }
    };
    if let Some(trace) = &trace {
        builder = builder.observer(trace.clone());
    }
    let engine = match options.prelude.build(builder) {
        Ok(engine) => engine,
        Err(error) => {
            reporter.failure(&error.to_string());
            return Exit::Program;
        }
    };

    let stop = Stop::install(console.clone(), engine.interrupter());
    let mut session =
        Session { engine, console, reporter, options, stop, is_interactive, exit: Exit::Success };
    if is_interactive {
        interactive::talk(&mut session);
    } else {
        session.run_inputs(&inputs);
    }
    session.finish(statistics, trace.as_ref())
}

/// One run: the engine, and what came of it so far.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) console: Console,
    pub(crate) reporter: Reporter,
    options: RunOptions,
    stop: Stop,
    is_interactive: bool,
    exit: Exit,
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    GoOn,
    Stop,
}

impl Session {
    fn run_inputs(&mut self, inputs: &[Input]) {
        // A file that cannot be read is a mistake of the command line: found before anything runs.
        let mut opened = Vec::new();
        for input in inputs {
            match input.open() {
                Ok(chunks) => opened.push((input, chunks)),
                Err(message) => {
                    self.reporter.failure(&message);
                    self.exit = Exit::Usage;
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
                if self.run_items(&mut script, Script::run_next, keep_going) == Flow::Stop {
                    return;
                }
                if matches!(input, Input::Stdin) {
                    // Whoever writes to our standard input may wait for the answer before writing on. That nobody
                    // takes it shows at the next write.
                    drop(self.console.flush());
                }
            }
        }
    }

    pub(crate) fn keeps_going(&self, by_default: bool) -> bool {
        self.options.keep_going || (by_default && !self.options.fail_fast)
    }

    /// Runs the items that are there, printing values and diagnostics.
    pub(crate) fn run_items(
        &mut self,
        script: &mut Script,
        mut next: impl FnMut(&mut Script) -> Option<ItemOutcome>,
        keep_going: bool,
    ) -> Flow {
        if self.is_stopped() {
            return Flow::Stop;
        }
        while let Some(outcome) = next(script) {
            if let Some(value) = outcome.value
                && !self.options.quiet
            {
                // A failure is remembered by the console, and looked at below.
                drop(self.console.print_value(value));
            }
            if self.console.failure().is_some() {
                return Flow::Stop;
            }
            if !outcome.diagnostics.is_empty() {
                let source = script.source();
                for diagnostic in &outcome.diagnostics {
                    self.reporter.report(diagnostic, &source);
                }
            }
            if self.is_stopped() {
                return Flow::Stop;
            }
            if outcome.is_error() {
                self.exit = self.exit.max(Exit::Program);
                if !keep_going {
                    return Flow::Stop;
                }
            }
        }
        Flow::GoOn
    }

    /// Whether Ctrl-C is to end the run. In the interactive session it ends an item and nothing else.
    fn is_stopped(&mut self) -> bool {
        let is_stopped = self.stop.take() && !self.is_interactive;
        if is_stopped {
            self.exit = Exit::Interrupted;
        }
        is_stopped
    }

    /// Sends the rest of the output on its way, and says what was asked for.
    fn finish(
        self,
        statistics: Option<(crate::args::StatsFormat, Statistics)>,
        trace: Option<&Trace>,
    ) -> Exit {
        let mut exit = self.exit;
        if let Err(message) = self.console.finish() {
            self.reporter.failure(&message);
            exit = exit.max(Exit::Program);
        }
        if let Some((format, statistics)) = statistics {
            statistics::print(format, &statistics.totals());
        }
        if let Some(Err(message)) = trace.map(Trace::finish) {
            self.reporter.failure(&message);
            exit = exit.max(Exit::Program);
        }
        // The process ends here, and gives all memory back at once: what the engine would do to free it piece by piece is
        // time lost, and so is waiting for code that is still being made.
        std::mem::forget(self.engine);
        exit
    }
}

/// Reports the mistakes of the files; runs nothing.
pub(crate) fn check(options: &CheckOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let engine = match options.prelude.build(Engine::builder().output(console)) {
        Ok(engine) => engine,
        Err(error) => {
            reporter.failure(&error.to_string());
            return Exit::Program;
        }
    };
    let mut exit = Exit::Success;
    for input in options.files.iter().map(|path| Input::of_path(path)) {
        let mut script = engine.script(&input.name());
        match read_all(&input, &mut script, &reporter) {
            Ok(part) => exit = exit.max(part),
            Err(message) => {
                reporter.failure(&message);
                return Exit::Usage;
            }
        }
        while let Some(read) = script.read_next() {
            for diagnostic in &read.diagnostics {
                reporter.report(diagnostic, &script.source());
                if diagnostic.is_error() {
                    exit = exit.max(Exit::Program);
                }
            }
        }
    }
    exit
}

/// Gives the script all text of the input, and reports bytes that are no text.
///
/// # Errors
/// A sentence that says why the input cannot be read.
pub(crate) fn read_all(input: &Input, script: &mut Script, reporter: &Reporter) -> Result<Exit, String> {
    let mut chunks = input.open()?;
    let mut exit = Exit::Success;
    loop {
        match chunks.next_chunk()? {
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

/// Reports the bytes where they stand, and puts the character for "no character" in their place, at which reading will stop too.
fn report_not_utf8(reporter: &Reporter, script: &mut Script, bytes: &[u8]) {
    let start = script.source().text().len() as u32;
    script.push("\u{fffd}");
    let source = script.source();
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let span = Span::new(start, source.text().len() as u32);
    reporter.report(
        &Diagnostic::error(DiagnosticCode::NotUtf8, span, format!("no UTF-8 text: {}", bytes.join(" "))),
        &source,
    );
}

impl Session {
    /// Something went wrong that ends the run.
    pub(crate) fn fail(&mut self, message: &str) {
        self.reporter.failure(message);
        self.exit = Exit::Program;
    }
}
