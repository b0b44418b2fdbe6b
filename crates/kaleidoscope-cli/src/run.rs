//! `run` and `check`: inputs in order, in one session.

use crate::Exit;
use crate::args::{CheckOptions, RunOptions};
use crate::arrays;
use crate::backend;
use crate::cache;
use crate::console::Console;
use crate::input::Input;
use crate::interactive::{self, Observers};
use crate::numbers::Numbers;
use crate::out_of_memory;
use crate::parameters::with_hint_at_numbers;
use crate::report::Reporter;
use crate::session::{Session, read_all};
use crate::stop::Stop;
use crate::trace::Trace;
use kaleidoscope::{Engine, Mode, Statistics};
use std::io::{self, IsTerminal};

/// Runs the inputs, or the interactive session.
pub(crate) fn run(options: RunOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let mut inputs: Vec<Input> = options.files.iter().map(|path| Input::of_path(path)).collect();
    inputs.extend(options.texts.iter().cloned().map(Input::Text));
    let is_interactive = inputs.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if inputs.is_empty() && !is_interactive {
        inputs.push(Input::Stdin);
    }

    let (builder, plugin) = match backend::builder(options.jit.mode()) {
        Ok(builder) => builder,
        Err(refusal) => return reporter.refuse(&refusal),
    };
    let builder = options.optimization.apply(builder);
    let is_program = inputs.iter().any(|input| matches!(input, Input::Stdin));
    let numbers = Numbers::new(is_program, console.progress().clone());
    let builder = builder.register("readd", move || numbers.next());
    let mut builder = builder.output(console.clone()).putchard(options.putchard.unit());
    if options.debug_info {
        builder = builder.debug_info();
    }
    let cache = cache::open(options.cache.as_ref(), &reporter);
    if let Some(cache) = &cache {
        builder = builder.cache(cache.clone());
    }
    if let Some(stack) = options.stack {
        builder = builder.stack_bytes(stack as usize * (1 << 20));
    }
    if let Some(limit) = options.timeout {
        builder = builder.time_limit(limit);
        console.set_time_limit(options.timeout);
    }
    let statistics = options.stats.map(|format| (format, Statistics::new()));
    if let Some((_, statistics)) = &statistics {
        builder = builder.observer(statistics.clone());
    }
    let trace = match options.trace.as_deref().map(Trace::create).transpose() {
        Ok(trace) => trace,
        Err(refusal) => return reporter.refuse(&refusal),
    };
    if let Some(trace) = &trace {
        builder = builder.observer(trace.clone());
    }
    let observers = Observers::default();
    if is_interactive {
        builder = builder.observer(observers.life.clone()).observer(observers.statistics.clone());
    }
    let engine = match options.prelude.build(builder) {
        Ok(engine) => engine,
        Err(error) => {
            reporter.failure(&error.to_string());
            return Exit::Program;
        }
    };

    if let Err(refusal) = arrays::bind(&options.arrays.arrays, &engine) {
        return reporter.refuse(&refusal);
    }
    if let Err(refusal) = options.parameters.bind(&engine) {
        return reporter.refuse(&refusal);
    }

    let stop = Stop::install(console.clone(), engine.interrupter(), is_interactive);
    out_of_memory::end_by(&stop);
    let mut session =
        Session { engine, console, reporter, options, stop, cache, is_interactive, exit: Exit::Success };
    if is_interactive {
        interactive::talk(&mut session, observers);
    } else {
        session.run_inputs(&inputs);
    }
    // In the other modes, each compilation that needed LLVM said so.
    if session.engine.mode() == Mode::Tiered
        && let Some(failure) = plugin.and_then(|plugin| plugin.failure())
    {
        session.reporter.warning(&format!("{failure}; hot code was not optimized"));
    }
    session.finish(statistics, trace.as_ref())
}

/// Reports diagnostics of the files. Nothing runs.
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
    if let Err(refusal) = arrays::bind(&options.arrays.arrays, &engine) {
        return reporter.refuse(&refusal);
    }
    if let Err(refusal) = options.parameters.bind(&engine) {
        return reporter.refuse(&refusal);
    }
    let mut exit = Exit::Success;
    for input in options.files.iter().map(|path| Input::of_path(path)) {
        let mut script = engine.script(&input.name());
        match read_all(&input, &mut script, &reporter) {
            Ok(part) => exit = exit.max(part),
            Err(refusal) => return reporter.refuse(&with_hint_at_numbers(refusal, &input)),
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
