//! The command line, as scripts may rely on it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use kaleidoscope::{Builder, Engine, Error, Mode, Optimization};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Kaleidoscope: a language of functions over doubles, compiled when first called.
#[derive(Debug, Parser)]
#[command(name = "kaleidoscope", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a file, -e or a pipe, and with a terminal, an interactive session starts.")]
pub(crate) struct Invocation {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunOptions,
}

impl Invocation {
    /// What to do: `run` where no word says otherwise.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run files in order in one session (`run` may be left out)
    Run(RunOptions),
    /// Show what becomes of a program: its tokens, its tree, its code
    Emit(EmitOptions),
    /// Report mistakes; run nothing
    Check(CheckOptions),
    /// Compile ahead of time (not there yet)
    Build(BuildOptions),
}

/// What there will be to build.
#[derive(Args, Debug)]
pub(crate) struct BuildOptions {
    /// Taken as it is, to be refused with a better word than that it is unexpected.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// How to run.
#[derive(Args, Debug)]
pub(crate) struct RunOptions {
    /// Files to run; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Run this text, after the files (may be given several times)
    #[arg(short = 'e', value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) texts: Vec<String>,

    /// When code is made, and how well
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(crate) jit: JitArg,

    #[command(flatten)]
    pub(crate) optimization: OptimizationOption,

    /// Afterwards, say on standard error what was compiled and where the time went
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(crate) stats: Option<StatsFormat>,

    /// Write every event of every function's life to this file, in Chrome's trace format
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,

    /// Stop an item of the program that runs longer than this
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// The stack for calls of the program
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) stack: u32,

    /// After an error, go on with the next item (the default for standard input and the interactive session)
    #[arg(long, conflicts_with = "fail_fast")]
    pub(crate) keep_going: bool,

    /// Stop at the first error (the default for files and -e)
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Do not print the values of top-level expressions
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// What to show, and of what.
#[derive(Args, Debug)]
pub(crate) struct EmitOptions {
    /// What to show
    #[arg(value_enum)]
    pub(crate) kind: EmitKind,

    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Only this function
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,

    #[command(flatten)]
    pub(crate) optimization: OptimizationOption,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// What to check.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    /// The files, as if run in order in one session; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// A time in seconds, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "this is no number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "this is no time that can be waited for".to_owned())
}

/// How much LLVM optimises.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OptimizationOption {
    /// How much LLVM's optimiser does, from 0 to 3 [default: 3 for hot code in tiered mode, 2 elsewhere]
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=3))]
    level: Option<u8>,
}

impl OptimizationOption {
    /// The builder with the level, if one was given.
    pub(crate) fn apply(self, builder: Builder) -> Builder {
        let Some(level) = self.level else { return builder };
        builder.optimization(match level {
            0 => Optimization::None,
            1 => Optimization::Less,
            2 => Optimization::Default,
            _ => Optimization::Aggressive,
        })
    }
}

/// What there is before the program.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PreludeOption {
    /// Begin with the usual operators: - ! > <= >= == != && || & | :
    #[arg(long = "prelude")]
    is_wanted: bool,
}

impl PreludeOption {
    /// The engine that the builder makes, with what is wanted of it.
    pub(crate) fn build(self, builder: Builder) -> Result<Engine, Error> {
        let engine = builder.build()?;
        if self.is_wanted {
            engine.prelude();
        }
        Ok(engine)
    }
}

/// How diagnostics are written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct MessageOption {
    /// How diagnostics are written to standard error
    #[arg(long = "message-format", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: MessageFormat,
}

/// When code is made.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum JitArg {
    /// Quickly at a function's first call; again and better, in the background, where it is hot
    #[default]
    Tiered,
    /// Well at a function's first call
    Lazy,
    /// When a function is defined
    Eager,
    /// Quickly at a function's first call, and never again
    Baseline,
    /// Never: the reference evaluator runs everything
    Off,
}

impl JitArg {
    /// The engine's word for it.
    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::Tiered => Mode::Tiered,
            Self::Lazy => Mode::Lazy,
            Self::Eager => Mode::Eager,
            Self::Baseline => Mode::Baseline,
            Self::Off => Mode::Off,
        }
    }
}

/// How statistics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    /// For a person
    Text,
    /// One object on one line
    Json,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// With the source line and the place marked
    #[default]
    Human,
    /// One JSON object on a line
    Json,
}

/// What `emit` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmitKind {
    /// The tokens, with their places
    Tokens,
    /// The syntax tree
    Ast,
    /// The resolved program: operations on a stack of values
    Ir,
    /// LLVM's IR, optimised as -O says
    Llvm,
    /// The machine's assembly
    Asm,
}
