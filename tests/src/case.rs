//! Case files: programs that carry their answers in comments.
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
//! An answer belongs to the line of code it stands on, or to the last one before it. Every value, error, warning and
//! written line must be answered, in order. `compiles` is asked of the lazy mode only, and only where it is written.
//! An `output` goes to the end of its line; other answers may be several on one, each after its own `#`.
//!
//! A line `# modes: off` restricts a file to the modes named.

use std::fmt::Write as _;

use crate::run::{Effect, Run};

/// A case file, read.
#[derive(Debug)]
pub struct Case {
    lines: Vec<Line>,
    /// The modes in which the file is run; all where it does not say.
    modes: Option<Vec<String>>,
}

/// A line of code and what is expected of it; the first has no code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// From 1; 0 for what stands before the first line of code.
    number: usize,
    expected: Answers,
}

/// What a line of code gave, or is to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answers {
    effects: Vec<Effect>,
    /// The lines written.
    output: Vec<String>,
    /// The functions compiled; none where nobody asks.
    compiled: Option<Vec<String>>,
}

impl Case {
    /// Reads the answers from a text.
    pub fn parse(text: &str) -> Self {
        let mut lines = vec![Line::default()];
        for (idx, line) in text.lines().enumerate() {
            let (code, comment) = split(line);
            if !code.trim().is_empty() {
                lines.push(Line { number: idx + 1, expected: Answers::default() });
            }
            let last = lines.last_mut().expect("there is a first");
            last.expected.read(comment);
        }
        let modes = text.lines().find_map(|line| line.strip_prefix("# modes: "));
        Self { lines, modes: modes.map(words) }
    }

    /// Whether the file is to be run in the mode of this name.
    pub fn runs_in(&self, mode: &str) -> bool {
        self.modes.as_ref().is_none_or(|modes| modes.iter().any(|known| known == mode))
    }

    /// Compares with what came of the text; `laziness` says whether `compiles` is asked. What differs, in words.
    ///
    /// # Errors
    ///
    /// The differences, line by line.
    pub fn check(&self, run: &Run, laziness: bool) -> Result<(), String> {
        let mut differences = String::new();
        for (line, got) in self.lines.iter().zip(self.answers(run)) {
            let asked = line.expected.compiled.is_some();
            let expected = Answers {
                compiled: line.expected.compiled.clone().filter(|_| laziness),
                ..line.expected.clone()
            };
            let got = Answers { compiled: got.compiled.filter(|_| laziness && asked), ..got };
            if expected != got {
                let n = line.number;
                let _ = writeln!(differences, "  line {n}\n    expected {expected}\n    got      {got}");
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    /// The text with the answers that a lazy run gave. Lines whose answers were right stay as they are.
    pub fn bless(&self, text: &str, run: &Run) -> String {
        let mut got = self.lines.iter().zip(self.answers(run)).map(|(line, mut got)| {
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
            let right = current.as_ref().is_none_or(|(line, got)| line.expected == *got);
            let answer = answer_start(line);
            if right || (new.is_none() && answer.is_none()) {
                blessed += line;
                blessed.push('\n');
            } else if let Some((_, got)) = new {
                blessed += &got.written_behind(&line[..answer.unwrap_or(line.len())]);
            }
        }
        blessed
    }

    /// What the run gave, for each line of code.
    fn answers(&self, run: &Run) -> Vec<Answers> {
        let mut answers =
            vec![Answers { compiled: Some(Vec::new()), ..Answers::default() }; self.lines.len()];
        let at = |line: usize| self.lines.partition_point(|known| known.number <= line) - 1;
        for (item, compiled) in run.items.iter().zip(&run.compiled) {
            for (effect, line) in &item.effects {
                answers[at(*line)].effects.push(effect.clone());
            }
            let here = &mut answers[at(item.line)];
            here.output.extend(item.output.lines().map(str::to_owned));
            here.compiled.get_or_insert_default().extend_from_slice(compiled);
        }
        answers
    }
}

/// Code and comment. A `#` is in no other part of the language.
fn split(line: &str) -> (&str, &str) {
    line.split_at(line.find('#').unwrap_or(line.len()))
}

/// Where the first answer of a line begins: what stands before it, remarks included, is the author's.
fn answer_start(line: &str) -> Option<usize> {
    let mut places = line.match_indices('#').map(|(at, _)| at);
    places.find(|&at| {
        let mut answers = Answers::default();
        let (piece, _) = split(line[at..].trim_start_matches(['#', ' ']));
        answers.read(piece);
        answers != Answers::default()
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Answers {
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

    /// The answers as they are written, one string each.
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

    /// The line of code with these answers behind and, if there is output, below it.
    fn written_behind(&self, code: &str) -> String {
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

impl std::fmt::Display for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pieces = self.pieces();
        f.write_str(&if pieces.is_empty() { "nothing".to_owned() } else { pieces.join(" ") })
    }
}

#[cfg(test)]
mod tests;
