//! On-stack replacement: how a running loop of baseline code continues in optimized code.
//!
//! Each loop of counting baseline code has a back-edge counter and an OSR cell, two words that its
//! code reads ([`kaleidoscope_baseline::Counters`] says where). At a back edge whose counter trips,
//! the code checks the OSR cell: if it contains an address, the loop calls it with its variables,
//! and the OSR code runs the remaining iterations. So a loop tiers up without a new call of its
//! function.

use crate::code::CompiledCode;
use crate::policy::Recovery;
use crate::tier_up_state::{TierUp, TierUpState};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The profile of one loop: its threshold, its trips, and its OSR code.
#[derive(Debug)]
pub(crate) struct LoopProfile {
    /// The loop around it.
    pub(crate) outer: Option<usize>,
    /// Back edges between two trips.
    pub(crate) n_back_edges: i64,
    n_trips: AtomicU32,
    pub(crate) tier_up: TierUp,
    code: Mutex<Option<CompiledCode>>,
    /// From when its OSR code is removed to the next request.
    recovery: Mutex<Option<Recovery>>,
}

/// The two words of a loop that its code reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopCells<'a> {
    /// Back edges until the counter trips.
    pub(crate) counter: &'a AtomicI64,
    /// The address of the loop's OSR code; 0 if there is none.
    pub(crate) osr: &'a AtomicI64,
}

impl LoopProfile {
    pub(crate) fn new(outer: Option<usize>, n_back_edges: i64) -> Self {
        Self {
            outer,
            n_back_edges,
            n_trips: AtomicU32::new(0),
            tier_up: TierUp::default(),
            code: Mutex::default(),
            recovery: Mutex::default(),
        }
    }

    /// Notes a trip, and sets the counter for the next check after `n_to_check` back edges. Returns
    /// the number of trips before, or nothing if the loop recovers and is not due yet.
    pub(crate) fn on_trip(&self, cells: LoopCells<'_>, n_to_check: u32) -> Option<u32> {
        // Each time a loop with OSR code begins, its first back edge leaves for it.
        let mut wait = 0;
        if !cells.has_code() {
            let mut recovery = self.recovery();
            if let Some(recovering) = &mut *recovery
                && !recovering.count(recovering.until_check(), Instant::now)
            {
                cells.counter.store(recovering.until_check().into(), Ordering::Relaxed);
                return None;
            }
            *recovery = None;
            wait = n_to_check;
        }
        cells.counter.store(wait.into(), Ordering::Relaxed);
        Some(self.n_trips.fetch_add(1, Ordering::Relaxed))
    }

    /// Resets the counter, unless an optimizing compile is pending or finished, or the loop
    /// recovers.
    pub(crate) fn reset_if_idle(&self, cells: LoopCells<'_>) {
        if self.tier_up.state() == TierUpState::Idle && self.recovery().is_none() {
            self.reset(cells);
        }
    }

    /// Resets the counter; when it trips again, the loop may tier up again.
    pub(crate) fn reset(&self, cells: LoopCells<'_>) {
        *self.recovery() = None;
        cells.counter.store(self.n_back_edges, Ordering::Relaxed);
        self.n_trips.store(0, Ordering::Relaxed);
        self.tier_up.set(TierUpState::Idle);
    }

    /// Installs OSR code: the loop's next back edge enters it (promise 7 of `code.rs`).
    pub(crate) fn install(&self, cells: LoopCells<'_>, code: CompiledCode) {
        let mut installed = self.code();
        *self.recovery() = None;
        cells.osr.store(code.address().get() as i64, Ordering::Relaxed);
        cells.counter.store(0, Ordering::Release);
        *installed = Some(code);
    }

    /// Removes the OSR code. The loop recovers: it was hot, and a thread may have left the code in
    /// the middle. No back edge enters the code from now on.
    pub(crate) fn invalidate(&self, cells: LoopCells<'_>) -> Option<CompiledCode> {
        let code = self.code().take();
        cells.osr.store(0, Ordering::Relaxed);
        let recovery = Recovery::new(u32::try_from(self.n_back_edges).unwrap_or(u32::MAX));
        cells.counter.store(recovery.until_check().into(), Ordering::Relaxed);
        *self.recovery() = Some(recovery);
        // It tripped before, so it is the loop that gets code again and not its function.
        self.n_trips.store(1, Ordering::Relaxed);
        self.tier_up.set(TierUpState::Idle);
        code
    }

    /// Calls `f` with the loop's OSR code, if it exists.
    pub(crate) fn with_code(&self, f: impl FnOnce(&CompiledCode)) {
        if let Some(code) = &*self.code() {
            f(code);
        }
    }

    fn recovery(&self) -> MutexGuard<'_, Option<Recovery>> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn code(&self) -> MutexGuard<'_, Option<CompiledCode>> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoopCells<'_> {
    /// Whether OSR code is installed.
    pub(crate) fn has_code(self) -> bool {
        self.osr.load(Ordering::Relaxed) != 0
    }
}
