//! Why a call from Rust has no value: the same codes and sentences as in a program's diagnostics, without a place.

use crate::Code;
use crate::failure::Failure;
use std::fmt;

/// Why a call of a function ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError(Box<Inner>);

// Behind a pointer, so that results are small: they are on the way of every call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    code: Code,
    message: String,
}

impl CallError {
    /// What kind of error it is: [`Code::StackOverflow`], say.
    pub fn code(&self) -> Code {
        self.0.code
    }
}

impl From<Failure> for CallError {
    #[cold]
    fn from(failure: Failure) -> Self {
        let (code, message) = failure.describe();
        Self(Box::new(Inner { code, message }))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for CallError {}
