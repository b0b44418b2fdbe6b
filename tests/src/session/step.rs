//! Steps of a session and their random generation.

use super::race::Race;
use super::writer::Writer;
use crate::random::Random;

/// The most steps of a session.
const MAX_STEPS: usize = 40;

/// Texts that never end by themselves, whatever a session has defined. Nothing else calls what they
/// define.
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
    /// Runs a text.
    Text {
        /// An item, usually with its terminator.
        text: String,
        /// How the engine gets the text.
        delivery: Delivery,
    },
    /// Queues a text that runs within a later write of the program.
    Reaction {
        /// Some items.
        text: String,
    },
    /// Runs an endless text and stops it.
    Endless {
        /// The text.
        text: String,
        /// What stops it.
        stop: StopBy,
    },
    /// Looks up a function, for calls from Rust in later steps.
    Hold {
        /// The name.
        name: &'static str,
        /// The number of arguments.
        n_arguments: usize,
    },
    /// Registers a host closure under the name of a function. The closure returns the sum of its
    /// arguments and the offset, or an error if the sum is too large.
    Register {
        /// The name.
        name: &'static str,
        /// The number of arguments of the closure.
        n_arguments: usize,
        /// The offset.
        offset: usize,
    },
    /// In one scope: calls the held functions, runs a text, and calls the functions again.
    Scope {
        /// Some items.
        text: String,
    },
    /// Runs a race: several threads call a function while one redefines it.
    Race(Race),
}

/// What stops an endless evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopBy {
    /// Another thread interrupts it.
    Interrupt,
    /// The time limit of an engine that runs only this text.
    TimeLimit,
}

/// How an engine gets a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Added to the session's script in one piece. Complete items run.
    Whole,
    /// Added in pieces of this many bytes, rounded up to whole characters. Complete items run after
    /// each piece.
    Pieces(usize),
    /// Added as a line that a person has typed: an item ends at the end of the line if it can.
    Line,
    /// Added like [`Self::Whole`]. An unfinished item is then abandoned.
    Abandoned,
    /// As a script of its own. The session's script may be in the middle of an item.
    Separate,
}

impl Delivery {
    /// Cuts the text into the pieces to add.
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

/// Generates steps until the choices are used up.
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
            let stop = if writer.random.one_in(1, 4) { StopBy::TimeLimit } else { StopBy::Interrupt };
            Step::Endless { text: writer.random.pick(ENDLESS).to_owned(), stop }
        }
    }
}

/// Generates a few items.
fn items(writer: &mut Writer) -> String {
    let n_items = 1 + writer.random.below(3);
    let items: Vec<String> = (0..n_items).map(|_| writer.item()).collect();
    items.join(";")
}

fn text(writer: &mut Writer) -> Step {
    let mut text = writer.item();
    let delivery = match writer.random.below(10) {
        0..=4 => Delivery::Whole,
        5 => Delivery::Pieces(1),
        6 => Delivery::Pieces(2 + writer.random.below(8)),
        7 => Delivery::Line,
        8 => Delivery::Abandoned,
        _ => Delivery::Separate,
    };
    text += match delivery {
        Delivery::Line => "\n",
        _ => writer.random.pick(&[";", ";\n", ";", ";\n", "\n", ";", ";\n# é\n", ""]),
    };
    Step::Text { text, delivery }
}
