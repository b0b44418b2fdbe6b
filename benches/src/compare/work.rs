//! What the contestants are asked to do.

use crate::generate::{self, Language};
use crate::peer::{root, target_dir};
use std::path::PathBuf;
use std::{fs, io};

/// One program in every language.
#[derive(Debug)]
pub struct Work {
    /// Its name, and that of its files.
    pub name: &'static str,
    /// What it asks, for a reader of the board.
    pub question: &'static str,
    /// Which time counts.
    pub clock: Clock,
    source: Source,
    /// What the program in C is given when it runs; the others have it in their text.
    input: &'static [&'static str],
}

/// Which time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// What a person waits: where starting is the work.
    Wall,
    /// The processor's time on all threads: where the work is long enough that other processes disturb it.
    Processor,
}

impl Clock {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Processor => "processor",
        }
    }
}

/// Where the text is.
#[derive(Debug)]
enum Source {
    /// In `benches/programs` and `benches/peers`.
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
        &["-2.3", "0.0032", "-1.3", "0.0026"],
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
    /// The file with the program in this language, which is written first if it is a generated one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, language: Language) -> io::Result<PathBuf> {
        let name = format!("{}.{}", self.name, language.extension());
        match (&self.source, language) {
            (Source::Files, Language::Kaleidoscope) => Ok(root().join("benches/programs").join(name)),
            (Source::Files, _) => Ok(root().join("benches/peers").join(name)),
            (Source::Generated(make), _) => {
                let folder = target_dir().join("peers/generated");
                fs::create_dir_all(&folder)?;
                let path = folder.join(name);
                fs::write(&path, make(language))?;
                Ok(path)
            }
        }
    }

    /// What the program in C is given on its command line.
    pub fn input(&self) -> &[&str] {
        self.input
    }
}
