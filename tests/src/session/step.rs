//! Steps of a session: a text, and the way in which it is handed over.

use super::write::Writer;
use crate::random::Random;

/// The most steps of a session.
const MAX_STEPS: usize = 40;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// An item, mostly with what ends it.
    pub text: String,
    /// How it is handed over.
    pub way: Way,
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
        _ => writer.random.pick(&[";", ";\n", ";", "\n", ";\n# é\n", ""]),
    };
    Step { text, way }
}
