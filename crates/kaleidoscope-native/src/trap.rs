//! Why an evaluation ended early: a value of the engine's choosing, carried over generated frames unopened.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a [`call`](crate::call()) ended early.
///
/// A [`Runtime`](crate::Runtime) returns one to end the innermost call; that call returns it as it is. A host function
/// that receives one from a nested call may hand it on with `?`: a panic stays a panic.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trap {
    /// What the runtime reported.
    Error(Box<dyn Any + Send>),
    /// The payload of a panic in the runtime, as [`std::panic::resume_unwind`] takes it.
    Panic(Box<dyn Any + Send>),
}

impl Trap {
    /// A trap that carries `error`.
    pub fn error(error: impl Any + Send) -> Self {
        Self::Error(Box::new(error))
    }

    /// Runs `body`; a panic in it becomes a trap.
    ///
    /// What `body` left half done stays so: as with a poisoned lock, whoever looks at it later must cope.
    pub(crate) fn catch<T>(body: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Self::Panic(payload)))
    }
}
