//! Random programs over the whole grammar, which always end.
//!
//! A program is a list of items: definitions of functions and operators (some of them again, some with another number
//! of parameters, some of functions of the maths library), externs, expressions, and now and then a mistake. Numbers
//! include infinities, NaN, -0 and the ends of the range.
//!
//! Why they end: each callable has a rank and calls only lower ranks, or itself with its first parameter one less, and
//! whoever calls it gives a first argument below 8. A loop counts its turns in a variable that nothing else assigns.
//! How long they take: what an expression may cost is handed down from its parent, and a call costs what its callee
//! may at most. Both hold whatever values come up, which operators exist and what is redefined.

mod expression;
mod item;
pub(crate) mod mistake;
mod scope;

#[cfg(test)]
mod tests;

use crate::random::Random;
use scope::Scope;

/// The most items of a program that a fuzzer draws: about as many as a program of a seed has.
const MAX_ITEMS: usize = 20;

/// The variables of the host that programs may use, with their first values.
pub const HOST_VARIABLES: &[(&str, f64)] = &[("shared1", 0.5), ("shared2", 3.0)];

/// A program as a list of items, each with its separator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The items in order; the text is all of them, one after the other.
    pub items: Vec<String>,
}

impl Program {
    /// The program of this seed.
    pub fn new(seed: u64) -> Self {
        Self::of_seed(seed, Scope::new(&[]))
    }

    /// The program of this seed, which reads and assigns variables of the host as well: so it may run but once at a time.
    pub fn with_host_variables(seed: u64) -> Self {
        let mut program = Self::of_seed(seed, Scope::new(HOST_VARIABLES));
        program.items.extend(HOST_VARIABLES.iter().map(|(name, _)| format!("{name};\n")));
        program
    }

    fn of_seed(seed: u64, scope: Scope) -> Self {
        let mut generator = Generator { random: Random::new(seed), scope };
        let n_items = 4 + generator.random.below(14);
        // What is there to be called comes first, mostly.
        let begin = [Generator::definition as fn(&mut Generator) -> String; 3];
        let rest = std::iter::repeat_n(Generator::item as fn(&mut Generator) -> String, n_items);
        Self { items: begin.into_iter().chain(rest).map(|make| make(&mut generator)).collect() }
    }

    /// The program whose choices are these bytes: a fuzzer's. It may use variables of the host.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let scope = Scope::new(HOST_VARIABLES);
        let mut generator = Generator { random: Random::from_bytes(bytes), scope };
        let mut items = Vec::new();
        while items.len() < MAX_ITEMS && !generator.random.is_used_up() {
            items.push(generator.item());
        }
        Self { items }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.items.concat()
    }
}

/// Makes items, with what the ones before have defined.
struct Generator {
    random: Random,
    scope: Scope,
}
