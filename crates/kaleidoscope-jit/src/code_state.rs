//! Code state: the life of one function's code as a pure state machine, without locks, code or
//! clock.
//!
//! ```text
//!           define             first call                       redefine
//! declared ────────► Lazy ────────────────► Compiling ──► Ready ─────────► Lazy (old code retired)
//!                     ▲                         │
//!                     └──── compile failed ─────┘
//! ```
//! Each step takes the state and one thing that happened, and returns what to do. The table
//! ([`crate::table`]) does it.

use kaleidoscope_native::CodeAddress;
use std::mem;

/// The code behind a function's slot. `C` is compiled code.
#[derive(Debug)]
pub(crate) enum CodeState<C> {
    /// No code: the next call compiles.
    Lazy { version: u32 },
    /// A thread is compiling this version.
    Compiling { version: u32 },
    /// Code exists, and the slot points to it.
    Ready(ReadyCode<C>),
}

/// The code of a function: the initial code, and the optimized code that replaced it.
#[derive(Debug)]
pub(crate) struct ReadyCode<C> {
    /// Compiled at the first call. Kept as long as the version: invalidation returns to it.
    pub(crate) first: Box<C>,
    /// Compiled after a tier-up. The slot points to it if it exists.
    pub(crate) optimized: Option<Box<C>>,
}

/// Compiled code, as far as the state machine needs it.
pub(crate) trait Versioned {
    fn address(&self) -> CodeAddress;
    fn version(&self) -> u32;
}

/// What a call that entered the lazy-compile entry does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallAction {
    /// Jump there: another thread compiled it.
    Jump(CodeAddress),
    /// Compile this version; the state is `Compiling` now.
    Compile { version: u32 },
    /// Wait until the compiling thread is done, then try again.
    Wait,
}

impl<C: Versioned> CodeState<C> {
    /// A call reached the function through the lazy-compile entry.
    pub(crate) fn on_call(&mut self) -> CallAction {
        match self {
            Self::Lazy { version } => {
                let version = *version;
                *self = Self::Compiling { version };
                CallAction::Compile { version }
            }
            Self::Compiling { .. } => CallAction::Wait,
            Self::Ready(ready) => CallAction::Jump(ready.address()),
        }
    }

    /// A compilation succeeded. Returns the code's address, or the code itself if the function was
    /// redefined in the meantime.
    pub(crate) fn on_compiled(&mut self, code: Box<C>) -> Result<CodeAddress, Box<C>> {
        match self {
            Self::Compiling { version } if *version == code.version() => {
                let address = code.address();
                *self = Self::Ready(ReadyCode { first: code, optimized: None });
                Ok(address)
            }
            _ => Err(code),
        }
    }

    /// The compilation of this version failed: the next call tries again.
    pub(crate) fn on_failure(&mut self, version: u32) {
        if matches!(self, Self::Compiling { version: current } if *current == version) {
            *self = Self::Lazy { version };
        }
    }

    /// An optimizing compilation succeeded. Returns the code's address, or the code itself if its
    /// version is not the current one or is optimized already.
    pub(crate) fn on_optimized(&mut self, code: Box<C>) -> Result<CodeAddress, Box<C>> {
        match self {
            Self::Ready(ReadyCode { first, optimized: optimized @ None })
                if first.version() == code.version() =>
            {
                let address = code.address();
                *optimized = Some(code);
                Ok(address)
            }
            _ => Err(code),
        }
    }

    /// The optimized code was invalidated. Returns it, and the address of the initial code.
    pub(crate) fn on_invalidated(&mut self) -> Option<(Box<C>, CodeAddress)> {
        let Self::Ready(ready) = self else { return None };
        let optimized = ready.optimized.take()?;
        Some((optimized, ready.first.address()))
    }

    /// The function was redefined, or withdrawn. Returns the code that no new call may reach.
    pub(crate) fn on_redefined(&mut self, version: u32) -> impl Iterator<Item = Box<C>> + use<C> {
        let old = match mem::replace(self, Self::Lazy { version }) {
            Self::Ready(ReadyCode { first, optimized }) => [Some(first), optimized],
            Self::Lazy { .. } | Self::Compiling { .. } => [None, None],
        };
        old.into_iter().flatten()
    }

    /// The current version.
    pub(crate) fn version(&self) -> u32 {
        match self {
            Self::Lazy { version } | Self::Compiling { version } => *version,
            Self::Ready(ready) => ready.first.version(),
        }
    }

    /// The code that calls may reach, now or after an invalidation.
    pub(crate) fn code(&self) -> impl Iterator<Item = &C> {
        let ready = match self {
            Self::Ready(ready) => Some(ready),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        };
        ready
            .into_iter()
            .flat_map(|ReadyCode { first, optimized }| [Some(first), optimized.as_ref()])
            .flatten()
            .map(|code| &**code)
    }

    /// The initial code, if it exists.
    pub(crate) fn first(&self) -> Option<&C> {
        match self {
            Self::Ready(ready) => Some(&ready.first),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        }
    }

    /// The optimized code, if it exists.
    pub(crate) fn optimized(&self) -> Option<&C> {
        match self {
            Self::Ready(ready) => ready.optimized.as_deref(),
            Self::Lazy { .. } | Self::Compiling { .. } => None,
        }
    }
}

impl<C: Versioned> ReadyCode<C> {
    /// The address that calls jump to.
    fn address(&self) -> CodeAddress {
        self.optimized.as_ref().unwrap_or(&self.first).address()
    }
}

#[cfg(test)]
mod tests;
