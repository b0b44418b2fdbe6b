//! The works of the comparison.

use crate::generate::{self, Language};
use crate::peer::{root, target_dir};
use std::path::PathBuf;
use std::{fs, io};

/// One program in every language.
#[derive(Debug)]
pub struct Work {
    /// The name of the work and of its files.
    pub name: &'static str,
    /// What it measures, for readers of the table.
    pub question: &'static str,
    /// The compared time.
    pub clock: Clock,
    source: Source,
    /// The arguments of the program in C. The other languages have them in the text.
    input: &'static [&'static str],
}

/// The compared time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Wall time, for works that measure the start.
    Wall,
    /// Processor time on all threads, for long works, which other processes disturb.
    Processor,
}

impl Clock {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Processor => "processor",
        }
    }
}

/// The origin of the program.
#[derive(Debug)]
enum Source {
    /// In `benches/programs`.
    Files,
    Generated(fn(Language) -> String),
}

/// All works.
pub const WORKS: &[Work] = &[
    written("small", "cold start: a program of two lines", Clock::Wall, &["3"]),
    generated("first_calls", "1,000 functions, each called once", generate::first_calls, &["7"]),
    generated("definitions", "1,000 functions, five of them called", generate::definitions, &["7"]),
    written("fib", "recursive Fibonacci", Clock::Processor, &["38"]),
    written(
        "mandelbrot",
        "Mandelbrot through user-defined operators",
        Clock::Processor,
        &["-2.3", "0.0032", "-1.3", "0.0026", "999"],
    ),
    written("arithmetic", "a loop of arithmetic", Clock::Processor, &["300000000"]),
    written("maths", "a loop of maths functions", Clock::Processor, &["5000000"]),
    written("deep_recursion", "Ackermann, 4,000 calls deep", Clock::Processor, &["12", "3", "9"]),
    generated(
        "mixed",
        "300 functions, called from once to very often",
        |language| generate::mixed(language, 32.0),
        &["32"],
    ),
];

const fn written(
    name: &'static str,
    question: &'static str,
    clock: Clock,
    input: &'static [&'static str],
) -> Work {
    Work { name, question, clock, source: Source::Files, input }
}

const fn generated(
    name: &'static str,
    question: &'static str,
    make: fn(Language) -> String,
    input: &'static [&'static str],
) -> Work {
    Work { name, question, clock: Clock::Processor, source: Source::Generated(make), input }
}

impl Work {
    /// The file with the program in this language. A generated program is written first.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn file(&self, language: Language) -> io::Result<PathBuf> {
        let name = format!("{}.{}", self.name, language.extension());
        match (&self.source, language) {
            (Source::Files, _) => Ok(root().join("benches/programs").join(name)),
            (Source::Generated(make), _) => {
                let folder = target_dir().join("peers/generated");
                fs::create_dir_all(&folder)?;
                let path = folder.join(name);
                fs::write(&path, make(language))?;
                Ok(path)
            }
        }
    }

    /// The arguments of the program in C.
    pub fn input(&self) -> &[&str] {
        self.input
    }
}
