//! Generator of programs that are changed while they run: bodies and expressions call the host
//! function `change()`, and each call runs the next of a list of definitions.

use super::Generator;
use super::environment::Environment;
use super::expression::Bounds;
use crate::random::Random;

/// A program, and what changes while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangingProgram {
    /// The parts, those of one kind in order.
    pub parts: Vec<Part>,
}

/// A part of a [`ChangingProgram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A definition at the beginning.
    Definition(String),
    /// An expression, without its separator.
    Expression(String),
    /// What a call of `change()` runs: a definition, or nothing.
    Change(String),
}

impl ChangingProgram {
    /// Generates the program of this seed.
    pub fn new(seed: u64) -> Self {
        let mut environment = Environment::new(&[], &[]);
        environment.calls_change = true;
        let mut generator = Generator { random: Random::new(seed), environment };
        let mut parts = Vec::new();
        for _ in 0..4 + generator.random.below(6) {
            parts.push(Part::Definition(generator.definition()));
        }
        for _ in 0..2 + generator.random.below(2) {
            parts.push(Part::Expression(generator.expression_with_calls()));
        }
        for _ in 0..1 + generator.random.below(6) {
            parts.push(Part::Change(generator.change()));
        }
        Self { parts }
    }

    /// Returns the parts as text.
    pub fn text(&self) -> String {
        let line = |part: &Part| match part {
            Part::Definition(text) => format!("define      {text}"),
            Part::Expression(text) => format!("evaluate    {text};\n"),
            Part::Change(text) if text.is_empty() => "no change\n".to_owned(),
            Part::Change(text) => format!("change      {text}"),
        };
        self.parts.iter().map(line).collect()
    }
}

impl Generator {
    /// Generates an expression that mostly calls functions of the program.
    fn expression_with_calls(&mut self) -> String {
        let bounds = Bounds { cost: 40_000, depth: 4, rank: usize::MAX };
        let (first, second) = (self.call(bounds), self.call(bounds));
        format!("{first} + {second} * {}", self.top_level())
    }

    fn change(&mut self) -> String {
        let item = match self.random.below(8) {
            0 => return String::new(),
            1 => self.redefined_maths() + ";\n",
            _ => self.definition(),
        };
        item.trim_end().to_owned() + "\n"
    }

    /// Generates a call of `change()`, often with an operand that waits for it.
    pub(super) fn call_of_change(&mut self, bounds: Bounds) -> String {
        match self.random.below(4) {
            0 => "change()".to_owned(),
            1 => format!("({} + change())", self.half(bounds)),
            _ => format!("(change() + {})", self.half(bounds)),
        }
    }
}
