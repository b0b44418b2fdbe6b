//! Functions of a session as Rust values, with any number of arguments that a session's functions have.

use kaleidoscope::{CallError, Engine, Error, Function, Scope};

/// The arguments that calls from Rust are made with, as many as there are parameters. The first is what the callee may
/// count down.
pub(super) const ARGUMENTS: [f64; 3] = [2.0, 0.5, 3.0];

/// The same call as text.
pub(super) fn call_text(name: &str, n_arguments: usize) -> String {
    let arguments: Vec<String> = ARGUMENTS[..n_arguments].iter().map(ToString::to_string).collect();
    format!("{name}({})", arguments.join(", "))
}

/// A function of an engine.
#[derive(Clone, Debug)]
pub(super) enum Handle {
    None(Function<()>),
    One(Function<(f64,)>),
    Two(Function<(f64, f64)>),
    Three(Function<(f64, f64, f64)>),
}

impl Handle {
    /// The function of this name, if it takes so many arguments.
    pub(super) fn new(engine: &Engine, name: &str, n_arguments: usize) -> Result<Self, Error> {
        match n_arguments {
            0 => engine.function(name).map(Self::None),
            1 => engine.function(name).map(Self::One),
            2 => engine.function(name).map(Self::Two),
            _ => engine.function(name).map(Self::Three),
        }
    }

    /// Calls the function by itself.
    pub(super) fn call(&self) -> Result<f64, CallError> {
        let [a, b, c] = ARGUMENTS;
        match self {
            Self::None(function) => function.call(()),
            Self::One(function) => function.call((a,)),
            Self::Two(function) => function.call((a, b)),
            Self::Three(function) => function.call((a, b, c)),
        }
    }

    /// Calls the function inside of a scope.
    pub(super) fn call_in(&self, scope: &Scope<'_>) -> Result<f64, CallError> {
        let [a, b, c] = ARGUMENTS;
        match self {
            Self::None(function) => scope.call(function, ()),
            Self::One(function) => scope.call(function, (a,)),
            Self::Two(function) => scope.call(function, (a, b)),
            Self::Three(function) => scope.call(function, (a, b, c)),
        }
    }
}
