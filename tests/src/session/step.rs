//! Steps of a session: what is run, and in which way.

use super::race::Race;
use super::write::Writer;
use crate::random::Random;

/// The most steps of a session.
const MAX_STEPS: usize = 40;

/// Texts that never end by themselves, whatever a session has defined. What they define is called by nothing else.
const ENDLESS: &[&str] = &[
    "for i = 0, 1 in 0",
    "for i = 0, 1 in sin(i)",
    "for i = 0, 1 in (for j = 0, j < 3 in putchard(65))",
    "def spin(n) for i = n, 1 in putchard(i); spin(3)",
    "def tail(n) tail(n + 1); 1 + tail(0)",
    "def one(n) 1; def many(n) for i = 0, one(i) in one(i); many(1)",
];

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A text is run.
    Text {
        /// An item, mostly with what ends it.
        text: String,
        /// How it is handed over.
        way: Way,
    },
    /// A text is kept until a later step's program writes, and run then, from within the write.
    Reaction {
        /// Some items.
        text: String,
    },
    /// A text that never ends by itself is run and stopped.
    Endless {
        /// The text.
        text: String,
        /// By what it is stopped.
        stop: Stop,
    },
    /// A function is asked for, to be called from Rust in later steps.
    Hold {
        /// Its name.
        name: &'static str,
        /// How many arguments it is to take.
        n_arguments: usize,
    },
    /// The host registers a closure under the name of a function, which gives the sum of its arguments and this number, or an
    /// error where that is too large.
    Register {
        /// The name.
        name: &'static str,
        /// How many arguments the closure takes.
        n_arguments: usize,
        /// The number.
        offset: usize,
    },
    /// Inside of one scope, the functions held are called, a text is run, and the functions are called again.
    Scope {
        /// Some items.
        text: String,
    },
    /// Several threads call, and one defines.
    Race(Race),
}

/// What stops an evaluation that never ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Another thread asks for it.
    Request,
    /// Its time is up. The engine is one that does only this.
    TimeLimit,
}

/// How a text is handed to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Added to the session's text; what is surely complete is run.
    Whole,
    /// The same in pieces of so many bytes, or as many as make whole characters; after each, what is complete is run.
    Pieces(usize),
    /// As a line that a person has typed: an item that may end there does.
    Line,
    /// As [`Self::Whole`]; what is then unfinished is given up.
    Abandoned,
    /// As a text of its own, while the session's may be in the middle of an item.
    Apart,
}

impl Way {
    /// The text in pieces as they are to be added.
    pub(super) fn pieces(self, text: &str) -> Vec<&str> {
        let n_bytes = if let Self::Pieces(n_bytes) = self { n_bytes } else { text.len() };
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(n_bytes));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// As many steps as the choices give.
pub(super) fn steps(random: Random) -> Vec<Step> {
    let mut writer = Writer::new(random);
    let n_steps = MAX_STEPS - writer.random.below(MAX_STEPS / 2);
    let mut steps = Vec::new();
    while steps.len() < n_steps && !writer.random.is_used_up() {
        steps.push(step(&mut writer));
    }
    steps
}

fn step(writer: &mut Writer) -> Step {
    match writer.random.below(64) {
        0..=43 => text(writer),
        44 | 45 => {
            let (name, n_arguments) = writer.registered();
            Step::Register { name, n_arguments, offset: writer.random.below(4) }
        }
        46..=51 => Step::Reaction { text: items(writer) },
        52..=54 => {
            let (name, n_arguments) = writer.function_and_arity();
            Step::Hold { name, n_arguments }
        }
        55..=58 => Step::Scope { text: items(writer) },
        59..=62 => Step::Race(writer.race()),
        _ => {
            let stop = if writer.random.one_in(1, 4) { Stop::TimeLimit } else { Stop::Request };
            Step::Endless { text: writer.random.pick(ENDLESS).to_owned(), stop }
        }
    }
}

/// A few items.
fn items(writer: &mut Writer) -> String {
    let n_items = 1 + writer.random.below(3);
    let items: Vec<String> = (0..n_items).map(|_| writer.item()).collect();
    items.join(";")
}

fn text(writer: &mut Writer) -> Step {
    let mut text = writer.item();
    let way = match writer.random.below(10) {
        0..=4 => Way::Whole,
        5 => Way::Pieces(1),
        6 => Way::Pieces(2 + writer.random.below(8)),
        7 => Way::Line,
        8 => Way::Abandoned,
        _ => Way::Apart,
    };
    text += match way {
        Way::Line => "\n",
        _ => writer.random.pick(&[";", ";\n", ";", ";\n", "\n", ";", ";\n# é\n", ""]),
    };
    Step::Text { text, way }
}
