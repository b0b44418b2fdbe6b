//! Traps: why a guarded call ended early.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::interrupt::InterruptCause;
use crate::stack_trace::StackTrace;

/// Why a [`call`](crate::call()) ended early.
///
/// A [`Runtime`](crate::Runtime) returns a trap to end the innermost call, and that call returns
/// the trap as it is. A host function that receives a trap from a nested call may return it with
/// `?`: a panic stays a panic.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trap {
    /// An error of the runtime, which this crate does not look into.
    Error(Box<dyn Any + Send>),
    /// A panic in the runtime: its payload, as [`std::panic::resume_unwind`] takes it.
    Panic(Box<dyn Any + Send>),
    /// Generated code used up its guest stack. The first address of the trace is the instruction
    /// that found no room.
    ///
    /// The trace is empty if the call could not begin: its arguments do not fit, or the host stack
    /// is nearly full of host functions and generated code that call each other.
    StackOverflow(StackTrace),
    /// An [`Interrupter`](crate::Interrupter) or an [`InterruptHandle`](crate::InterruptHandle)
    /// interrupted the call.
    ///
    /// The trace, here and below, is empty if the call had not begun.
    Interrupted(StackTrace),
    /// The call's [deadline](crate::Limits::deadline) passed.
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
    /// A [`Trap::Error`] that holds `error`.
    pub fn error(error: impl Any + Send) -> Self {
        Self::Error(Box::new(error))
    }

    pub(crate) fn interrupted(cause: InterruptCause, trace: StackTrace) -> Self {
        match cause {
            InterruptCause::Interrupter => Self::Interrupted(trace),
            InterruptCause::Deadline => Self::DeadlinePassed(trace),
        }
    }

    /// Runs `body`, and turns a panic in it into a trap.
    ///
    /// What `body` left half done stays half done, as with a poisoned lock: later readers must
    /// cope.
    #[inline]
    pub(crate) fn catch<T>(body: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Self::Panic(payload)))
    }
}

/// Drops a value of the host, such as the payload of a panic that was caught, and contains the
/// panic of its destructor. The destructor of that panic's payload may panic, too: it is leaked.
pub fn drop_caught<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(payload);
    }
}
