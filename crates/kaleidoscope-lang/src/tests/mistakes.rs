//! Mistakes of beginners: `mistakes.txt` has what is written, and what the messages say.
//!
//! Each message was judged: the first one names the mistake, and a hint says what to write.

use crate::names::Names;
use crate::reader::Reader;
use std::fmt::Write as _;

/// The mistakes with their messages.
const MISTAKES: &str = include_str!("mistakes.txt");

#[test]
fn each_mistake_is_explained() {
    let mut found = String::new();
    let written = MISTAKES.lines().filter(|line| !line.is_empty() && !line.starts_with(' '));
    let mut n_mistakes = 0;
    for text in written {
        n_mistakes += 1;
        writeln!(found, "{text}\n{}", messages(text)).unwrap();
    }
    assert_eq!(n_mistakes, 59);
    assert!(found.trim_end() == MISTAKES.trim_end(), "the messages are:\n\n{found}");
}

/// The messages about a text, with their hints.
fn messages(text: &str) -> String {
    let mut names = Names::new();
    names.declare_host("printd", 1);
    names.declare_host("putchard", 1);
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let mut messages = String::new();
    while let Some(read) = reader.read(&names) {
        for found in &read.diagnostics {
            writeln!(messages, "    {}: {}", found.code, found.message).unwrap();
            if let Some(hint) = &found.hint {
                writeln!(messages, "        {hint}").unwrap();
            }
        }
        read.item.iter().for_each(|item| names.commit(item));
    }
    messages
}
