//! Operators: their signs, and the table of those that exist.
//!
//! At each run of operator characters the parser asks the table for the longest operator that
//! exists there: a binary operator behind an operand, a prefix operator before one.

#[cfg(test)]
mod tests;

use std::fmt;

use kaleidoscope_ir::{Arithmetic, FunctionId};

/// The characters of operators.
const CHARACTERS: &[u8; 19] = b"!%&*+-./:<=>?@\\^_|~";

/// The precedence of `^`, the only binary operator that binds tighter than a prefix operator.
pub const POWER_PRECEDENCE: u8 = 50;
/// The precedence of a binary operator that is defined without one.
pub const DEFAULT_PRECEDENCE: u8 = 30;
/// The highest precedence; 1 is the lowest.
pub const MAX_PRECEDENCE: u8 = 100;

/// The sign of an operator: one or two operator characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sign([u8; 2]);

impl Sign {
    /// `=`
    pub const ASSIGN: Self = Self([b'=', 0]);
    /// `<`
    pub(crate) const LESS: Self = Self([b'<', 0]);
    /// `^`
    pub const POWER: Self = Self([b'^', 0]);
    /// `**`, which is `^` with the prelude.
    pub(crate) const STARS: Self = Self([b'*', b'*']);
    /// `&&`, which the word `and` means.
    pub(crate) const AND: Self = Self([b'&', b'&']);
    /// `||`, which the word `or` means.
    pub(crate) const OR: Self = Self([b'|', b'|']);
    /// `!`, which the word `not` means.
    pub(crate) const NOT: Self = Self([b'!', 0]);

    /// The sign that a text spells; `None` if it spells none.
    pub fn new(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        bytes.iter().all(|&byte| is_operator_character(byte)).then_some(())?;
        match *bytes {
            [first] => Some(Self([first, 0])),
            [first, second] => Some(Self([first, second])),
            _ => None,
        }
    }

    /// The sign of one operator character.
    pub(crate) const fn of_character(character: u8) -> Self {
        Self([character, 0])
    }

    /// The sign's text.
    pub fn as_str(&self) -> &str {
        let n_characters = self.n_characters();
        std::str::from_utf8(&self.0[..n_characters]).expect("operator characters are ASCII")
    }

    /// The number of characters: 1 or 2.
    pub const fn n_characters(self) -> usize {
        if self.0[1] == 0 { 1 } else { 2 }
    }

    /// Whether the binary operator is part of the language, so that programs cannot define it.
    pub(crate) fn is_built_in(self) -> bool {
        matches!(&self.0, [b'=' | b'<' | b'+' | b'-' | b'*' | b'/' | b'^', 0])
    }

    /// Whether `a op b op c` means `a op (b op c)`. Only the built-in `=` and `^` are
    /// right-associative. The tree has `^` for a `**` that means the same.
    pub fn is_right_associative(self) -> bool {
        self == Self::ASSIGN || self == Self::POWER
    }

    /// The index in a table of all signs.
    fn index(self) -> usize {
        let second = if self.0[1] == 0 { 0 } else { 1 + character_index(self.0[1]) };
        character_index(self.0[0]) * (CHARACTERS.len() + 1) + second
    }
}

/// The name of the function that defines a prefix operator: `unary!`.
pub fn unary_name(sign: Sign) -> String {
    format!("unary{}{sign}", separator(sign))
}

/// The name of the function that defines a binary operator: `binary|`.
pub fn binary_name(sign: Sign) -> String {
    format!("binary{}{sign}", separator(sign))
}

/// The separator between the word and the sign. A program can name functions `unary_` and
/// `binary__`, so the names of such operators contain a space.
fn separator(sign: Sign) -> &'static str {
    if sign.as_str().bytes().all(|byte| byte == b'_') { " " } else { "" }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sign({self})")
    }
}

const N_SIGNS: usize = CHARACTERS.len() * (CHARACTERS.len() + 1);

/// The index in [`CHARACTERS`] of each ASCII character; 255 for others.
const CHARACTER_INDEX: [u8; 128] = {
    let mut table = [255; 128];
    let mut idx = 0;
    while idx < CHARACTERS.len() {
        table[CHARACTERS[idx] as usize] = idx as u8;
        idx += 1;
    }
    table
};

pub(crate) fn is_operator_character(byte: u8) -> bool {
    byte < 128 && CHARACTER_INDEX[byte as usize] != 255
}

fn character_index(byte: u8) -> usize {
    CHARACTER_INDEX[byte as usize] as usize
}

/// The meaning of a binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryMeaning {
    /// `=`: assigns the variable on the left.
    Assign,
    /// A built-in operation.
    Arithmetic(Arithmetic),
    /// 1 if both operands are true, otherwise 0. Evaluates the right one if the left one is true.
    And,
    /// 1 if an operand is true, otherwise 0. Evaluates the right one if the left one is false.
    Or,
    /// A call of the function that defines the operator.
    Call(FunctionId),
}

/// A binary operator that exists now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryOperator {
    /// 1 to 100; higher binds tighter.
    pub precedence: u8,
    /// The meaning.
    pub meaning: BinaryMeaning,
}

/// The operators that exist at a point of the program.
#[derive(Clone, Debug)]
pub(crate) struct Operators {
    binary: Box<[Option<BinaryOperator>]>,
    prefix: Box<[Option<FunctionId>]>,
}

impl Operators {
    /// The built-in operators.
    pub(crate) fn new() -> Self {
        let mut operators = Self { binary: vec![None; N_SIGNS].into(), prefix: vec![None; N_SIGNS].into() };
        let mut built_in = |text: &str, precedence, meaning| {
            let sign = Sign::new(text).expect("a sign");
            operators.binary[sign.index()] = Some(BinaryOperator { precedence, meaning });
        };
        built_in("=", 2, BinaryMeaning::Assign);
        built_in("<", 10, BinaryMeaning::Arithmetic(Arithmetic::Less));
        built_in("+", 20, BinaryMeaning::Arithmetic(Arithmetic::Add));
        built_in("-", 20, BinaryMeaning::Arithmetic(Arithmetic::Subtract));
        built_in("*", 40, BinaryMeaning::Arithmetic(Arithmetic::Multiply));
        built_in("/", 40, BinaryMeaning::Arithmetic(Arithmetic::Divide));
        built_in("^", POWER_PRECEDENCE, BinaryMeaning::Arithmetic(Arithmetic::Power));
        operators
    }

    /// Removes `=`, which the language has from chapter 7 on.
    pub(crate) fn remove_assignment(&mut self) {
        self.binary.iter_mut().for_each(|operator| {
            operator.take_if(|operator| operator.meaning == BinaryMeaning::Assign);
        });
    }

    pub(crate) fn binary(&self, sign: Sign) -> Option<BinaryOperator> {
        self.binary[sign.index()]
    }

    pub(crate) fn prefix(&self, sign: Sign) -> Option<FunctionId> {
        self.prefix[sign.index()]
    }

    pub(crate) fn set_binary(&mut self, sign: Sign, operator: BinaryOperator) {
        self.binary[sign.index()] = Some(operator);
    }

    pub(crate) fn set_prefix(&mut self, sign: Sign, function: FunctionId) {
        self.prefix[sign.index()] = Some(function);
    }

    /// Removes the operators that call a function.
    pub(crate) fn remove(&mut self, function: FunctionId) {
        for binary in &mut self.binary {
            binary.take_if(|binary| binary.meaning == BinaryMeaning::Call(function));
        }
        for prefix in &mut self.prefix {
            prefix.take_if(|prefix| *prefix == function);
        }
    }

    /// The longest binary operator at the start of a run of operator characters.
    pub(crate) fn longest_binary(&self, run: &str) -> Option<(Sign, BinaryOperator)> {
        if let [only] = *run.as_bytes() {
            let sign = Sign::of_character(only);
            return Some((sign, self.binary(sign)?));
        }
        signs_of(run).find_map(|sign| Some((sign, self.binary(sign)?)))
    }

    /// The longest prefix operator at the start of a run of operator characters.
    pub(crate) fn longest_prefix(&self, run: &str) -> Option<Sign> {
        signs_of(run).find(|&sign| self.prefix(sign).is_some())
    }
}

/// The signs that a run of operator characters may start with, the longer one first.
fn signs_of(run: &str) -> impl Iterator<Item = Sign> {
    let (one, two) = match *run.as_bytes() {
        [first, second, ..] => (Some(Sign([first, 0])), Some(Sign([first, second]))),
        [first] => (Some(Sign([first, 0])), None),
        [] => (None, None),
    };
    two.into_iter().chain(one)
}
