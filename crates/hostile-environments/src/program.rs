//! The programs: a value, an endless recursion, an endless loop, and much to compile.

use std::fmt::Write as _;

/// A program and its outcome in a friendly environment.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    text: fn() -> String,
    pub(crate) expected: &'static str,
}

pub(crate) const PROGRAMS: &[Program] = &[
    // Calls C's maths library, too.
    Program {
        name: "value",
        text: || "def f(x) x * x + cos(0); for i = 0, i < 99 in f(i); f(3);".to_owned(),
        expected: "0 10",
    },
    Program { name: "recursion", text: || "def f(x) f(x + 1) + 1; f(1);".to_owned(), expected: "KLS3004" },
    Program { name: "loop", text: || "def f(x) for i = 0, x in 0; f(1);".to_owned(), expected: "KLS3006" },
    Program { name: "large", text: large, expected: "500500" },
];

impl Program {
    pub(crate) fn text(&self) -> String {
        (self.text)()
    }

    /// What is wrong with an outcome, if anything: it is neither the expected one nor an error.
    /// Items before and after the one that fails may have their values.
    pub(crate) fn fault(&self, outcome: &str) -> Option<&'static str> {
        let mut expected = self.expected.split(' ');
        let (mut n_errors, mut n_others) = (0, 0);
        for part in outcome.split(' ') {
            if part.starts_with("KLS3") {
                n_errors += 1;
            } else if !expected.any(|other| other == part) {
                n_others += 1;
            }
        }
        let is_right =
            outcome == self.expected || outcome.starts_with("no engine: ") || (n_errors > 0 && n_others == 0);
        (!is_right).then_some("another value")
    }
}

/// A sum of a thousand terms.
fn large() -> String {
    let mut text = "def f(x) 0".to_owned();
    for n in 1..=1_000 {
        // Writing to a text does not fail.
        let _ = write!(text, " + x * {n}");
    }
    text + "; f(1);"
}
