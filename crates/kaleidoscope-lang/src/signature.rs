//! Signature: the name and arity to which a function id belongs.

use std::sync::Arc;

/// A function's name and number of parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The name: `fib`, `unary!`, `binary|`.
    pub name: Arc<str>,
    /// The number of parameters.
    pub arity: u32,
}
