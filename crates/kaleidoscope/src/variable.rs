//! Binding host variables: the names by which programs read and assign them.

use crate::config::Builder;
use crate::{Engine, Error};
use kaleidoscope_jit::Variable;
use kaleidoscope_lang::is_name;

impl Engine {
    /// Lets programs read and assign the variable by this name: `t` is its value, and `t = t + 1` assigns it. Parameters and
    /// variables of the program hide it where they have the same name, and functions have names of their own.
    ///
    /// When the name is bound again, text that is read from then on means the new variable; functions defined before go on with the
    /// old one, which the engine keeps.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) when the language has no such name.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let engine = Engine::new()?;
    /// let count = Variable::new(0.0);
    /// engine.bind("count", &count)?;
    /// engine.run("for i = 0, i < 9 in count = count + i;");
    /// assert_eq!(count.get(), 45.0);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn bind(&self, name: &str, variable: &Variable) -> Result<(), Error> {
        if !is_name(name) {
            return Err(Error::invalid_name(name));
        }
        let mut program = self.shared.program();
        match program.bound(name, variable) {
            Some(id) => program.names.use_variable(id),
            None => program.add_bound(name, variable, self.jit.bind(name, variable)),
        }
        Ok(())
    }

    /// The variable that text read from now on means by this name, if it was [bound](Self::bind).
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let engine = Engine::builder().bind("t", &Variable::new(1.0)).build()?;
    /// engine.run("t = 5;");
    /// assert_eq!(engine.variable("t").map(|t| t.get()), Some(5.0));
    /// assert!(engine.variable("x").is_none());
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn variable(&self, name: &str) -> Option<Variable> {
        let id = self.shared.program().names.variable(name)?;
        Some(self.jit.variable(id))
    }
}

impl Builder {
    /// Lets programs read and assign the variable by this name, as [`Engine::bind`] does. What is wrong with the name,
    /// [`Self::build`] says.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let rate = Variable::new(0.25);
    /// let engine = Engine::builder().bind("rate", &rate).build()?;
    /// assert_eq!(engine.run("100 * rate;").values().next(), Some(25.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn bind(mut self, name: &str, variable: &Variable) -> Self {
        self.variables.push((name.to_owned(), variable.clone()));
        self
    }
}
