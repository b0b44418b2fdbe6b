//! The prelude: the usual operators, which the language itself lacks, defined in the language.

use crate::{Engine, Outcome};

/// The program text that [`Engine::prelude`] runs.
pub const PRELUDE: &str = include_str!("prelude.kal");

impl Engine {
    /// Defines the usual operators with the text [`PRELUDE`]:
    ///
    /// | operator | precedence | meaning |
    /// |---|---|---|
    /// | `-x` | above all but `^` | the negative: `-2^2` is -4 |
    /// | `!x` | above all but `^` | 1 if `x` is false (0 or NaN), otherwise 0 |
    /// | `>` `<=` `>=` | 10, as `<` | 1 or 0 |
    /// | `==` `!=` | 9 | 1 or 0 |
    /// | `&&` `&` | 6 | 1 if both are true, otherwise 0 |
    /// | <code>\|\|</code> <code>\|</code> | 5 | 1 if one is true, otherwise 0 |
    /// | `:` | 1, below `=` | the second operand, after the first was evaluated |
    ///
    /// The operators are functions of the program: optimized code inlines them, and a `def` can
    /// redefine them. They always evaluate both operands.
    ///
    /// The outcome has errors only if the engine's limits are too small for the prelude.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.prelude();
    /// let outcome = engine.run("-2^2; 2^3^2; 1/2; 1e-3; 3 > 2 && !(1 == 2);");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [-4.0, 512.0, 0.5, 0.001, 1.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn prelude(&self) -> Outcome {
        let mut script = self.script("prelude");
        script.push(PRELUDE);
        script.run_to_end()
    }
}
