//! The contestants, and how each one runs.

use super::install::version;
use super::work::Work;
use crate::generate::Language;
use crate::peer::{self, C_FLAGS, root};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, or one mode of our command.
#[derive(Debug)]
pub struct Contestant {
    /// The name in the table.
    pub name: &'static str,
    /// The version.
    pub version: String,
    how: How,
}

#[derive(Debug)]
enum How {
    /// Our command, in this mode.
    Ours { program: PathBuf, mode: &'static str },
    /// The program is given the file.
    Interpreter { program: &'static str, language: Language },
    /// The program reads the file from standard input.
    Chapter7 { program: PathBuf },
    /// A C compiler, whose output runs.
    Compiler { program: &'static str },
}

/// The available contestants. Our tiered mode, which is compared with the others, is the first.
pub fn contestants() -> Vec<Contestant> {
    let ours = peer::kaleidoscope();
    let version_of_ours = version(&ours.to_string_lossy()).unwrap_or_default();
    // An old command without the mode `baseline` has no such row.
    let modes = [("ours", "tiered"), ("baseline", "baseline"), ("lazy", "lazy"), ("eager", "eager")];
    let modes = modes.into_iter().filter(|(_, mode)| has_mode(&ours, mode)).map(|(name, mode)| Contestant {
        name,
        version: version_of_ours.clone(),
        how: How::Ours { program: ours.clone(), mode },
    });
    let chapter7 = peer::find_chapter7().map(|program| Contestant {
        name: "chapter 7",
        version: "of LLVM 22's tutorial, as benches/chapter7.sh builds it".to_owned(),
        how: How::Chapter7 { program },
    });
    let interpreters = [("LuaJIT", "luajit", Language::Lua), ("Node", "node", Language::JavaScript)];
    let interpreters = interpreters
        .into_iter()
        .filter_map(|(name, program, language)| there(name, program, How::Interpreter { program, language }));
    let compilers = [("gcc", "gcc"), ("clang", "clang-22")];
    let compilers =
        compilers.into_iter().filter_map(|(name, program)| there(name, program, How::Compiler { program }));
    let compilers = compilers.map(|compiler| {
        let version = format!("{}, {}", compiler.version, C_FLAGS.join(" "));
        Contestant { version, ..compiler }
    });
    modes.chain(chapter7).chain(interpreters).chain(compilers).collect()
}

fn there(name: &'static str, program: &str, how: How) -> Option<Contestant> {
    version(program).map(|version| Contestant { name, version, how })
}

fn has_mode(ours: &Path, mode: &str) -> bool {
    Command::new(ours)
        .args(["run", "--jit", mode, "-e", "1"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A work, prepared for one contestant.
#[derive(Debug)]
pub struct Task {
    program: PathBuf,
    args: Vec<String>,
    /// The file for standard input.
    input: Option<PathBuf>,
    /// The value is printed on standard error, with six decimals.
    is_chapter7: bool,
}

impl Contestant {
    /// Whether this is our command, in any mode.
    pub fn is_ours(&self) -> bool {
        matches!(self.how, How::Ours { .. })
    }

    /// Prepares the work. Compiles it, if the language is compiled ahead of time.
    ///
    /// # Errors
    /// Why it failed, as a sentence.
    pub fn prepare(&self, work: &Work) -> Result<Task, String> {
        let file = |language| work.file(language).map_err(|error| format!("{}: {error}", work.name));
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let task = |program: PathBuf, args| Task { program, args, input: None, is_chapter7: false };
        Ok(match &self.how {
            How::Ours { program, mode } => {
                let args = ["run", "--jit", mode].map(str::to_owned);
                task(program.clone(), [&args[..], &[text(file(Language::Kaleidoscope)?)]].concat())
            }
            How::Interpreter { program, language } => task(program.into(), vec![text(file(*language)?)]),
            How::Chapter7 { program } => {
                let input = Some(file(Language::Kaleidoscope)?);
                Task { input, is_chapter7: true, ..task(program.clone(), Vec::new()) }
            }
            How::Compiler { program } => {
                let made = peer::c_program(program, &file(Language::C)?);
                let made = made.ok_or_else(|| format!("{program} was there and is gone"))?;
                task(made, work.input().iter().map(|&number| number.to_owned()).collect())
            }
        })
    }
}

impl Task {
    /// The command to run.
    ///
    /// # Errors
    /// If there is no input.
    pub fn command(&self) -> Result<Command, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command.stdin(match &self.input {
            Some(path) => File::open(path).map_err(|error| format!("{}: {error}", path.display()))?.into(),
            None => Stdio::null(),
        });
        Ok(command)
    }

    /// The command line in the project's folder.
    pub fn line(&self) -> String {
        let root = format!("{}/", root().display());
        let input = self.input.as_ref().map(|path| format!(" < {}", path.display())).unwrap_or_default();
        let words = [&[self.program.to_string_lossy().into_owned()], self.args.as_slice()].concat();
        format!("{}{input}", words.join(" ")).replace(&root, "")
    }

    /// Runs the work once, and returns the value that it prints.
    ///
    /// # Errors
    /// If the process fails or prints no number.
    pub fn value(&self) -> Result<f64, String> {
        let output = self.command()?.output().map_err(|error| format!("{}: {error}", self.line()))?;
        let written = if self.is_chapter7 { &output.stderr } else { &output.stdout };
        let written = String::from_utf8_lossy(written);
        let value = if self.is_chapter7 {
            written.rsplit_once("Evaluated to ").and_then(|(_, rest)| rest.lines().next())
        } else {
            written.lines().last()
        };
        let value = value.and_then(|value| value.trim().parse().ok());
        value.filter(|_| output.status.success()).ok_or_else(|| format!("{}: {}", self.line(), output.status))
    }
}
