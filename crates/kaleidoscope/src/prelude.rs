//! The prelude: the usual operators and names, which the language itself lacks.

use crate::{Engine, ProgramError};

/// The functions and operators of the prelude, as a program. [`Engine::prelude`] runs this text and
/// adds what no text can define.
pub const PRELUDE: &str = include_str!("prelude.kal");

impl Engine {
    /// Adds the usual operators and names, for programs and [formulas](Engine::formula) that are
    /// read afterwards. [`Builder::prelude`](crate::Builder::prelude) does the same for a new
    /// engine.
    ///
    /// | operator | precedence | meaning |
    /// |---|---|---|
    /// | `-x` `+x` | above all but `^` | the negative, and `x`: `-2^2` is -4 |
    /// | `!x` | above all but `^` | 1 if `x` is false (0 or NaN), otherwise 0 |
    /// | `**` | 50 | `^` |
    /// | `%` | 40 | the remainder with the sign of the first operand, as C's `fmod` |
    /// | `>` `<=` `>=` | 10, as `<` | 1 or 0 |
    /// | `==` `!=` | 9 | 1 or 0 |
    /// | `not x` | 7 | `!x`, but `not a == b` is `!(a == b)` |
    /// | `&&` `and` | 6 | 1 if both are true, otherwise 0; evaluates the second only if the first is true |
    /// | <code>\|\|</code> `or` | 5 | 1 if one is true, otherwise 0; evaluates the second only if the first is false |
    /// | `&` <code>\|</code> | 6, 5 | the same, but both are always evaluated |
    /// | `:` | 1, below `=` | the second operand, after the first was evaluated |
    ///
    /// | name | meaning |
    /// |---|---|
    /// | `pi` `e` `tau` `inf` `nan` | constants, written without parentheses |
    /// | `abs(x)` `ln(x)` `mod(a, b)` | C's `fabs`, `log` and `fmod` |
    /// | `sign(x)` | 1, -1, or `x` if it is a zero or NaN |
    /// | `clamp(x, low, high)` | the number nearest to `x` between the bounds; NaN if `x` is NaN |
    /// | `min(…)` `max(…)` | the least or greatest of one or more arguments, by C's `fmin` and `fmax`: NaN only if all are NaN |
    /// | `sum(…)` `avg(…)` | the sum and the mean of one or more arguments |
    /// | `while c in body` | evaluates the body as long as the condition is true; the value is 0 |
    ///
    /// A variable or parameter of the same name hides a constant. The functions and most operators
    /// are functions of the program, which cost no code before they are called. Optimized code
    /// inlines them, and a `def` can redefine them: `min` is then exactly the program's own. `&&`,
    /// `||` and `**` can be defined, too; expressions read before keep their meaning. The words
    /// `and`, `or`, `not` and `while` cannot be names any more.
    ///
    /// Functions and operators that the program or the host has defined under these names stay as
    /// they are.
    /// Functions of the prelude that need a C function that the engine does not
    /// [provide](crate::Builder::provide_only) are left out.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.prelude()?;
    /// let outcome = engine.run("-2^2; 2**3**2; 7 % 4; 3 > 2 && !(1 == 2); max(3, 1, 4, 1); cos(pi);");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [-4.0, 512.0, 3.0, 1.0, 4.0, -1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the engine's limits are too small for the prelude. Some of its functions may be defined
    /// then.
    pub fn prelude(&self) -> Result<(), ProgramError> {
        let mut script = self.script("prelude");
        script.push(PRELUDE);
        let (outcome, defined) = script.run_prelude();
        outcome.ok()?;
        self.shared.program().names.use_conventions(&defined);
        Ok(())
    }

    /// Whether the conventions of the prelude hold: `and`, `or`, `not` and `while` are keywords.
    pub fn has_prelude(&self) -> bool {
        self.shared.program().names.has_conventions()
    }
}
