//! Call graph: who calls whom in baseline code. It decides which code counts, and what to optimize
//! when a counter trips.
//!
//! A function without loops does little work per call. If it takes time, a loop, a recursion or the
//! host calls it often. So those count. Code of a loop-free function has no counter, unless
//!
//! - it calls a function that had code before, and so may close a recursive cycle: of the
//!   functions in a cycle, the one compiled last finds its callee compiled, and counts;
//! - it is called many times per counted event, by callers that call each other more than once;
//! - optimized code does not inline it, because it is too large, was left out, or could not be
//!   compiled ([`Core::count_entries`]);
//! - the host has a handle of it.
//!
//! When a small function is hot, its caller is optimized instead: the outermost caller that is hot
//! enough to explain the callee's count. It inlines the others, so one compilation replaces many,
//! and no calls are left in it.

use crate::code::CodeOrigin;
use crate::code_state::CodeState;
use crate::core::Core;
use crate::policy::{MAX_CALLERS, MAX_UNCOUNTED_CALLS, can_be_inlined, explains};
use crate::profile::{Counter, Profile};
use crate::table::Table;
use crate::tier_up_state::TierUpState;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::CodeKind;
use std::collections::HashSet;
use std::sync::Arc;

/// What to optimize: a function or one of its loops.
#[derive(Clone, Debug)]
pub(crate) struct TierUpTarget {
    pub(crate) profile: Arc<Profile>,
    pub(crate) kind: CodeKind,
}

impl Core {
    /// From now on, code of the function counts its entries: it is called from where nothing
    /// counts. Code without a counter is discarded, and the next call compiles it with one.
    pub(crate) fn count_entries(&self, function: FunctionId) {
        let mut table = self.table();
        let entry = table.entry_mut(function);
        entry.must_count = true;
        let profile = entry.state.first().and_then(|code| code.profile.as_ref());
        if profile.is_none_or(|profile| profile.counts()) {
            return;
        }
        let (name, version) = (entry.name(), entry.version());
        let old = entry.discard_code(version);
        self.retire(&mut table, old, &name);
    }

    /// What to optimize now that a counter tripped: the function, or a caller that inlines it.
    /// Returns nothing while such a caller is being compiled. Unless the function itself is
    /// chosen, its counters reset: if it is still hot afterwards, it trips again.
    pub(crate) fn tier_up_root(&self, profile: &Arc<Profile>, counter: Counter) -> Option<TierUpTarget> {
        if profile.tier_up_state(CodeKind::Function) != TierUpState::Idle {
            return None;
        }
        let root = self.table().tier_up_root(profile, profile.threshold(counter));
        if root.as_ref().is_none_or(|root| !Arc::ptr_eq(&root.profile, profile)) {
            profile.reset_idle();
        }
        root
    }
}

impl Table {
    /// Calls of the loop-free function per counted event, at most, if its code need not count. It
    /// calls these callees.
    pub(crate) fn calls_per_count(
        &self,
        function: FunctionId,
        callees: impl IntoIterator<Item = FunctionId>,
    ) -> Option<u32> {
        let must_count = self.entry(function).must_count
            || callees.into_iter().any(|callee| callee == function || self.has_code_that_calls(callee));
        let callers = self.callers_of(function);
        let n_calls = callers.map(|caller| caller.calls_per_count(function)).fold(0, u32::saturating_add);
        (!must_count && n_calls < MAX_UNCOUNTED_CALLS).then_some(n_calls.max(1))
    }

    /// Whether the function has, or is about to have, code that calls functions.
    fn has_code_that_calls(&self, function: FunctionId) -> bool {
        match &self.entry(function).state {
            CodeState::Lazy { .. } => false,
            CodeState::Compiling { .. } => true,
            CodeState::Ready(ready) => match (ready.first.code.info.origin, &ready.first.profile) {
                (CodeOrigin::Provided, _) => false,
                (CodeOrigin::Interpreted, _) => true,
                (CodeOrigin::Compiled { .. }, profile) => {
                    profile.as_ref().is_none_or(|profile| profile.callees().next().is_some())
                }
            },
        }
    }

    /// Climbs from a hot function to the outermost caller that explains its count and can inline
    /// it. Returns nothing while one of the callers is being compiled.
    fn tier_up_root(&self, profile: &Arc<Profile>, n_runs: i64) -> Option<TierUpTarget> {
        let mut root = TierUpTarget { profile: Arc::clone(profile), kind: CodeKind::Function };
        let mut n_runs = n_runs;
        let mut seen = HashSet::from([profile.number()]);
        while let (CodeKind::Function, Some(callee)) = (root.kind, root.profile.unit.id)
            && can_be_inlined(&root.profile.unit.function)
        {
            let mut best: Option<(&Arc<Profile>, CodeKind, i64)> = None;
            // The function, and uncounted functions through which others call it.
            let mut callees = vec![callee];
            while let Some(callee) = callees.pop() {
                for caller in self.callers_of(callee) {
                    let function = caller.unit.id;
                    let is_current = function.is_none_or(|id| self.version(id) == caller.unit.version);
                    if !is_current || seen.len() > MAX_CALLERS || !seen.insert(caller.number()) {
                        continue;
                    }
                    if !caller.counts() {
                        callees.extend(function);
                        continue;
                    }
                    for (kind, n_caller, state) in caller.parts_that_call(callee) {
                        match state {
                            TierUpState::Pending => return None,
                            TierUpState::Finished => break,
                            TierUpState::Idle if explains(n_caller, n_runs) => {
                                if best.is_none_or(|(_, _, n_best)| n_caller > n_best) {
                                    best = Some((caller, kind, n_caller));
                                }
                                break;
                            }
                            TierUpState::Idle => {}
                        }
                    }
                }
            }
            let Some((caller, kind, n_caller)) = best else { break };
            root = TierUpTarget { profile: Arc::clone(caller), kind };
            n_runs = n_caller;
        }
        Some(root)
    }

    /// The profiles of baseline code that calls the function; some of them if there are many.
    fn callers_of(&self, callee: FunctionId) -> impl Iterator<Item = &Arc<Profile>> {
        let numbers = self.entry(callee).callers.iter().rev();
        numbers.filter_map(|number| self.profiles.get(number)).take(MAX_CALLERS)
    }

    /// Adds the profile of code that is about to run, and its calls.
    pub(crate) fn note_profile(&mut self, profile: &Arc<Profile>) {
        for callee in profile.callees() {
            let mut callers = std::mem::take(&mut self.entry_mut(callee).callers);
            if callers.len() == callers.capacity() {
                callers.retain(|number| self.profiles.contains_key(number));
                callers.reserve(callers.len().max(4));
            }
            callers.push(profile.number());
            self.entry_mut(callee).callers = callers;
        }
        self.profiles.insert(profile.number(), Arc::clone(profile));
    }
}
