//! Floating-point modes: results do not depend on the mode that the host's thread has.
//!
//! A host may round in another direction, treat subnormal numbers as zero (audio software does),
//! or want to be stopped by a division by zero. Everything that computes with a program's numbers
//! runs in the *engine's mode* instead: it rounds to nearest, keeps subnormal numbers, and records
//! exceptions without acting on them. Code of the host that is called meanwhile runs in the host's
//! mode, which comes back when the engine is left.
//!
//! Guarded calls switch by themselves (`arch/x86_64/enter.rs`), and so do upcalls.
//! [`in_engine_mode`] is for work without a guarded call, such as interpreting or compiling, and
//! [`in_host_mode`] for code of the host that such work calls.
//!
//! Only a mode that differs is switched. A mode in which exceptions are not masked, and which is
//! the engine's otherwise, is switched when generated code raises one (`signals.rs`): nothing
//! finds it faster than reading the register, which costs as much as a call in a scope.
//!
//! # Promises
//!
//! 1. `ThreadBlock::host_mode` has a mode while the engine's mode is on in place of that mode. It
//!    is 0 while the host's code runs, or if the host has the engine's mode.

use crate::arch::{FloatMode, thread_block};

/// Runs `body` in the engine's mode.
#[inline]
pub fn in_engine_mode<T>(body: impl FnOnce() -> T) -> T {
    let _restored = EngineMode::begin();
    body()
}

/// Runs `body`, which is code of the host, in the mode from which [`in_engine_mode`] or a guarded
/// call has switched. The engine's mode is on again afterwards, also if `body` has set another one.
#[inline]
pub fn in_host_mode<T>(body: impl FnOnce() -> T) -> T {
    let _restored = HostMode::begin();
    body()
}

/// As [`in_host_mode`], for an upcall: where the host has the engine's mode, the assembly finds
/// whether `body` has set another one.
#[inline]
pub(crate) fn in_host_mode_of_upcall<T>(body: impl FnOnce() -> T) -> T {
    match thread_block().host_mode.get() {
        0 => body(),
        _ => in_host_mode(body),
    }
}

/// Gives this thread the engine's mode for good. For threads that belong to the engine: a thread
/// starts in the mode of its creator.
pub fn set_engine_mode() {
    FloatMode::ENGINE.set();
}

/// While it lives, the engine's mode is on.
struct EngineMode {
    /// The mode to restore, if it differs, and the word of the thread block to restore with it.
    before: Option<(FloatMode, u32)>,
}

impl EngineMode {
    #[inline]
    fn begin() -> Self {
        let mode = FloatMode::current();
        Self { before: if mode.is_like(FloatMode::ENGINE) { None } else { Some(Self::switch_from(mode)) } }
    }

    #[cold]
    fn switch_from(mode: FloatMode) -> (FloatMode, u32) {
        let host_mode = thread_block().host_mode.replace(mode.to_word());
        FloatMode::ENGINE.set();
        (mode, host_mode)
    }
}

impl Drop for EngineMode {
    #[inline]
    fn drop(&mut self) {
        if let Some((mode, host_mode)) = self.before {
            thread_block().host_mode.set(host_mode);
            mode.set();
        }
    }
}

/// While it lives, the host's mode is on.
struct HostMode {
    before: FloatMode,
    /// The word of the thread block to restore.
    host_mode: u32,
}

impl HostMode {
    #[inline]
    fn begin() -> Self {
        let before = FloatMode::current();
        let host_mode = thread_block().host_mode.replace(0);
        if let Some(mode) = FloatMode::from_word(host_mode) {
            mode.set();
        }
        Self { before, host_mode }
    }
}

impl Drop for HostMode {
    #[inline]
    fn drop(&mut self) {
        thread_block().host_mode.set(self.host_mode);
        if !FloatMode::current().is_like(self.before) {
            self.before.set();
        }
    }
}
