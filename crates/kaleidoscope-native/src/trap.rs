//! Why an evaluation ended early: a value of the engine's choosing, carried over generated frames unopened, or what this
//! crate has found out itself, with where generated code was.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::stop::Cause;
use crate::trace::StackTrace;

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
    /// Generated code has used up its stack. The first address is the instruction that found no room.
    ///
    /// The trace is empty if the call could not even begin: its arguments do not fit, or the host's stack is nearly full
    /// of host functions and generated code that call each other.
    StackOverflow(StackTrace),
    /// An [`Interrupter`](crate::Interrupter) or an [`InterruptHandle`](crate::InterruptHandle) has stopped it.
    ///
    /// The trace, here and below, is empty if the call had not begun.
    Interrupted(StackTrace),
    /// Its [deadline](crate::Limits::deadline) has come.
    DeadlinePassed(StackTrace),
    /// The call could not be prepared.
    Unavailable(Error),
}

impl From<Error> for Trap {
    fn from(error: Error) -> Self {
        Self::Unavailable(error)
    }
}

impl Trap {
    /// A trap that carries `error`.
    pub fn error(error: impl Any + Send) -> Self {
        Self::Error(Box::new(error))
    }

    pub(crate) fn stopped(cause: Cause, trace: StackTrace) -> Self {
        match cause {
            Cause::Interrupted => Self::Interrupted(trace),
            Cause::DeadlinePassed => Self::DeadlinePassed(trace),
        }
    }

    /// Runs `body`; a panic in it becomes a trap.
    ///
    /// What `body` left half done stays so: as with a poisoned lock, whoever looks at it later must cope.
    #[inline]
    pub(crate) fn catch<T>(body: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Self::Panic(payload)))
    }
}
