//! Mistakes: items with syntax, semantic or runtime errors.

use super::Generator;

/// Items that fail and define nothing that the generator must know about.
pub(crate) const MISTAKES: &[&str] = &[
    "4 +",
    "(1 + 2",
    "1 + 2)",
    "1 = 2",
    "nowhere",
    "unknown(1)",
    "1.2.3",
    "12abc",
    "if 1 then 2",
    "def twice(a a) a",
    "def wrong(x) y",
    "def half(x) x +",
    "def binary+ (a b) a",
    "def binary% 101 (a b) a",
    "def binary%%% (a b) a",
    "sin(1, 2)",
    "printd(1) + pow(2)",
    "extern sin(x y)",
    "var a = a in a",
    "for i = i, 0 in i",
    "1 $ 2",
    "printd(7) + missing(1)",
    "extern lost(x); printd(8) + lost(9) + printd(10)",
    "def late(x) printd(x) + later(x); late(11)",
    "def deep(x) 1 + deep(x + 1); 12",
];

impl Generator {
    pub(super) fn mistake(&mut self) -> String {
        self.random.pick(MISTAKES).to_owned()
    }
}
