//! What code has counted of itself, and the better code that its loops were given for it.
//!
//! The cells are written by machine code without locks, and read and set here: a count may be lost, and nothing depends
//! on it. What may stand in the cell of a loop's code is a promise of the machine's fence (`install.rs`).

use super::Body;
use crate::policy::{TURNS_BETWEEN_LOOKS, Thresholds, Trip};
use kaleidoscope_codegen::Unit;
use kaleidoscope_lang::code::{Function, Op};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one body that counts.
#[derive(Debug)]
pub(crate) struct Heat {
    /// By which the code names itself.
    number: u32,
    /// What the code was made of.
    pub(crate) unit: Arc<Unit>,
    /// After how many entries a better body is asked for.
    n_entries: i64,
    /// After how many tail calls.
    n_tail_calls: i64,
    /// After how many turns to look again whether there is better code.
    n_between_looks: u32,
    /// As [`kaleidoscope_baseline::Heat`] lays them out.
    cells: Box<[AtomicI64]>,
    /// Whether a better body of the whole was asked for and is still to come, or has failed.
    asked: AtomicBool,
    /// The same for tail calls, for which it grows.
    next_look: AtomicU32,
    loops: Box<[LoopHeat]>,
}

#[derive(Debug)]
struct LoopHeat {
    /// After how many turns better code is asked for.
    n_turns: i64,
    n_trips: AtomicU32,
    asked: AtomicBool,
    better: Mutex<Option<Body>>,
}

/// What counted, as the code names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Entry,
    Loop(usize),
}

impl Heat {
    /// Counters for code made of the unit, which needs so many cells.
    pub(crate) fn new(number: u32, unit: Arc<Unit>, n_cells: usize, thresholds: Thresholds) -> Self {
        let function = &unit.function;
        let loops = loops_of(function).into_iter().map(|ops| LoopHeat {
            n_turns: thresholds.turns(ops.len()),
            n_trips: AtomicU32::new(0),
            asked: AtomicBool::new(false),
            better: Mutex::default(),
        });
        let heat = Self {
            number,
            n_entries: thresholds.calls(function.ops.len()),
            n_tail_calls: thresholds.turns(function.ops.len()),
            n_between_looks: TURNS_BETWEEN_LOOKS.min(thresholds.turns).max(1),
            cells: (0..n_cells).map(|_| AtomicI64::new(0)).collect(),
            asked: AtomicBool::new(false),
            next_look: AtomicU32::new(0),
            loops: loops.collect(),
            unit,
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
        if number < 0.0 { Counter::Entry } else { Counter::Loop(number as usize) }
    }

    /// Counts anew from the beginning.
    fn restart(&self) {
        self.asked.store(false, Ordering::Relaxed);
        self.next_look.store(self.n_between_looks, Ordering::Relaxed);
        self.cells[0].store(self.n_entries, Ordering::Relaxed);
        self.set_tail_calls(self.n_tail_calls);
        for (nth, of_loop) in self.loops.iter().enumerate() {
            self.cells[1 + 2 * nth].store(of_loop.n_turns, Ordering::Relaxed);
        }
    }

    /// A counter has run out: it is set again.
    pub(crate) fn on_trip(&self, counter: Counter) -> Trip {
        match counter {
            // The better body is asked for once, and reached by the slot; only a tail call under way looks for it. That takes a
            // frame of stack each time, and so is done ever more rarely.
            Counter::Entry => {
                let wait = self.next_look.load(Ordering::Relaxed);
                self.next_look.store(wait.saturating_mul(2), Ordering::Relaxed);
                self.set_tail_calls(wait.into());
                self.cells[0].store(i64::MAX, Ordering::Relaxed);
                Trip::Entry
            }
            Counter::Loop(nth) => {
                self.cells[1 + 2 * nth].store(self.n_between_looks.into(), Ordering::Relaxed);
                Trip::Loop { n_before: self.loops[nth].n_trips.fetch_add(1, Ordering::Relaxed) }
            }
        }
    }

    /// There is a better body: tail calls under way look for it now.
    pub(super) fn set_due(&self) {
        self.set_tail_calls(0);
    }

    fn set_tail_calls(&self, countdown: i64) {
        if let Some(cell) = self.cells.get(1 + 2 * self.loops.len()) {
            cell.store(countdown, Ordering::Relaxed);
        }
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
        self.cells[1 + 2 * nth].store(self.loops[nth].n_turns, Ordering::Relaxed);
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

/// Where the operations of each loop are, those of loops inside included.
fn loops_of(function: &Function) -> Vec<Range<usize>> {
    let mut loops = Vec::new();
    let mut open = Vec::new();
    for (at, op) in function.ops.iter().enumerate() {
        match op {
            Op::Loop => {
                open.push(loops.len());
                loops.push(at..at);
            }
            Op::Next { .. } => {
                let nth = open.pop().expect("the resolver matches brackets");
                loops[nth].end = at;
            }
            _ => {}
        }
    }
    loops
}
