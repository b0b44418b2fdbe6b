//! `build`: compiles a program ahead of time. Nothing runs.
//!
//! The library plans the program, the optimizing compiler makes objects, and the C compiler of the
//! system compiles the runtime and links.

mod outputs;
mod scratch;
mod toolchain;

use crate::Exit;
use crate::args::{self, BuildKind, BuildOptions};
use crate::backend;
use crate::console::Console;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::session::read_all;
use kaleidoscope::ir::compile::{BuildFile, BuildMachine, BuildRequest, CompileError, LinkedProgram};
use kaleidoscope::{AheadOfTime, Engine, Mode};
use outputs::Outputs;
use toolchain::Toolchain;

/// Builds what the options ask for.
pub(crate) fn build(options: &BuildOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    match try_build(options, &console, &reporter) {
        Ok(exit) => exit,
        Err(refusal) => reporter.refuse(&refusal),
    }
}

fn try_build(options: &BuildOptions, console: &Console, reporter: &Reporter) -> Result<Exit, Refusal> {
    refuse_what_cannot_be_built(options)?;
    let outputs = Outputs::new(options)?;
    let toolchain = Toolchain::new(options);
    let (builder, _) = backend::builder(Mode::Lazy)?;
    let builder = builder.output(console.clone()).putchard(options.putchard.unit());
    let builder = if options.debug_info { builder.debug_info() } else { builder };
    // A function of the command. The plan refuses programs that call it.
    let builder = builder.register("readd", || 0.0);
    let engine = options.prelude.build(builder).map_err(|error| failed(error.to_string()))?;
    let mut plans = Plans::new(&engine, options, &outputs);
    if plans.read(&engine, options, reporter)? != Exit::Success {
        return Ok(Exit::Program);
    }
    let header = plans.library.as_ref().map(AheadOfTime::header);
    for (plan, kinds) in [
        (plans.program, outputs.of_program().collect::<Vec<_>>()),
        (plans.library, outputs.of_library().collect()),
    ] {
        let Some(plan) = plan else { continue };
        let program = plan.finish().map_err(|error| failed(error.to_string()))?;
        make(&engine, options, &outputs, &toolchain, &program, &kinds)?;
    }
    if let Some(header) = header.filter(|_| outputs.has(BuildKind::Header)) {
        outputs.write(BuildKind::Header, header.as_bytes())?;
    }
    Ok(Exit::Success)
}

fn refuse_what_cannot_be_built(options: &BuildOptions) -> Result<(), Refusal> {
    if !options.arrays.arrays.is_empty() {
        return Err(Refusal::usage(
            "`--array`: a built program has no host that could give it arrays".to_owned(),
        ));
    }
    Ok(())
}

/// The program as an executable runs it, and as a library has it.
struct Plans {
    program: Option<AheadOfTime>,
    library: Option<AheadOfTime>,
}

impl Plans {
    fn new(engine: &Engine, options: &BuildOptions, outputs: &Outputs) -> Self {
        let plan = || AheadOfTime::new(engine, outputs.name()).quiet(options.quiet);
        let exports = !outputs.has(BuildKind::Exe) || outputs.is_wasm();
        let program = outputs.needs_program().then(|| plan().exports(exports));
        let library = outputs.needs_library().then(|| plan().runs(false).exports(true));
        Self { program, library }
    }

    /// Reads all files. A program with an error is not built.
    fn read(
        &mut self,
        engine: &Engine,
        options: &BuildOptions,
        reporter: &Reporter,
    ) -> Result<Exit, Refusal> {
        let mut exit = Exit::Success;
        for input in options.files.iter().map(|path| Input::of_path(path)) {
            let mut script = engine.script(&input.name());
            exit = exit.max(read_all(&input, &mut script, reporter)?);
            let source = script.source();
            while let Some(read) = script.read_next() {
                for diagnostic in &read.diagnostics {
                    reporter.report(diagnostic, &source);
                    if diagnostic.is_error() {
                        exit = Exit::Program;
                    }
                }
                for plan in [&mut self.program, &mut self.library].into_iter().flatten() {
                    plan.add(&read, &source).map_err(|error| failed(error.to_string()))?;
                }
            }
        }
        Ok(exit)
    }
}

/// Compiles a planned program, and makes these results of it.
fn make(
    engine: &Engine,
    options: &BuildOptions,
    outputs: &Outputs,
    toolchain: &Toolchain,
    program: &LinkedProgram,
    kinds: &[BuildKind],
) -> Result<(), Refusal> {
    let is_linked =
        |kind: &BuildKind| matches!(kind, BuildKind::Exe | BuildKind::Staticlib | BuildKind::Sharedlib);
    let mut files: Vec<_> = kinds.iter().filter_map(|&kind| file_of(kind)).collect();
    let linked: Vec<_> = kinds.iter().copied().filter(is_linked).collect();
    if !linked.is_empty() && !files.contains(&BuildFile::Object) {
        files.push(BuildFile::Object);
    }
    if files.is_empty() {
        return Ok(());
    }
    let request = BuildRequest {
        program: program.clone(),
        machine: BuildMachine {
            triple: options.target.clone(),
            cpu: options.cpu.clone(),
            features: options.features.clone(),
        },
        optimization: args::optimization(options.level),
        files: files.clone(),
    };
    let made = engine.build(request).map_err(|error| match error {
        CompileError::UnknownMachine(reason) => Refusal::usage(reason),
        error => failed(error.to_string()),
    })?;
    for (file, bytes) in files.iter().zip(&made) {
        if let Some(kind) = kinds.iter().copied().find(|&kind| file_of(kind) == Some(*file)) {
            outputs.write(kind, bytes)?;
        }
        if *file == BuildFile::Object {
            for &kind in &linked {
                toolchain.link(kind, program, bytes, &outputs.path(kind))?;
            }
        }
    }
    Ok(())
}

/// The compiler's file that is the result.
fn file_of(kind: BuildKind) -> Option<BuildFile> {
    match kind {
        BuildKind::Obj => Some(BuildFile::Object),
        BuildKind::Asm => Some(BuildFile::Assembly),
        BuildKind::LlvmIr => Some(BuildFile::LlvmIr),
        BuildKind::LlvmBc => Some(BuildFile::LlvmBitcode),
        BuildKind::Exe | BuildKind::Staticlib | BuildKind::Sharedlib | BuildKind::Header => None,
    }
}

/// The program cannot be built.
fn failed(message: String) -> Refusal {
    Refusal { message, exit: Exit::Program }
}
