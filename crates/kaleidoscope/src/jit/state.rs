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
    Ready(Ready<B>),
}

/// The code of a function: what its first call made, and what was made in its place when it had become hot.
#[derive(Debug)]
pub(super) struct Ready<B> {
    /// Stays as long as this version, to go back to.
    pub(super) first: Box<B>,
    /// What the slot points to, if it is there.
    pub(super) better: Option<Box<B>>,
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
            Self::Ready(ready) => Call::Jump(ready.code()),
        }
    }

    /// A body was made. Returns where it is, or the body again when it is not the one that is waited for: the function
    /// was defined anew in the meantime, or another thread was quicker with the same version.
    pub(super) fn on_body(&mut self, body: Box<B>) -> Result<CodeAddress, Box<B>> {
        match self {
            Self::Compiling { version } if *version == body.version() => {
                let code = body.code();
                *self = Self::Ready(Ready { first: body, better: None });
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

    /// A better body was made. Returns where it is, or the body again when nothing of its version is there to be
    /// bettered, or something better already.
    pub(super) fn on_better(&mut self, body: Box<B>) -> Result<CodeAddress, Box<B>> {
        match self {
            Self::Ready(Ready { first, better: better @ None }) if first.version() == body.version() => {
                let code = body.code();
                *better = Some(body);
                Ok(code)
            }
            _ => Err(body),
        }
    }

    /// The better body no longer holds. Returns it, and where calls go now.
    pub(super) fn on_worse(&mut self) -> Option<(Box<B>, CodeAddress)> {
        let Self::Ready(ready) = self else { return None };
        let better = ready.better.take()?;
        Some((better, ready.first.code()))
    }

    /// The function is defined anew, or withdrawn. Returns the bodies that no new call may reach.
    pub(super) fn on_replace(&mut self, version: u32) -> impl Iterator<Item = Box<B>> + use<B> {
        let bodies = match mem::replace(self, Self::Lazy { version }) {
            Self::Ready(Ready { first, better }) => [Some(first), better],
            Self::Lazy { .. } | Self::Compiling { .. } => [None, None],
        };
        bodies.into_iter().flatten()
    }

    /// The version that a call would reach.
    pub(super) fn version(&self) -> u32 {
        match self {
            Self::Lazy { version } | Self::Compiling { version } => *version,
            Self::Ready(ready) => ready.first.version(),
        }
    }

    /// The bodies that calls may reach, or that the function goes back to.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &B> {
        let ready = match self {
            Self::Ready(ready) => Some(ready),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        };
        ready
            .into_iter()
            .flat_map(|Ready { first, better }| [Some(first), better.as_ref()])
            .flatten()
            .map(|body| &**body)
    }

    /// The first body, if there is one.
    pub(super) fn first(&self) -> Option<&B> {
        match self {
            Self::Ready(ready) => Some(&ready.first),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        }
    }

    /// The better body, if there is one.
    pub(super) fn better(&self) -> Option<&B> {
        match self {
            Self::Ready(ready) => ready.better.as_deref(),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        }
    }
}

impl<B: Entry> Ready<B> {
    /// Where calls go.
    fn code(&self) -> CodeAddress {
        self.better.as_ref().unwrap_or(&self.first).code()
    }
}

#[cfg(test)]
mod tests;
