//! Profiles: what is known of one piece of baseline code: its counters, its loops, and whom it
//! calls.
//!
//! Machine code writes the counters without locks, and this module reads and sets them. A count
//! may be lost; nothing depends on exact counts.

use crate::code::{CompiledCode, OsrCode};
use crate::osr::{LoopCells, LoopProfile};
use crate::policy::{BACK_EDGES_PER_CHECK, TAIL_CALLS_PER_REPORT, Thresholds, Trip};
use crate::tier_up_state::{TierUp, TierUpState};
use kaleidoscope_baseline::counter_table_len;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{CallTarget, CodeKind, Unit};
use kaleidoscope_native::CodeAddress;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Counters and call sites of one piece of baseline code.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The number by which counting code identifies itself.
    number: u32,
    /// What the code was compiled from.
    pub(crate) unit: Arc<Unit>,
    /// Entries before the function tiers up.
    n_entries: i64,
    /// Self tail calls before the function tiers up, and how many are left. Each report counts
    /// `tail_calls_per_report`.
    n_tail_calls: i64,
    tail_calls_left: AtomicI64,
    tail_calls_per_report: u32,
    /// Back edges after which a loop checks again for OSR code.
    n_to_check: u32,
    /// The words that the code reads and writes, as [`kaleidoscope_baseline::Counters`] lays them
    /// out; none for code that does not count.
    cells: Box<[AtomicI64]>,
    /// The tier-up of the whole function.
    tier_up: TierUp,
    loops: Box<[LoopProfile]>,
    /// Call sites that go through slots, sorted by callee.
    call_sites: Box<[CallSite]>,
    /// Calls of this code per counted event, at most.
    calls_per_count: u32,
}

/// The calls of one function from the same loop.
#[derive(Clone, Copy, Debug)]
struct CallSite {
    callee: FunctionId,
    /// The innermost loop around the calls.
    inside: Option<usize>,
    n_calls: u32,
}

/// A counter, as code reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Entry,
    Loop(usize),
}

impl Counter {
    /// The counter of a reported number: -1 for the entry counter, or the number of a loop.
    pub(crate) fn of_report(number: f64) -> Self {
        if number < 0.0 { Self::Entry } else { Self::Loop(number as usize) }
    }
}

impl Profile {
    /// The profile of code that counts.
    pub(crate) fn counting(number: u32, unit: Arc<Unit>, thresholds: Thresholds) -> Self {
        let n_cells = counter_table_len(&unit.function);
        let profile = Self::new(number, unit, n_cells, thresholds, 1);
        profile.reset_idle();
        profile
    }

    /// The profile of code that does not count, and is called this often per counted event.
    pub(crate) fn uncounted(number: u32, unit: Arc<Unit>, calls_per_count: u32) -> Self {
        Self::new(number, unit, 0, Thresholds::default(), calls_per_count)
    }

    fn new(
        number: u32,
        unit: Arc<Unit>,
        n_cells: usize,
        thresholds: Thresholds,
        calls_per_count: u32,
    ) -> Self {
        let function = &unit.function;
        let n_tail_calls = thresholds.back_edges_of(function.ops.len());
        let facts = function.facts();
        let loops = facts
            .loops
            .iter()
            .map(|facts| LoopProfile::new(facts.outer, thresholds.back_edges_of(facts.n_ops())));
        let through_slots = facts
            .calls
            .iter()
            .filter(|call| matches!(unit.call_target(call.callee), CallTarget::Slot { .. }));
        let call_sites = through_slots.map(|call| CallSite {
            callee: call.callee,
            inside: call.innermost_loop,
            n_calls: u32::try_from(call.n_calls).unwrap_or(u32::MAX),
        });
        Self {
            number,
            n_entries: thresholds.entries(function),
            n_tail_calls,
            tail_calls_left: AtomicI64::new(n_tail_calls),
            tail_calls_per_report: u32::try_from(n_tail_calls)
                .map_or(TAIL_CALLS_PER_REPORT, |n| n.min(TAIL_CALLS_PER_REPORT)),
            n_to_check: BACK_EDGES_PER_CHECK.min(thresholds.back_edges).max(1),
            cells: (0..n_cells).map(|_| AtomicI64::new(0)).collect(),
            tier_up: TierUp::default(),
            loops: loops.collect(),
            call_sites: call_sites.collect(),
            calls_per_count,
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

    /// The address of the cells, valid as long as the profile.
    pub(crate) fn cells_address(&self) -> usize {
        self.cells.as_ptr().addr()
    }

    /// Self tail calls between two reports of one activation.
    pub(crate) fn tail_calls_per_report(&self) -> u32 {
        self.tail_calls_per_report
    }

    /// The functions that the code calls through slots, each once.
    pub(crate) fn callees(&self) -> impl Iterator<Item = FunctionId> + '_ {
        self.call_sites.chunk_by(|one, next| one.callee == next.callee).map(|sites| sites[0].callee)
    }

    /// Calls of the function by this code per counted event, at most.
    pub(crate) fn calls_per_count(&self, callee: FunctionId) -> u32 {
        let n_calls = self.sites_of(callee).fold(0, |n: u32, site| n.saturating_add(site.n_calls));
        self.calls_per_count.saturating_mul(n_calls)
    }

    fn sites_of(&self, callee: FunctionId) -> impl Iterator<Item = &CallSite> {
        let from = self.call_sites.partition_point(|site| site.callee < callee);
        self.call_sites[from..].iter().take_while(move |site| site.callee == callee)
    }

    /// Resets all counters whose tier-up is not requested.
    pub(crate) fn reset_idle(&self) {
        if !self.counts() {
            return;
        }
        if self.tier_up.state() == TierUpState::Idle {
            self.cells[0].store(self.n_entries, Ordering::Relaxed);
            self.tail_calls_left.store(self.n_tail_calls, Ordering::Relaxed);
        }
        for (nth, of_loop) in self.loops.iter().enumerate() {
            of_loop.reset_if_idle(self.loop_cells(nth));
        }
    }

    /// Entries since the counter was reset; unlimited once a tier-up was requested.
    fn entries_so_far(&self) -> i64 {
        match self.tier_up.state() {
            TierUpState::Idle => self.n_entries - self.cells[0].load(Ordering::Relaxed),
            TierUpState::Pending | TierUpState::Finished => i64::MAX,
        }
    }

    /// Executions after which the counter trips.
    pub(crate) fn threshold(&self, counter: Counter) -> i64 {
        match counter {
            Counter::Entry => self.n_entries,
            Counter::Loop(nth) => self.loops[nth].n_back_edges,
        }
    }

    /// The parts of this code that contain calls of the function, outermost first: the executions
    /// of each since its counter was reset, and its tier-up.
    pub(crate) fn parts_that_call(
        &self,
        callee: FunctionId,
    ) -> impl Iterator<Item = (CodeKind, i64, TierUpState)> + '_ {
        let so_far = |threshold: i64, cell: usize| threshold - self.cells[cell].load(Ordering::Relaxed);
        let whole =
            self.unit.id.map(|_| (CodeKind::Function, so_far(self.n_entries, 0), self.tier_up.state()));
        // Loops are numbered by where they begin, so each loop precedes those inside it.
        let mut around = BTreeSet::new();
        for site in self.sites_of(callee) {
            let mut inside = site.inside;
            while let Some(nth) = inside.filter(|&nth| around.insert(nth)) {
                inside = self.loops[nth].outer;
            }
        }
        let loops = around.into_iter().map(move |nth| {
            let of_loop = &self.loops[nth];
            (CodeKind::Osr(nth), so_far(of_loop.n_back_edges, 1 + 2 * nth), of_loop.tier_up.state())
        });
        whole.into_iter().chain(loops)
    }

    /// Takes a report of the code and sets its counter again. Returns the trip, or nothing if it is
    /// too early for one.
    pub(crate) fn on_report(&self, counter: Counter) -> Option<Trip> {
        Some(match counter {
            Counter::Entry if self.cells[0].load(Ordering::Relaxed) > 0 => {
                let n_reported = i64::from(self.tail_calls_per_report);
                if self.tail_calls_left.fetch_sub(n_reported, Ordering::Relaxed) > n_reported {
                    return None;
                }
                Trip::Entry
            }
            // Back to the threshold, also while a tier-up is pending. Another thread may set the
            // counter meanwhile, and the code may overwrite that with its own count. Whatever is
            // left then trips at last; a larger number never would.
            Counter::Entry => {
                self.cells[0].store(self.n_entries, Ordering::Relaxed);
                Trip::Entry
            }
            Counter::Loop(nth) => {
                let of_loop = &self.loops[nth];
                let n_before = of_loop.on_trip(self.loop_cells(nth), self.n_to_check)?;
                let n_entries = self.entries_so_far();
                Trip::Loop { n_before, n_back_edges: of_loop.n_back_edges, n_entries }
            }
        })
    }

    /// Requests a tier-up. Returns whether this request is the first.
    pub(crate) fn request_tier_up(&self, kind: CodeKind) -> bool {
        self.tier_up(kind).request()
    }

    /// How far the tier-up of this kind is.
    pub(crate) fn tier_up_state(&self, kind: CodeKind) -> TierUpState {
        self.tier_up(kind).state()
    }

    /// Optimized code is installed, or cannot be compiled: no more requests.
    pub(crate) fn finish_tier_up(&self, kind: CodeKind) {
        self.tier_up(kind).set(TierUpState::Finished);
    }

    fn tier_up(&self, kind: CodeKind) -> &TierUp {
        match kind {
            CodeKind::Osr(nth) => &self.loops[nth].tier_up,
            CodeKind::Function | CodeKind::Kernel(..) => &self.tier_up,
        }
    }

    /// Resets the function's counters: its optimized code was invalidated. When they trip again, it
    /// may tier up again.
    pub(crate) fn reset_function(&self) {
        self.tier_up.set(TierUpState::Idle);
        self.reset_idle();
    }

    /// Resets a loop's counter. When it trips again, the loop may tier up again.
    pub(crate) fn reset_loop(&self, nth: usize) {
        self.loops[nth].reset(self.loop_cells(nth));
    }

    /// Removes a loop's OSR code. The loop gets it again soon.
    pub(crate) fn invalidate_loop(&self, nth: usize) -> Option<CompiledCode> {
        self.loops[nth].invalidate(self.loop_cells(nth))
    }

    /// Installs OSR code for a loop.
    pub(crate) fn install_loop(&self, nth: usize, code: CompiledCode) {
        self.loops[nth].install(self.loop_cells(nth), code);
    }

    /// Removes all OSR code, when nothing runs any more that could enter it.
    pub(crate) fn take_osr_code(&self) -> Vec<CompiledCode> {
        (0..self.loops.len()).filter_map(|nth| self.invalidate_loop(nth)).collect()
    }

    /// The loop's OSR code, if it exists. Looked up inside the engine, and used before that scope
    /// is left.
    pub(crate) fn osr_code(&self, nth: usize) -> Option<OsrCode> {
        let mut osr_code = None;
        let n_variables = self.unit.function.locals.len();
        self.loops[nth].with_code(|code| osr_code = Some(code.osr(n_variables)));
        osr_code
    }

    /// Whether the loop has OSR code that depends on the function.
    pub(crate) fn osr_code_depends_on(&self, nth: usize, function: FunctionId) -> bool {
        let mut depends = false;
        self.loops[nth].with_code(|code| depends = code.depends_on(function));
        depends
    }

    /// Whether the loop has OSR code.
    pub(crate) fn has_osr_code(&self, nth: usize) -> bool {
        self.loop_cells(nth).has_code()
    }

    /// Whether the address is in the OSR code of one of the loops.
    fn osr_code_contains(&self, address: CodeAddress) -> bool {
        let mut contains = false;
        for of_loop in &self.loops {
            of_loop.with_code(|code| contains |= code.contains(address));
        }
        contains
    }

    fn loop_cells(&self, nth: usize) -> LoopCells<'_> {
        LoopCells { counter: &self.cells[1 + 2 * nth], osr: &self.cells[2 + 2 * nth] }
    }
}

/// Code together with its profile, if it is baseline code of an engine that tiers up.
#[derive(Debug)]
pub(crate) struct ProfiledCode {
    pub(crate) code: CompiledCode,
    pub(crate) profile: Option<Arc<Profile>>,
}

impl ProfiledCode {
    /// Whether the address is in this code, or in the OSR code of its loops.
    pub(crate) fn contains(&self, address: CodeAddress) -> bool {
        self.code.contains(address)
            || self.profile.as_ref().is_some_and(|profile| profile.osr_code_contains(address))
    }
}

impl From<CompiledCode> for ProfiledCode {
    fn from(code: CompiledCode) -> Self {
        Self { code, profile: None }
    }
}

impl crate::code_state::Versioned for ProfiledCode {
    fn address(&self) -> CodeAddress {
        self.code.address()
    }

    fn version(&self) -> u32 {
        self.code.info.version()
    }
}

#[cfg(test)]
mod tests;
