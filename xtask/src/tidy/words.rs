//! Words that the project's vocabulary has retired do not come back.
//!
//! A file is read as a sequence of words: identifiers are cut at underscores and capitals, and line
//! ends count as spaces, so that `BetterCode`, `better_code` and "better code" are the same phrase.
//! Each retired phrase has the term that replaces it.

use super::{Complaint, Source};

/// Where a phrase is retired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In identifiers, comments, messages and documents.
    Everywhere,
    /// In the code of Rust files. In prose the phrase has an ordinary meaning.
    Identifiers,
    /// Everywhere but in llvm-orc, which knows no inlining and carries panics around C++ frames.
    Inlining,
}

use Scope::{Everywhere, Identifiers, Inlining};

/// Retired phrases, with what is said instead. A word that ends with `*` stands for all words that
/// begin so.
const RETIRED: &[(Scope, &str, &str)] = &[
    (Everywhere, "evaluator*", "interpreter"),
    (Everywhere, "once through", "interpreter tier"),
    (Everywhere, "quick code", "baseline code"),
    (Everywhere, "quick tier", "baseline tier"),
    (Everywhere, "first code", "baseline code"),
    (Everywhere, "good code", "optimized code"),
    (Everywhere, "better code", "optimized code"),
    (Everywhere, "better body", "optimized code"),
    (Everywhere, "better bodies", "optimized code"),
    (Everywhere, "made better", "tiered up"),
    (Everywhere, "make better", "tier up"),
    (Everywhere, "made again", "recompiled"),
    (Everywhere, "make again", "recompile"),
    (Everywhere, "makes again", "recompiles"),
    (Everywhere, "making again", "recompiling"),
    (Everywhere, "rest of a loop", "OSR entry"),
    (Everywhere, "part of a loop", "OSR entry"),
    (Everywhere, "take back", "invalidate"),
    (Everywhere, "takes back", "invalidates"),
    (Everywhere, "taken back", "invalidated"),
    (Everywhere, "took back", "invalidated"),
    (Everywhere, "give back", "reclaim, free"),
    (Everywhere, "gives back", "reclaims, frees"),
    (Everywhere, "given back", "reclaimed, freed"),
    (Everywhere, "gave back", "reclaimed, freed"),
    (Everywhere, "carries", "inlines, has"),
    (Inlining, "carried", "inlined"),
    (Everywhere, "carrier*", "dependents"),
    (Everywhere, "heat", "counters, profile"),
    (Everywhere, "count anew", "reset"),
    (Everywhere, "counted anew", "reset"),
    (Everywhere, "anew", "again"),
    (Everywhere, "ran out", "tripped"),
    (Everywhere, "runs out", "trips"),
    (Everywhere, "run out", "trip"),
    (Everywhere, "stop request*", "interrupt"),
    (Everywhere, "code for rows", "kernel"),
    (Everywhere, "circle of calls", "recursive cycle"),
    (Everywhere, "in the making", "being compiled"),
    (Everywhere, "came to nothing", "failed"),
    (Everywhere, "comes to nothing", "fails"),
    (Everywhere, "come to nothing", "fail"),
    (Everywhere, "in vain", "without success"),
    (Everywhere, "so many", "this number of"),
    (Everywhere, "nobody*", "no one, no thread, no caller"),
    (Everywhere, "is had", "exists"),
    (Everywhere, "to be had", "available"),
    (Everywhere, "so much for", "(delete it)"),
    (Everywhere, "stands", "is, is stored, is written"),
    (Everywhere, "fenced in", "allowed"),
    (Everywhere, "is told", "is notified"),
    (Everywhere, "are told", "are notified"),
    (Everywhere, "being told", "an interrupt"),
    (Identifiers, "turn", "iteration, back edge"),
    (Identifiers, "turns", "iterations, back edges"),
    (Identifiers, "promote*", "tier up"),
    (Identifiers, "promotion*", "tier-up"),
    (Identifiers, "occasion*", "compile reason"),
    (Inlining, "carry", "inline"),
    (Identifiers, "better", "optimized"),
    (Identifiers, "body name", "code name"),
    (Everywhere, "optimis*", "optimiz…"),
    (Everywhere, "unoptimis*", "unoptimiz…"),
    (Everywhere, "initialis*", "initializ…"),
    (Everywhere, "recognis*", "recogniz…"),
    (Everywhere, "serialis*", "serializ…"),
    (Everywhere, "organis*", "organiz…"),
    (Everywhere, "normalis*", "normaliz…"),
    (Everywhere, "synchronis*", "synchroniz…"),
    (Everywhere, "summaris*", "summariz…"),
    (Everywhere, "specialis*", "specializ…"),
    (Everywhere, "behaviour*", "behavior"),
    (Everywhere, "colour*", "color"),
    (Everywhere, "favour*", "favor"),
    (Everywhere, "neighbour*", "neighbor"),
    (Everywhere, "licence*", "license"),
    (Everywhere, "centre*", "center"),
    (Everywhere, "analyse", "analyze"),
    (Everywhere, "analysed", "analyzed"),
    (Everywhere, "analyser", "analyzer"),
];

/// Files that must name retired phrases, or that are not written in the project's words.
const EXEMPT: &[&str] = &["xtask/", "LICENSE"];

/// The file whose tables show old words beside new ones.
const CHANGELOG: &str = "CHANGELOG.md";

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let sources =
        sources.iter().filter(|source| EXEMPT.iter().all(|exempt| !source.path.starts_with(exempt)));
    let mut complaints = Vec::new();
    for source in sources {
        let whole = if source.path == CHANGELOG { without_tables(&source.text) } else { source.text.clone() };
        let code = if source.is_rust() { source.parts().code.as_str() } else { "" };
        let lower = whole.to_lowercase();
        let (whole, code) = (words(&whole), words(code));
        for (scope, phrase, instead) in RETIRED {
            // Most files have no word of the phrase, and this is the quickest way to know.
            if !lower.contains(phrase.split([' ', '*']).next().unwrap_or_default()) {
                continue;
            }
            let searched = match scope {
                Everywhere => &whole,
                Identifiers => &code,
                Inlining if source.path.starts_with("crates/llvm-orc/") => continue,
                Inlining => &whole,
            };
            for line in find(searched, phrase) {
                let message = format!("`{phrase}` is retired: {instead}");
                complaints.push(Complaint::new(source, line, message));
            }
        }
    }
    complaints.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    complaints
}

fn without_tables(text: &str) -> String {
    let line = |line: &str| if line.starts_with('|') { "\n".to_owned() } else { format!("{line}\n") };
    text.lines().map(line).collect()
}

/// A word in lower case, or the end of a sentence, as an empty word.
struct Word {
    line: usize,
    text: String,
}

/// The words of a text.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (idx, line) in text.lines().enumerate() {
        let mut before = ' ';
        for c in line.chars() {
            if c.is_alphanumeric() {
                let begins = !before.is_alphanumeric() || (c.is_uppercase() && !before.is_uppercase());
                match words.last_mut() {
                    Some(last) if !begins => last.text.extend(c.to_lowercase()),
                    _ => words.push(Word { line: idx + 1, text: c.to_lowercase().collect() }),
                }
            } else if matches!(c, '.' | ';' | ':' | '?' | '(' | ')' | '|' | '"' | ',') {
                words.push(Word { line: idx + 1, text: String::new() });
            }
            before = c;
        }
        // A blank line ends what is above it. A comment without text is one.
        if line.trim_matches([' ', '/', '!', '#', '*']).is_empty() {
            words.push(Word { line: idx + 1, text: String::new() });
        }
    }
    words
}

/// The lines in which the phrase begins.
fn find(words: &[Word], phrase: &str) -> Vec<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let is_it = |wanted: &str, word: &Word| match wanted.strip_suffix('*') {
        Some(beginning) => word.text.starts_with(beginning),
        None => word.text == wanted,
    };
    let found = words
        .windows(phrase.len())
        .filter(|words| words.iter().zip(&phrase).all(|(word, wanted)| is_it(wanted, word)));
    found.map(|words| words[0].line).collect()
}

#[cfg(test)]
mod tests;
