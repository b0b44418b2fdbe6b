//! What code has counted of itself, and the better code that its loops were given for it.
//!
//! The cells are written by machine code without locks, and read and set here: a count may be lost, and nothing depends
//! on it. What may stand in the cell of a loop's code is a promise of the machine's fence (`install.rs`).

use super::Body;
use crate::policy::{TURNS_BETWEEN_LOOKS, Thresholds, Trip};
use kaleidoscope_codegen::Unit;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one body that counts.
#[derive(Debug)]
pub(crate) struct Heat {
    /// By which the code names itself.
    number: u32,
    /// What the code was made of.
    pub(crate) unit: Arc<Unit>,
    thresholds: Thresholds,
    /// As [`kaleidoscope_baseline::Heat`] lays them out.
    cells: Box<[AtomicI64]>,
    /// Whether a better body of the whole was asked for and is still to come, or has failed.
    asked: AtomicBool,
    loops: Box<[LoopHeat]>,
}

#[derive(Debug, Default)]
struct LoopHeat {
    n_trips: AtomicU32,
    asked: AtomicBool,
    better: Mutex<Option<Body>>,
}

/// What counted, as the code names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Entry,
    Loop(usize),
    TailCall,
}

impl Heat {
    /// Counters for code made of the unit, which has as many loops as there are cells for, and one more for tail calls if
    /// it has any.
    pub(crate) fn new(number: u32, unit: Arc<Unit>, n_cells: usize, thresholds: Thresholds) -> Self {
        let n_loops = unit.function.n_loops();
        let heat = Self {
            number,
            unit,
            thresholds,
            cells: (0..n_cells).map(|_| AtomicI64::new(0)).collect(),
            asked: AtomicBool::new(false),
            loops: (0..n_loops).map(|_| LoopHeat::default()).collect(),
        };
        heat.restart();
        heat
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Where the cells are, as long as this lives.
    pub(crate) fn cells_address(&self) -> usize {
        self.cells.as_ptr().addr()
    }

    /// What the code means by the number of a counter: -1, or the number of a loop.
    pub(crate) fn counter(&self, number: f64) -> Counter {
        if number < 0.0 {
            return Counter::Entry;
        }
        let number = number as usize;
        if number < self.loops.len() { Counter::Loop(number) } else { Counter::TailCall }
    }

    /// Counts anew from the beginning.
    fn restart(&self) {
        self.asked.store(false, Ordering::Relaxed);
        self.cells[0].store(self.thresholds.calls.into(), Ordering::Relaxed);
        for countdown in self.cells.iter().skip(1).step_by(2) {
            countdown.store(self.thresholds.turns.into(), Ordering::Relaxed);
        }
    }

    /// A counter has run out: it is set again.
    pub(crate) fn on_trip(&self, counter: Counter) -> Trip {
        match counter {
            // The better body is asked for once, and reached by the slot: no need to look again soon.
            Counter::Entry => {
                self.cells[0].store(i64::MAX, Ordering::Relaxed);
                Trip::Entry
            }
            Counter::TailCall => {
                self.set_countdown(self.loops.len());
                Trip::Entry
            }
            Counter::Loop(nth) => {
                self.set_countdown(nth);
                Trip::Loop { n_before: self.loops[nth].n_trips.fetch_add(1, Ordering::Relaxed) }
            }
        }
    }

    fn set_countdown(&self, nth: usize) {
        let turns = TURNS_BETWEEN_LOOKS.min(self.thresholds.turns);
        self.cells[1 + 2 * nth].store(turns.into(), Ordering::Relaxed);
    }

    /// Whether better code for the whole is to be asked for now, which happens once.
    pub(crate) fn ask(&self) -> bool {
        !self.asked.swap(true, Ordering::Relaxed)
    }

    /// The same for a loop.
    pub(crate) fn ask_for_loop(&self, nth: usize) -> bool {
        !self.loops[nth].asked.swap(true, Ordering::Relaxed)
    }

    /// The better code no longer holds, or came too late: when the code is hot again, it is asked for again.
    pub(crate) fn cool(&self) {
        self.restart();
    }

    /// The same for a loop. Returns its better code, into which no turn goes on from now.
    pub(super) fn cool_loop(&self, nth: usize) -> Option<Body> {
        let body = self.better(nth).take();
        self.cells[2 + 2 * nth].store(0, Ordering::Relaxed);
        self.restart_loop(nth);
        body
    }

    /// Counts a loop's turns anew; when it is hot again, better code is asked for again.
    pub(crate) fn restart_loop(&self, nth: usize) {
        self.cells[1 + 2 * nth].store(self.thresholds.turns.into(), Ordering::Relaxed);
        self.loops[nth].n_trips.store(0, Ordering::Relaxed);
        self.loops[nth].asked.store(false, Ordering::Relaxed);
    }

    /// Gives a loop better code: its next turn goes on there (promise 7 of `install.rs`, which calls this).
    pub(super) fn set_loop(&self, nth: usize, body: Body) {
        let mut better = self.better(nth);
        self.cells[2 + 2 * nth].store(body.address().get() as i64, Ordering::Relaxed);
        self.cells[1 + 2 * nth].store(0, Ordering::Release);
        *better = Some(body);
    }

    /// The loops' better code, when nothing runs any more that could go on there.
    pub(super) fn take_loops(&self) -> Vec<Body> {
        (0..self.loops.len()).filter_map(|nth| self.cool_loop(nth)).collect()
    }

    /// Whether the loop has better code to go on in.
    pub(crate) fn has_better_loop(&self, nth: usize) -> bool {
        self.cells[2 + 2 * nth].load(Ordering::Relaxed) != 0
    }

    /// The loops' better code, each with its loop's number.
    pub(super) fn for_each_better(&self, mut f: impl FnMut(usize, &Body)) {
        for nth in 0..self.loops.len() {
            if let Some(body) = &*self.better(nth) {
                f(nth, body);
            }
        }
    }

    fn better(&self, nth: usize) -> MutexGuard<'_, Option<Body>> {
        self.loops[nth].better.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
