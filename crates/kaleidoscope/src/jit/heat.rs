//! What code has counted of itself, the better code that its loops were given for it, and whom it calls.
//!
//! The cells are written by machine code without locks, and read and set here: a count may be lost, and nothing depends
//! on it. What may stand in the cell of a loop's code is a promise of the machine's fence (`install.rs`).

use super::{Body, StubId};
use crate::policy::{TAIL_CALLS_AT_ONCE, TURNS_BETWEEN_LOOKS, Thresholds, Trip};
use kaleidoscope_baseline::counter_table_len;
use kaleidoscope_ir::compile::{CallTarget, CodeKind, Unit};
use kaleidoscope_ir::{Function, FunctionId, Op};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of quick code: how often it has run, if it counts, and whom it calls.
#[derive(Debug)]
pub(crate) struct Heat {
    /// By which code that counts names itself.
    number: u32,
    /// What the code was made of.
    pub(crate) unit: Arc<Unit>,
    /// After how many entries a better body is asked for.
    n_entries: i64,
    /// After how many tail calls, and how many are left. Each report is of so many.
    n_tail_calls: i64,
    tail_calls_left: AtomicI64,
    tail_calls_at_once: u32,
    /// After how many turns to look again whether there is better code.
    n_between_looks: u32,
    /// As [`kaleidoscope_baseline::Counters`] lays them out; none for code that does not count.
    cells: Box<[AtomicI64]>,
    /// For better code of the whole.
    request: Request,
    loops: Box<[LoopHeat]>,
    /// Whom the code calls through slots, in order.
    calls: Box<[Calls]>,
    /// How often it is called, at most, for once that code counts.
    weight: u32,
}

/// Calls of one function from the same loop.
#[derive(Clone, Copy, Debug)]
struct Calls {
    callee: StubId,
    /// The innermost loop around them.
    inside: Option<usize>,
    n_calls: u32,
}

#[derive(Debug)]
struct LoopHeat {
    /// The loop around it.
    outer: Option<usize>,
    /// After how many turns better code is asked for.
    n_turns: i64,
    n_trips: AtomicU32,
    request: Request,
    better: Mutex<Option<Body>>,
}

/// Whether better code was asked for.
#[derive(Debug, Default)]
struct Request(AtomicU8);

/// How far a request for better code has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Nobody has asked.
    Cool,
    /// Better code is in the making.
    Asked,
    /// Better code is there, or there will be none.
    Ended,
}

impl Request {
    fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Cool,
            1 => Stage::Asked,
            _ => Stage::Ended,
        }
    }

    fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    /// Whether better code is to be asked for now, which happens once.
    fn ask(&self) -> bool {
        let (cool, asked) = (Stage::Cool as u8, Stage::Asked as u8);
        self.0.compare_exchange(cool, asked, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What counted, as the code names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Entry,
    Loop(usize),
}

impl Heat {
    /// Counters for code made of the unit.
    pub(crate) fn new(
        number: u32,
        unit: Arc<Unit>,
        thresholds: Thresholds,
        stub_of: fn(FunctionId) -> StubId,
    ) -> Self {
        let n_cells = counter_table_len(&unit.function);
        let heat = Self::with_cells(number, unit, n_cells, thresholds, 1, stub_of);
        heat.count_anew();
        heat
    }

    /// For code made of the unit that does not count, and is called so often for once that code counts.
    pub(crate) fn uncounted(
        number: u32,
        unit: Arc<Unit>,
        weight: u32,
        stub_of: fn(FunctionId) -> StubId,
    ) -> Self {
        Self::with_cells(number, unit, 0, Thresholds::default(), weight, stub_of)
    }

    fn with_cells(
        number: u32,
        unit: Arc<Unit>,
        n_cells: usize,
        thresholds: Thresholds,
        weight: u32,
        stub_of: fn(FunctionId) -> StubId,
    ) -> Self {
        let function = &unit.function;
        let n_tail_calls = thresholds.turns(function.ops.len());
        let Outline { loops, calls } = Outline::of(function);
        let loops = loops.into_iter().map(|OutlineLoop { n_ops, outer }| LoopHeat {
            n_turns: thresholds.turns(n_ops),
            outer,
            n_trips: AtomicU32::new(0),
            request: Request::default(),
            better: Mutex::default(),
        });
        let slots =
            calls.into_iter().filter(|&(id, _)| matches!(unit.call_target(id), CallTarget::Slot { .. }));
        let mut calls: Vec<_> = slots.map(|(id, inside)| (stub_of(id), inside)).collect();
        calls.sort_unstable();
        let calls = calls.chunk_by(|one, next| one == next).map(|same| Calls {
            callee: same[0].0,
            inside: same[0].1,
            n_calls: u32::try_from(same.len()).unwrap_or(u32::MAX),
        });
        Self {
            number,
            n_entries: thresholds.entries(function),
            n_tail_calls,
            tail_calls_left: AtomicI64::new(n_tail_calls),
            tail_calls_at_once: u32::try_from(n_tail_calls)
                .map_or(TAIL_CALLS_AT_ONCE, |n| n.min(TAIL_CALLS_AT_ONCE)),
            n_between_looks: TURNS_BETWEEN_LOOKS.min(thresholds.turns).max(1),
            cells: (0..n_cells).map(|_| AtomicI64::new(0)).collect(),
            request: Request::default(),
            loops: loops.collect(),
            calls: calls.collect(),
            weight,
            unit,
        }
    }

    /// Whether the code counts.
    pub(crate) fn counts(&self) -> bool {
        !self.cells.is_empty()
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

    /// Whom the code calls through slots.
    pub(super) fn callees(&self) -> impl Iterator<Item = StubId> + '_ {
        self.calls.chunk_by(|one, next| one.callee == next.callee).map(|calls| calls[0].callee)
    }

    /// How often the code calls the function, at most, for once that code counts.
    pub(super) fn weight_of_calls(&self, callee: StubId) -> u32 {
        let n_calls = self.calls_of(callee).fold(0, |n: u32, calls| n.saturating_add(calls.n_calls));
        self.weight.saturating_mul(n_calls)
    }

    fn calls_of(&self, callee: StubId) -> impl Iterator<Item = &Calls> {
        let from = self.calls.partition_point(|calls| calls.callee < callee);
        self.calls[from..].iter().take_while(move |calls| calls.callee == callee)
    }

    /// Counts anew whatever nobody has asked to be made better.
    pub(super) fn count_anew(&self) {
        if !self.counts() {
            return;
        }
        if self.request.stage() == Stage::Cool {
            self.cells[0].store(self.n_entries, Ordering::Relaxed);
            self.tail_calls_left.store(self.n_tail_calls, Ordering::Relaxed);
        }
        for (nth, of_loop) in self.loops.iter().enumerate() {
            if of_loop.request.stage() == Stage::Cool {
                self.cells[1 + 2 * nth].store(of_loop.n_turns, Ordering::Relaxed);
                of_loop.n_trips.store(0, Ordering::Relaxed);
            }
        }
    }

    /// How often the code was entered since it began to count: often, once it was asked for.
    fn n_entered(&self) -> i64 {
        match self.request.stage() {
            Stage::Cool => self.n_entries - self.cells[0].load(Ordering::Relaxed),
            Stage::Asked | Stage::Ended => i64::MAX,
        }
    }

    /// After how many runs the counter runs out.
    pub(super) fn threshold(&self, counter: Counter) -> i64 {
        match counter {
            Counter::Entry => self.n_entries,
            Counter::Loop(nth) => self.loops[nth].n_turns,
        }
    }

    /// The parts of this code that calls of the function are in, the largest first: how often each has run since it began to
    /// count, and whether it was asked for.
    pub(super) fn parts_that_call(
        &self,
        callee: StubId,
    ) -> impl Iterator<Item = (CodeKind, i64, Stage)> + '_ {
        let n_counted = |n: i64, cell: usize| n - self.cells[cell].load(Ordering::Relaxed);
        let whole =
            self.unit.id.map(|_| (CodeKind::Function, n_counted(self.n_entries, 0), self.request.stage()));
        // Loops are numbered by where they begin, so that one is before those inside it.
        let mut around = BTreeSet::new();
        for calls in self.calls_of(callee) {
            let mut inside = calls.inside;
            while let Some(nth) = inside.filter(|&nth| around.insert(nth)) {
                inside = self.loops[nth].outer;
            }
        }
        let loops = around.into_iter().map(move |nth| {
            let of_loop = &self.loops[nth];
            (CodeKind::Osr(nth), n_counted(of_loop.n_turns, 1 + 2 * nth), of_loop.request.stage())
        });
        whole.into_iter().chain(loops)
    }

    /// What the code counts has been reported: the counter is set again. None if it is not yet enough.
    pub(crate) fn on_report(&self, counter: Counter) -> Option<Trip> {
        Some(match counter {
            Counter::Entry if self.cells[0].load(Ordering::Relaxed) > 0 => {
                let n_reported = i64::from(self.tail_calls_at_once);
                if self.tail_calls_left.fetch_sub(n_reported, Ordering::Relaxed) > n_reported {
                    return None;
                }
                Trip::Entry
            }
            // The better body is asked for once, and reached by the slot; only tail calls under way look for it.
            Counter::Entry => {
                self.cells[0].store(i64::MAX, Ordering::Relaxed);
                Trip::Entry
            }
            // Each time a loop with better code begins anew, its first turn leaves it.
            Counter::Loop(nth) => {
                let wait = if self.has_better_loop(nth) { 0 } else { self.n_between_looks };
                self.cells[1 + 2 * nth].store(wait.into(), Ordering::Relaxed);
                let n_before = self.loops[nth].n_trips.fetch_add(1, Ordering::Relaxed);
                Trip::Loop { n_before, n_turns: self.loops[nth].n_turns, n_entries: self.n_entered() }
            }
        })
    }

    /// After how many tail calls an activation reports them.
    pub(crate) fn tail_calls_at_once(&self) -> u32 {
        self.tail_calls_at_once
    }

    /// Whether better code for this part is to be asked for now, which happens once.
    pub(crate) fn ask(&self, part: CodeKind) -> bool {
        self.request(part).ask()
    }

    /// How far the request for better code of this part has come.
    pub(super) fn stage(&self, part: CodeKind) -> Stage {
        self.request(part).stage()
    }

    /// Nothing more is to be asked for: better code is there, or it could not be made.
    pub(super) fn end(&self, part: CodeKind) {
        self.request(part).set(Stage::Ended);
    }

    fn request(&self, part: CodeKind) -> &Request {
        match part {
            CodeKind::Osr(nth) => &self.loops[nth].request,
            CodeKind::Function | CodeKind::Kernel(_) => &self.request,
        }
    }

    /// The better code no longer holds, or came too late: when the code is hot again, it is asked for again.
    pub(crate) fn cool(&self) {
        self.request.set(Stage::Cool);
        self.count_anew();
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
        self.loops[nth].request.set(Stage::Cool);
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

/// What of a function is counted, and where it calls.
#[derive(Default)]
struct Outline {
    loops: Vec<OutlineLoop>,
    /// Whom it calls, and the innermost loop around the call.
    calls: Vec<(FunctionId, Option<usize>)>,
}

struct OutlineLoop {
    /// Operations, those of loops inside included.
    n_ops: usize,
    /// The loop around it.
    outer: Option<usize>,
}

impl Outline {
    fn of(function: &Function) -> Self {
        let mut outline = Self::default();
        let mut inside = None;
        for (at, op) in function.ops.iter().enumerate() {
            match *op {
                Op::Loop => {
                    outline.loops.push(OutlineLoop { n_ops: at, outer: inside });
                    inside = Some(outline.loops.len() - 1);
                }
                Op::Next { .. } => {
                    let ended = &mut outline.loops[inside.expect("the resolver matches brackets")];
                    ended.n_ops = at - ended.n_ops;
                    inside = ended.outer;
                }
                Op::Call { callee, .. } => outline.calls.push((callee, inside)),
                _ => {}
            }
        }
        outline
    }
}
