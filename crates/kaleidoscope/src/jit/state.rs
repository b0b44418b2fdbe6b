//! The life of one function as a pure state machine: no locks, no code, no clock.
//!
//! Each step takes the state and one thing that happened, and says what is to be done. [`super::Jit`] does it.

use super::CodeAddress;
use std::mem;

/// What stands behind a function's stub. `B` is a body.
#[derive(Debug)]
pub(super) enum State<B> {
    /// No code: the next call asks for it.
    Lazy { version: u32 },
    /// A thread is making the body of the version current at that time.
    Compiling { version: u32 },
    /// Code is there, and the slot points to it.
    Ready(Box<B>),
}

/// A body, as far as the state machine needs to know it.
pub(super) trait Entry {
    fn code(&self) -> CodeAddress;
    fn version(&self) -> u32;
}

/// What a call that found no code in the slot has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Go there: another thread was quicker.
    Jump(CodeAddress),
    /// Make the body; the state is `Compiling` this version now.
    Compile { version: u32 },
    /// Wait until the thread that compiles has done so, then ask again.
    Wait,
}

impl<B: Entry> State<B> {
    /// A call reached the function through its lazy stub.
    pub(super) fn on_call(&mut self) -> Call {
        match self {
            Self::Lazy { version } => {
                let version = *version;
                *self = Self::Compiling { version };
                Call::Compile { version }
            }
            Self::Compiling { .. } => Call::Wait,
            Self::Ready(body) => Call::Jump(body.code()),
        }
    }

    /// A body was made. Returns where it is, or the body again when it is not the one that is waited for: the function
    /// was defined anew in the meantime, or another thread was quicker with the same version.
    pub(super) fn on_body(&mut self, body: Box<B>) -> Result<CodeAddress, Box<B>> {
        match self {
            Self::Compiling { version } if *version == body.version() => {
                let code = body.code();
                *self = Self::Ready(body);
                Ok(code)
            }
            _ => Err(body),
        }
    }

    /// The thread that set out to compile this version has no body to show: the next call tries again.
    pub(super) fn on_failure(&mut self, version: u32) {
        if matches!(self, Self::Compiling { version: current } if *current == version) {
            *self = Self::Lazy { version };
        }
    }

    /// The function is defined anew, or withdrawn. Returns the body that no new call may reach.
    pub(super) fn on_replace(&mut self, version: u32) -> Option<B> {
        match mem::replace(self, Self::Lazy { version }) {
            Self::Ready(body) => Some(*body),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        }
    }

    /// The version that a call would reach.
    pub(super) fn version(&self) -> u32 {
        match self {
            Self::Lazy { version } | Self::Compiling { version } => *version,
            Self::Ready(body) => body.version(),
        }
    }
}

#[cfg(test)]
mod tests;
