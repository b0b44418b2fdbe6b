//! Case files: programs with the expected results in comments.
//!
//! ```text
//! # Which rule this pins.
//! def f(x) x + 1;         # compiles: nothing
//! f(1); f(2);             # => 2 3 # compiles: f
//! 4 +; y;                 # error: KLS1001 # error: KLS2001
//! printd(5);              # output: 5
//! # => 0
//! ```
//!
//! An expectation belongs to its line of code, or to the last line of code before it. Every value,
//! error, warning and output line needs an expectation, in order. `compiles` is checked in lazy
//! mode only, and only on lines that have it. An `output` expectation extends to the end of its
//! line. Other expectations can share a line, each after its own `#`.
//!
//! A line `# modes: off` restricts a file to the modes that it names. A file with the line
//! `# prelude` runs with the prelude.

use std::fmt::Write as _;

use crate::run::{Effect, Run};

/// A parsed case file.
#[derive(Debug)]
pub struct Case {
    lines: Vec<Line>,
    /// The modes in which the file runs. `None` means all modes.
    modes: Option<Vec<String>>,
}

/// A line of code and its expectations. The first `Line` of a case has no code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// Line number from 1, or 0 for the text before the first line of code.
    number: usize,
    expected: Results,
}

/// Results of a line of code: expected or observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Results {
    effects: Vec<Effect>,
    /// The output lines.
    output: Vec<String>,
    /// The compiled functions. `None` if the file has no `compiles` here.
    compiled: Option<Vec<String>>,
}

impl Case {
    /// Parses the expectations of a text.
    pub fn parse(text: &str) -> Self {
        let mut lines = vec![Line::default()];
        for (idx, line) in text.lines().enumerate() {
            let (code, comment) = split(line);
            if !code.trim().is_empty() {
                lines.push(Line { number: idx + 1, expected: Results::default() });
            }
            let last = lines.last_mut().expect("the list begins with a line without code");
            last.expected.read(comment);
        }
        let modes = text.lines().find_map(|line| line.strip_prefix("# modes: "));
        Self { lines, modes: modes.map(words) }
    }

    /// Returns whether the file runs in the mode with this name.
    pub fn runs_in(&self, mode: &str) -> bool {
        self.modes.as_ref().is_none_or(|modes| modes.iter().any(|known| known == mode))
    }

    /// Compares a run of the text with the expectations. `laziness`: also checks `compiles`.
    ///
    /// # Errors
    ///
    /// Returns the differences, line by line.
    pub fn check(&self, run: &Run, laziness: bool) -> Result<(), String> {
        let mut differences = String::new();
        for (line, got) in self.lines.iter().zip(self.results(run)) {
            let is_checked = line.expected.compiled.is_some();
            let expected = Results {
                compiled: line.expected.compiled.clone().filter(|_| laziness),
                ..line.expected.clone()
            };
            let got = Results { compiled: got.compiled.filter(|_| laziness && is_checked), ..got };
            if expected != got {
                let n = line.number;
                let _ = writeln!(differences, "  line {n}\n    expected {expected}\n    got      {got}");
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    /// Returns the text with the expectations replaced by the results of a lazy run. Lines with
    /// correct expectations stay unchanged.
    pub fn bless(&self, text: &str, run: &Run) -> String {
        let mut got = self.lines.iter().zip(self.results(run)).map(|(line, mut got)| {
            got.compiled = got.compiled.filter(|_| line.expected.compiled.is_some());
            (line, got)
        });
        let mut current = got.next();
        let mut blessed = String::new();
        for line in text.lines() {
            let (code, _) = split(line);
            let new = if code.trim().is_empty() {
                None
            } else {
                current = got.next();
                current.as_ref()
            };
            let is_correct = current.as_ref().is_none_or(|(line, got)| line.expected == *got);
            let expectation = expectation_start(line);
            if is_correct || (new.is_none() && expectation.is_none()) {
                blessed += line;
                blessed.push('\n');
            } else if let Some((_, got)) = new {
                blessed += &got.appended_to(&line[..expectation.unwrap_or(line.len())]);
            }
        }
        blessed
    }

    /// Returns the results of the run for each line of code.
    fn results(&self, run: &Run) -> Vec<Results> {
        let mut results =
            vec![Results { compiled: Some(Vec::new()), ..Results::default() }; self.lines.len()];
        let at = |line: usize| self.lines.partition_point(|known| known.number <= line) - 1;
        for (item, compiled) in run.items.iter().zip(&run.compiled) {
            for (effect, line) in &item.effects {
                results[at(*line)].effects.push(effect.clone());
            }
            let here = &mut results[at(item.line)];
            here.output.extend(item.output.lines().map(str::to_owned));
            here.compiled.get_or_insert_default().extend_from_slice(compiled);
        }
        results
    }
}

/// Splits a line into code and comment. `#` has no other use in the language.
fn split(line: &str) -> (&str, &str) {
    line.split_at(line.find('#').unwrap_or(line.len()))
}

/// Finds the start of the first expectation in a line. The text before it belongs to the author.
fn expectation_start(line: &str) -> Option<usize> {
    let mut places = line.match_indices('#').map(|(at, _)| at);
    places.find(|&at| {
        let mut results = Results::default();
        let (piece, _) = split(line[at..].trim_start_matches(['#', ' ']));
        results.read(piece);
        results != Results::default()
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Results {
    fn read(&mut self, comment: &str) {
        let mut rest = comment.trim_start_matches(['#', ' ']);
        while !rest.is_empty() {
            if let Some(output) = rest.strip_prefix("output:") {
                self.output.push(output.strip_prefix(' ').unwrap_or(output).to_owned());
                return;
            }
            let (piece, next) = rest.split_once('#').unwrap_or((rest, ""));
            self.read_piece(piece.trim());
            rest = next.trim_start_matches(['#', ' ']);
        }
    }

    fn read_piece(&mut self, piece: &str) {
        if let Some(values) = piece.strip_prefix("=> ") {
            self.effects.extend(words(values).into_iter().map(Effect::Value));
        } else if let Some(code) = piece.strip_prefix("error: ") {
            self.effects.push(Effect::Error(code.to_owned()));
        } else if let Some(code) = piece.strip_prefix("warning: ") {
            self.effects.push(Effect::Warning(code.to_owned()));
        } else if let Some(names) = piece.strip_prefix("compiles: ") {
            let names = words(names).into_iter().filter(|name| name != "nothing");
            self.compiled.get_or_insert_default().extend(names);
        }
    }

    /// Writes each result as the text of an expectation.
    fn pieces(&self) -> Vec<String> {
        let mut pieces: Vec<String> = Vec::new();
        pieces.extend(self.output.iter().map(|line| format!("# output: {line}")));
        for effect in &self.effects {
            match effect {
                Effect::Value(value) => match pieces.last_mut() {
                    Some(last) if last.starts_with("# =>") => *last += &format!(" {value}"),
                    _ => pieces.push(format!("# => {value}")),
                },
                Effect::Error(code) => pieces.push(format!("# error: {code}")),
                Effect::Warning(code) => pieces.push(format!("# warning: {code}")),
            }
        }
        if let Some(compiled) = &self.compiled {
            let names = if compiled.is_empty() { "nothing".to_owned() } else { compiled.join(" ") };
            pieces.push(format!("# compiles: {names}"));
        }
        pieces
    }

    /// Appends the expectations to a line of code. Output continues on the lines below.
    fn appended_to(&self, code: &str) -> String {
        let mut text = code.to_owned();
        if !text.ends_with(' ') {
            text.push(' ');
        }
        for piece in self.pieces() {
            text += &piece;
            text.push(if piece.starts_with("# output:") { '\n' } else { ' ' });
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

impl std::fmt::Display for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pieces = self.pieces();
        f.write_str(&if pieces.is_empty() { "nothing".to_owned() } else { pieces.join(" ") })
    }
}

#[cfg(test)]
mod tests;
