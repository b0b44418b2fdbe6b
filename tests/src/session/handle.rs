//! Typed function handles of a session, for each number of parameters that its functions have.

use kaleidoscope::{CallError, Engine, Error, Function, Scope};

/// Arguments of calls from Rust, one for each parameter. The callee may count down the first.
pub(super) const ARGUMENTS: [f64; 3] = [2.0, 0.5, 3.0];

/// Writes the same call as text.
pub(super) fn call_text(name: &str, n_arguments: usize) -> String {
    let arguments: Vec<String> = ARGUMENTS[..n_arguments].iter().map(ToString::to_string).collect();
    format!("{name}({})", arguments.join(", "))
}

/// A handle to a function of an engine.
#[derive(Clone, Debug)]
pub(super) enum Handle {
    None(Function<()>),
    One(Function<(f64,)>),
    Two(Function<(f64, f64)>),
    Three(Function<(f64, f64, f64)>),
}

impl Handle {
    /// Looks up the function with this name and number of parameters.
    pub(super) fn new(engine: &Engine, name: &str, n_arguments: usize) -> Result<Self, Error> {
        match n_arguments {
            0 => engine.function(name).map(Self::None),
            1 => engine.function(name).map(Self::One),
            2 => engine.function(name).map(Self::Two),
            _ => engine.function(name).map(Self::Three),
        }
    }

    /// Calls the function.
    pub(super) fn call(&self) -> Result<f64, CallError> {
        let [a, b, c] = ARGUMENTS;
        match self {
            Self::None(function) => function.call(()),
            Self::One(function) => function.call((a,)),
            Self::Two(function) => function.call((a, b)),
            Self::Three(function) => function.call((a, b, c)),
        }
    }

    /// Calls the function in a scope.
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
