//! Binding host variables: the names by which programs read and assign them.

use crate::builder::Builder;
use crate::{Engine, Error};
use kaleidoscope_jit::Variable;
use kaleidoscope_lang::is_name;

impl Engine {
    /// Binds a host variable to a name: in programs, `t` reads the variable, and `t = t + 1`
    /// assigns it. Parameters and local variables of the same name hide it. Functions have names of
    /// their own.
    ///
    /// If the name is bound again, text read from then on uses the new variable. Functions defined
    /// before keep using the old one, which the engine keeps alive.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the name is not an identifier
    /// of the language.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let engine = Engine::new()?;
    /// let count = Variable::new(0.0);
    /// engine.bind("count", &count)?;
    /// engine.run("for i = 0, i < 9 in count = count + i;").ok()?;
    /// assert_eq!(count.get(), 45.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Programs see a new value at once, also inside a running loop:
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    /// use std::thread;
    ///
    /// let is_waiting = Variable::new(1.0);
    /// let engine = Engine::builder().bind("is_waiting", &is_waiting).build()?;
    /// let program = thread::spawn(move || engine.run("for i = 0, is_waiting in 0; 7;"));
    /// is_waiting.set(0.0);
    /// let outcome = program.join().expect("nothing panics here");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [0.0, 7.0]);
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn bind(&self, name: &str, variable: &Variable) -> Result<(), Error> {
        if !is_name(name) {
            return Err(Error::invalid_name(name));
        }
        self.admit()?;
        let mut program = self.shared.program();
        if program.names.is_keyword(name) {
            return Err(Error::invalid_name(name));
        }
        match program.bound(name, variable) {
            Some(id) => program.names.use_variable(id),
            None => program.add_bound(name, variable, self.jit.bind(name, variable)),
        }
        Ok(())
    }

    /// Takes the name back from the host variable that it was [bound](Self::bind) to: text read
    /// from then on does not know the variable. Functions defined before keep using it. Returns
    /// whether there was one.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let engine = Engine::builder().bind("rate", &Variable::new(2.0)).build()?;
    /// engine.run("def twice(x) x * rate;").ok()?;
    /// assert!(engine.unbind("rate")?);
    /// assert!(engine.run("rate;").ok().is_err());
    /// assert_eq!(engine.run("twice(4);").ok()?, [8.0]);
    /// assert!(!engine.unbind("rate")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Self::bind`], except that any name is allowed.
    pub fn unbind(&self, name: &str) -> Result<bool, Error> {
        self.admit()?;
        Ok(self.shared.program().names.remove_variable(name))
    }

    /// The variable that programs read by this name, if one was [bound](Self::bind).
    ///
    /// ```
    /// use kaleidoscope::{Engine, Variable};
    ///
    /// let engine = Engine::builder().bind("t", &Variable::new(1.0)).build()?;
    /// engine.run("t = 5;").ok()?;
    /// assert_eq!(engine.variable("t").map(|t| t.get()), Some(5.0));
    /// assert!(engine.variable("x").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn variable(&self, name: &str) -> Option<Variable> {
        let id = self.shared.program().names.variable(name)?;
        Some(self.jit.variable(id))
    }
}

impl Builder {
    /// Binds a host variable to a name, as [`Engine::bind`] does. [`Self::build`] reports an
    /// invalid name.
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
