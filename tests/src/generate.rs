//! Random program generator: covers the whole grammar, and every program ends.
//!
//! A program is a list of items: definitions of functions and operators, externs, expressions and
//! a few mistakes. Some definitions are redefinitions, some with another number of parameters, and
//! some replace functions of the maths library. Numbers include infinities, NaN, -0 and the ends
//! of the range.
//!
//! Programs end: each callable has a rank and calls only lower ranks, or itself with its first
//! argument reduced by one. Callers pass a first argument below 8. A loop counts its iterations in
//! a variable that nothing else assigns. Programs end soon: an expression gets a cost limit from
//! its parent, and a call costs as much as its callee can cost. Both hold for all values,
//! operators and redefinitions.

mod changing;
mod environment;
mod expression;
mod item;
pub(crate) mod mistake;

#[cfg(test)]
mod tests;

use crate::random::Random;
pub use changing::{ChangingProgram, Part};
use environment::Environment;

/// The most items of a fuzzer's program: about as many as the program of a seed has.
const MAX_ITEMS: usize = 20;

/// The host variables that programs may use, with their initial values.
pub const HOST_VARIABLES: &[(&str, f64)] = &[("shared1", 0.5), ("shared2", 3.0)];

/// The arrays of the host that such programs may use, with their lengths. All elements are 1 first.
pub const HOST_ARRAYS: &[(&str, usize)] = &[("cells1", 6), ("cells2", 1)];

/// The line of a text that runs with the prelude.
pub const WITH_PRELUDE: &str = "# prelude";

/// A program as a list of items, each with its separator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The items in order. The text is their concatenation.
    pub items: Vec<String>,
}

impl Program {
    /// Generates the program of this seed.
    pub fn new(seed: u64) -> Self {
        Self::of_seed(seed, Environment::new(&[], &[]))
    }

    /// Generates the program of this seed with the prelude.
    pub fn with_prelude(seed: u64) -> Self {
        Self::of_seed(seed, Environment::new(&[], &[]).with_prelude())
    }

    /// Generates the program of this seed with reads and assignments of host variables and of
    /// elements of arrays. Only one run at a time may use the same ones.
    pub fn with_host_variables(seed: u64) -> Self {
        let environment = Environment::new(HOST_VARIABLES, HOST_ARRAYS);
        let environment = if has_prelude(seed) { environment.with_prelude() } else { environment };
        let mut program = Self::of_seed(seed, environment);
        program.items.extend(HOST_VARIABLES.iter().map(|(name, _)| format!("{name};\n")));
        let elements = HOST_ARRAYS.iter().flat_map(|&(name, len)| (0..len).map(move |at| (name, at)));
        program.items.extend(elements.map(|(name, at)| format!("{name}({at});\n")));
        program
    }

    fn of_seed(seed: u64, environment: Environment) -> Self {
        let mut generator = Generator { random: Random::new(seed), environment };
        let n_items = 4 + generator.random.below(14);
        // Definitions first, so that later items have functions to call.
        let begin = [Generator::definition as fn(&mut Generator) -> String; 3];
        let rest = std::iter::repeat_n(Generator::item as fn(&mut Generator) -> String, n_items);
        let line = generator.environment.has_prelude.then(|| format!("{WITH_PRELUDE}\n"));
        let items = begin.into_iter().chain(rest).map(|make| make(&mut generator));
        Self { items: line.into_iter().chain(items).collect() }
    }

    /// Generates a fuzzer's program: the bytes are the choices. It may use host
    /// variables and arrays.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut random = Random::from_bytes(bytes);
        let environment = Environment::new(HOST_VARIABLES, HOST_ARRAYS);
        let environment = if random.below(4) == 3 { environment.with_prelude() } else { environment };
        let mut items = Vec::new();
        items.extend(environment.has_prelude.then(|| format!("{WITH_PRELUDE}\n")));
        let mut generator = Generator { random, environment };
        while items.len() < MAX_ITEMS && !generator.random.is_used_up() {
            items.push(generator.item());
        }
        Self { items }
    }

    /// Returns the whole text.
    pub fn text(&self) -> String {
        self.items.concat()
    }
}

/// Whether the checks of this seed use the prelude.
pub fn has_prelude(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// Generates items that can use what earlier items have defined.
struct Generator {
    random: Random,
    environment: Environment,
}
