//! Variables that programs share with the host: a double each, which either side reads and writes at any time.
//!
//! Code has the address of the double, so reading one is a load. Every access is atomic and none has an order: a reader finds
//! some value that was written, and nothing follows for other memory.

use crate::config::Builder;
use crate::{Engine, Error};
use kaleidoscope_lang::token::is_name;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A double that programs read and assign under a name, as a variable of their own. Made known to them by [`Engine::bind`].
///
/// Clones are the same variable, for any thread, and it may be bound in several engines and under several names.
///
/// The host finds the bits that the program has written. Of a NaN the language says nothing more than that it is one: its
/// sign and payload are any.
///
/// ```
/// use kaleidoscope::{Engine, Variable};
///
/// let (t, speed) = (Variable::new(0.0), Variable::new(0.5));
/// let engine = Engine::builder().bind("t", &t).bind("speed", &speed).build()?;
/// engine.run("def tick() t = t + speed;");
/// let tick = engine.function::<()>("tick")?;
/// assert_eq!(tick.call(())?, 0.5);
/// speed.set(10.0);
/// assert_eq!(tick.call(())?, 10.5);
/// assert_eq!(t.get(), 10.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Variable(Arc<AtomicU64>);

impl Variable {
    /// A variable with this value.
    pub fn new(value: f64) -> Self {
        Self(Arc::new(AtomicU64::new(value.to_bits())))
    }

    /// The value.
    ///
    /// ```
    /// # use kaleidoscope::Variable;
    /// let t = Variable::new(0.5);
    /// assert_eq!(t.get(), 0.5);
    /// ```
    #[inline]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Gives it another value, which programs that run see as well: a loop that waits for it goes on.
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
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Where the value is, for hosts in C: as long as there is a clone, or an engine that it was bound in. A program may read and
    /// write it at any time.
    pub fn as_ptr(&self) -> *mut f64 {
        self.0.as_ptr().cast()
    }

    /// Where the value is, as long as there is a clone.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variable").field(&self.get()).finish()
    }
}

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
        self.jit.source.program().bind(name, variable);
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
        let program = self.jit.source.program();
        let id = program.names.variable(name)?;
        Some(program.variable(id).clone())
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
