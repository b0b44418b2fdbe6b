//! The usual operators, which the language itself does not have: text of a program like any other.

use crate::{Engine, Outcome};

/// The text of [`Engine::prelude`].
pub const PRELUDE: &str = include_str!("prelude.kal");

impl Engine {
    /// Defines the usual operators, as [`PRELUDE`] has them, so that arithmetic is what people know from school:
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
    /// They are functions of the program: what is hot has them inlined, and a `def` can change them. Both operands are always
    /// evaluated.
    ///
    /// What comes of it has errors only where the engine's limits leave no room for them.
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
