//! The command line, as scripts may rely on it.

use crate::arrays::ArrayArgument;
use crate::parameters::Parameters;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use kaleidoscope::{Builder, Engine, Error, Mode, Optimization, PutchardUnit};
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
    /// The command line, for its completions and its manual page.
    pub(crate) fn description() -> clap::Command {
        <Self as CommandFactory>::command()
    }

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
    /// Show a stage of a program: its tokens, syntax tree, IR or code
    Emit(EmitOptions),
    /// Report mistakes; run nothing
    Check(CheckOptions),
    /// Format files in place: their space, not their lines
    Fmt(FmtOptions),
    /// Print the completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Compile files ahead of time, to an executable, a library or code
    Build(BuildOptions),
}

/// The arguments of `build`.
#[derive(Args, Debug)]
pub(crate) struct BuildOptions {
    /// The files, as if run in order in one session; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Where the result goes; with several results, their name without what is added to each; `-`
    /// is standard output, for text [default: the name of the first file, in this folder]
    #[arg(short, long = "output", value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// What to make (several with commas between, or given several times)
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',', default_value = "exe")]
    pub(crate) emit: Vec<BuildKind>,

    /// The optimization level, 0 to 3
    #[arg(short = 'O', value_name = "LEVEL", default_value = "2", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub(crate) level: u8,

    /// Add debug information: lines and variables, for debuggers
    #[arg(short = 'g')]
    pub(crate) debug_info: bool,

    /// The machine to build for, as a target triple [default: this one]
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,

    /// The processor as LLVM names it; `native` is this one [default: any of its architecture]
    #[arg(long, value_name = "NAME")]
    pub(crate) cpu: Option<String>,

    /// Features of the processor, such as +avx2,-fma
    #[arg(
        long,
        value_name = "LIST",
        allow_hyphen_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) features: String,

    /// Link with this library, for functions that `extern` declares (may be given several times)
    #[arg(short = 'l', value_name = "LIBRARY")]
    pub(crate) libraries: Vec<OsString>,

    /// Search libraries in this folder, too (may be given several times)
    #[arg(short = 'L', value_name = "FOLDER")]
    pub(crate) library_folders: Vec<OsString>,

    /// The C compiler that compiles the runtime and links; wasm-ld for WebAssembly [default: `cc`,
    /// or the one for the target]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) cc: Option<OsString>,

    /// The size of the stack that the program's calls run on [default: 256, or less where memory is
    /// limited]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) stack: Option<u32>,

    /// The program does not print the values of top-level expressions
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// What `putchard` writes
    #[arg(long, value_enum, default_value_t, value_name = "UNIT")]
    pub(crate) putchard: PutchardArg,

    #[command(flatten)]
    pub(crate) arrays: ArrayOption,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// What `build` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum BuildKind {
    /// An executable
    Exe,
    /// An object file
    Obj,
    /// Assembly
    Asm,
    /// LLVM IR as text
    LlvmIr,
    /// LLVM IR as bitcode
    LlvmBc,
    /// A static library of the functions
    Staticlib,
    /// A shared library of the functions
    Sharedlib,
    /// A C header of the functions
    Header,
}

/// The arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunOptions {
    /// Files to run; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Run this text, after the files (may be given several times)
    #[arg(short = 'e', value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) texts: Vec<String>,

    /// When functions are compiled, and by which compiler
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(crate) jit: JitArg,

    #[command(flatten)]
    pub(crate) optimization: OptimizationOption,

    /// Show the program to debuggers: breakpoints at lines, backtraces, variables
    #[arg(short = 'g', long = "debug-info")]
    pub(crate) debug_info: bool,

    /// Keep optimized code in this folder, and use what earlier runs left there [default: that of
    /// the user]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    pub(crate) cache: Option<Option<PathBuf>>,

    /// Afterwards, print on standard error what was compiled and where the time went
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(crate) stats: Option<StatsFormat>,

    /// Write all events to this file, in Chrome's trace format
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,

    /// Stop an item of the program that runs longer than this
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// The size of the stack that the program's calls run on [default: 256, or less where memory is
    /// limited]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) stack: Option<u32>,

    /// After an error, continue with the next item (default for standard input and interactive use)
    #[arg(long, conflicts_with = "fail_fast")]
    pub(crate) keep_going: bool,

    /// Stop at the first error (default for files and -e)
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Do not print the values of top-level expressions
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// What `putchard` writes
    #[arg(long, value_enum, default_value_t, value_name = "UNIT")]
    pub(crate) putchard: PutchardArg,

    #[command(flatten)]
    pub(crate) arrays: ArrayOption,

    #[command(flatten)]
    pub(crate) parameters: Parameters,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// The arguments of `emit`.
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

    /// The form: `ast` and `ir` have all, and `tokens` has `text` and `json`
    #[arg(long = "format", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) form: EmitForm,

    #[command(flatten)]
    pub(crate) optimization: OptimizationOption,

    #[command(flatten)]
    pub(crate) arrays: ArrayOption,

    #[command(flatten)]
    pub(crate) parameters: Parameters,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// The arguments of `fmt`.
#[derive(Args, Debug)]
pub(crate) struct FmtOptions {
    /// The files; `-` is standard input, which is formatted to standard output
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Change nothing; name the files that are not formatted, and end with exit code 1
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// The arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    /// The files, as if run in order in one session; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) arrays: ArrayOption,

    #[command(flatten)]
    pub(crate) parameters: Parameters,

    #[command(flatten)]
    pub(crate) prelude: PreludeOption,

    #[command(flatten)]
    pub(crate) messages: MessageOption,
}

/// A time in seconds, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a time that is possible".to_owned())
}

/// The optimization level.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OptimizationOption {
    /// LLVM's optimization level, 0 to 3 [default: 3 in tiered mode, 2 in the other modes]
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=3))]
    level: Option<u8>,
}

impl OptimizationOption {
    /// The builder with the level, if one was given.
    pub(crate) fn apply(self, builder: Builder) -> Builder {
        let Some(level) = self.level else { return builder };
        builder.optimization(optimization(level))
    }
}

/// LLVM's level with this number.
pub(crate) fn optimization(level: u8) -> Optimization {
    match level {
        0 => Optimization::None,
        1 => Optimization::Less,
        2 => Optimization::Default,
        _ => Optimization::Aggressive,
    }
}

/// The arrays that programs use.
#[derive(Args, Clone, Debug)]
pub(crate) struct ArrayOption {
    /// Give the program an array: of this many zeros, or of the numbers in a file, which are on
    /// lines or between commas (may be given several times)
    #[arg(long = "array", value_name = "NAME=LENGTH|FILE")]
    pub(crate) arrays: Vec<ArrayArgument>,
}

/// How much language the program has: whether the prelude is defined before it, or only a part.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PreludeOption {
    /// Add the usual operators and names first: - ! % ** > <= >= == != && || and or not, pi, e,
    /// min, max, clamp, while and others
    #[arg(long = "prelude")]
    is_wanted: bool,

    /// Restrict the language to that of a chapter of LLVM's tutorial, 2 to 7: keywords of later
    /// chapters are ordinary names
    #[arg(long = "level", value_name = "CHAPTER", conflicts_with = "is_wanted", value_parser = clap::value_parser!(u8).range(2..=7))]
    chapter: Option<u8>,
}

impl PreludeOption {
    /// Whether the language is that of a chapter: then there is no prelude.
    pub(crate) fn has_chapter(self) -> bool {
        self.chapter.is_some()
    }

    /// Builds the engine, with the prelude if the option is set.
    pub(crate) fn build(self, builder: Builder) -> Result<Engine, Error> {
        let builder = match self.chapter {
            Some(chapter) => builder.chapter(chapter),
            None => builder,
        };
        let engine = builder.build()?;
        if self.is_wanted {
            // Its errors are about limits, and this engine has none.
            drop(engine.prelude());
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

/// When functions are compiled, and by which compiler.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum JitArg {
    /// At a function's first call, and again with optimization, in the background, if it is hot
    #[default]
    Tiered,
    /// At a function's first call, with optimization
    Lazy,
    /// When a function is defined, with optimization
    Eager,
    /// At a function's first call, without optimization
    Baseline,
    /// Never: an interpreter runs everything
    Off,
}

impl JitArg {
    /// The engine's mode.
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

/// What `putchard` writes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum PutchardArg {
    /// The character with this number, in UTF-8
    #[default]
    Characters,
    /// The byte with this number, as `putbyte`
    Bytes,
}

impl PutchardArg {
    /// The engine's setting.
    pub(crate) fn unit(self) -> PutchardUnit {
        match self {
            Self::Characters => PutchardUnit::Character,
            Self::Bytes => PutchardUnit::Byte,
        }
    }
}

/// How statistics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    /// Text for people
    Text,
    /// One JSON object on one line
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

/// The form in which `emit` shows something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmitForm {
    /// Text for people
    #[default]
    Text,
    /// JSON for programs, one object on a line
    Json,
    /// A graph for Graphviz
    Dot,
    /// A picture for browsers
    Svg,
}

/// What `emit` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmitKind {
    /// The tokens, with their places
    Tokens,
    /// The syntax tree
    Ast,
    /// The intermediate representation: operations on a stack of values
    Ir,
    /// LLVM IR, optimized at the level of -O
    Llvm,
    /// Assembly of the machine
    Asm,
}
