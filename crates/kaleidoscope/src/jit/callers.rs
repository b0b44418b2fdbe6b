//! Who calls whom, as far as it has code: which code must count, and what to make better when something is hot.
//!
//! A function without loops does little by itself; if it takes time, somebody calls it ever so often: a loop, a recursion, or
//! the host. So it is they who count. Code of a function without loops does not, unless
//! - it calls a function that had code before, and so may close a circle of calls: of the codes in a circle, the one that was made last
//!   found its callee there already, and counts;
//! - it is called many times for once that code counts, by callers that call each other more than once;
//! - better code does not carry it, because it is too large or was left out, or could not be made ([`Jit::have_counted`]);
//! - the host has a handle of it.
//!
//! And when a small function is hot, it is its caller that is made better, up to the outermost that runs often enough to be the
//! reason: that carries the others, so that there is one body to make in place of many, and no call is left in it.

use super::Jit;
use super::heat::{Counter, Heat, Stage};
use super::install::Made;
use super::state::State;
use super::tiers::Hot;
use super::{Source, StubId, Table};
use crate::policy::{MOST_CALLERS, MOST_UNCOUNTED, can_be_carried, makes_hot};
use kaleidoscope_ir::compile::{CodeKind, Unit};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<S: Source> Jit<S> {
    /// Has the code of the function count from now on: it is called from where nothing counts. Code that does not is made anew
    /// by the next call.
    pub(crate) fn have_counted(&self, function: StubId) {
        let mut table = self.table();
        let known = &mut table.functions[function.index()];
        known.must_count = true;
        let heat = known.state.first().and_then(|body| body.heat());
        if heat.is_none_or(|heat| heat.counts()) {
            return;
        }
        let version = known.state.version();
        let old = known.replace(version);
        let epoch = self.epochs.retire();
        table.retired.extend(old.into_iter().map(|body| (epoch, body)));
        self.has_retired.store(true, Ordering::Release);
    }

    /// How often code of this function, which has no loops and calls these, is called, at most, for once that code counts;
    /// none if it must count itself.
    pub(crate) fn weight_of_uncounted(
        &self,
        function: StubId,
        callees: impl IntoIterator<Item = StubId>,
    ) -> Option<u32> {
        let table = self.table();
        let must_count = table.functions[function.index()].must_count
            || callees.into_iter().any(|callee| callee == function || table.has_code_that_calls(callee));
        let callers = table.callers_of(function);
        let weight = callers.map(|caller| caller.weight_of_calls(function)).fold(0, u32::saturating_add);
        (!must_count && weight < MOST_UNCOUNTED).then_some(weight.max(1))
    }

    /// What is to be made better now that this function is hot: itself, or a caller that will carry it. None while such a caller
    /// is in the making; then, as when a caller is made better, the function counts anew, and is hot again if that did not help.
    pub(super) fn root_of(&self, heat: &Arc<Heat>, counter: Counter) -> Option<Hot> {
        if heat.stage(CodeKind::Function) != Stage::Cool {
            return None;
        }
        let n_runs = heat.threshold(counter);
        let root = self.table().root_of(heat, n_runs, |unit| self.source.stub_of(unit));
        if root.as_ref().is_none_or(|root| !Arc::ptr_eq(&root.heat, heat)) {
            heat.count_anew();
        }
        root
    }
}

impl Table {
    /// Whether the function has code, or will have it in a moment, which calls others.
    fn has_code_that_calls(&self, function: StubId) -> bool {
        match &self.functions[function.index()].state {
            State::Lazy { .. } => false,
            State::Compiling { .. } => true,
            State::Ready(ready) => match (ready.first.facts.made, ready.first.heat()) {
                (Made::Provided, _) => false,
                (Made::Compiled { .. }, heat) => heat.is_none_or(|heat| heat.callees().next().is_some()),
            },
        }
    }

    /// Climbs from a hot function to the outermost of its callers that run often enough to make it hot, and will carry
    /// it. None while one of them is in the making.
    fn root_of(
        &self,
        heat: &Arc<Heat>,
        n_runs: i64,
        stub_of: impl Fn(&Unit) -> Option<StubId>,
    ) -> Option<Hot> {
        let mut root = Hot { heat: Arc::clone(heat), part: CodeKind::Function };
        let mut n_runs = n_runs;
        let mut seen = HashSet::from([heat.number()]);
        while let (CodeKind::Function, Some(callee)) = (root.part, stub_of(&root.heat.unit))
            && can_be_carried(&root.heat.unit.function)
        {
            let mut most: Option<(&Arc<Heat>, CodeKind, i64)> = None;
            // The function, and those by which others call it that do not count.
            let mut callees = vec![callee];
            while let Some(callee) = callees.pop() {
                for caller in self.callers_of(callee) {
                    let function = stub_of(&caller.unit);
                    let is_current = function.is_none_or(|id| self.version_of(id) == caller.unit.version);
                    if !is_current || seen.len() > MOST_CALLERS || !seen.insert(caller.number()) {
                        continue;
                    }
                    if !caller.counts() {
                        callees.extend(function);
                        continue;
                    }
                    for (part, n_caller, stage) in caller.parts_that_call(callee) {
                        match stage {
                            Stage::Asked => return None,
                            Stage::Ended => break,
                            Stage::Cool if makes_hot(n_caller, n_runs) => {
                                if most.is_none_or(|(_, _, n_most)| n_caller > n_most) {
                                    most = Some((caller, part, n_caller));
                                }
                                break;
                            }
                            Stage::Cool => {}
                        }
                    }
                }
            }
            let Some((caller, part, n_caller)) = most else { break };
            root = Hot { heat: Arc::clone(caller), part };
            n_runs = n_caller;
        }
        Some(root)
    }

    /// The quick code that calls this function; of functions that all the program calls, some of it.
    fn callers_of(&self, callee: StubId) -> impl Iterator<Item = &Arc<Heat>> {
        let numbers = self.functions[callee.index()].callers.iter().rev();
        numbers.filter_map(|number| self.heats.get(number)).take(MOST_CALLERS)
    }

    /// Notes what is known of code that is about to run.
    pub(super) fn note_heat(&mut self, heat: &Arc<Heat>) {
        for callee in heat.callees() {
            let callers = &mut self.functions[callee.index()].callers;
            if callers.len() == callers.capacity() {
                callers.retain(|number| self.heats.contains_key(number));
                callers.reserve(callers.len().max(4));
            }
            callers.push(heat.number());
        }
        self.heats.insert(heat.number(), Arc::clone(heat));
    }
}
