//! Inlining: which bodies become part of optimized code, and what that code then depends on.
//!
//! The planner takes a snapshot of one function after another, and never holds the table's lock
//! while it decides. The versions of the snapshots are checked when the code is installed.

use crate::code::{CodeInfo, CodeOrigin, CompiledCode};
use crate::core::Core;
use crate::event::{CodeName, Tier};
use crate::maths::known_maths;
use crate::policy;
use crate::table::Table;
use crate::trap::Trap;
use crate::validity::{Dependency, NewFlag};
use kaleidoscope_ir::compile::{
    CallTarget, Code, CodeGenerator, CodeKind, CompileError, HostArrayMemory, HostVariableAddress,
    InliningBudget, InliningPlan, Unit,
};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A unit of optimized code, with its inlinees.
pub(crate) struct Planned {
    pub(crate) unit: Unit,
    pub(crate) dependencies: Box<[Dependency]>,
    /// The names of the inlined functions.
    inlined: Arc<[Arc<str>]>,
}

impl Core {
    /// Compiles optimized code with as much inlined as the budget and the code generator allow.
    /// `finish_plan` may change the unit of a plan. Returns nothing if the root was redefined.
    ///
    /// What the generator takes depends on more than the number of operations. If a unit is too
    /// large for it, a smaller budget follows, down to a unit without inlinees: some optimized code
    /// is better than none.
    pub(crate) fn compile_optimized(
        &self,
        root: &Arc<Unit>,
        kind: CodeKind,
        budget: InliningBudget,
        tier: Tier,
        generator: &mut dyn CodeGenerator,
        finish_plan: impl Fn(&mut Unit),
    ) -> Result<Option<(CompiledCode, Unit)>, Trap> {
        self.code_budget.check()?;
        let mut budget = budget;
        loop {
            let Some(mut planned) = self.plan(root, kind, budget) else { return Ok(None) };
            finish_plan(&mut planned.unit);
            planned.unit.known_maths = known_maths(&planned.unit);
            let flag = self.add_validity_flag(&mut planned.unit, &planned.dependencies)?;
            let code = match generator.generate(&planned.unit) {
                Err(CompileError::TooLarge)
                    if root.function.ops.len() <= policy::MOST_OPS_TO_RETRY
                        && let Some(less) = budget.less() =>
                {
                    budget = less;
                    continue;
                }
                code => code.map_err(|reason| Trap::Compile { code: CodeName::of(root), reason })?,
            };
            return self.finish_optimized(planned, flag, code, tier).map(Some);
        }
    }

    /// The code of a plan, as the table stores it.
    fn finish_optimized(
        &self,
        planned: Planned,
        flag: Option<NewFlag>,
        mut code: Code,
        tier: Tier,
    ) -> Result<(CompiledCode, Unit), Trap> {
        let Planned { unit, dependencies, inlined } = planned;
        let exits = std::mem::take(&mut code.exits);
        let validity = flag.map(|flag| flag.of_code(&unit, &dependencies, exits));
        if let Some(validity) = validity.as_ref().filter(|_| !unit.host_arrays.is_empty()) {
            self.table().note_access_sites(validity);
        }
        let code = self.code_budget.charge(code)?;
        count_calls_left(self, &unit);
        let info = CodeInfo {
            function: unit.id,
            name: CodeName::of(&unit),
            origin: CodeOrigin::Compiled { tier, kind: unit.kind, times: code.times, bytes: code.bytes },
            inlined,
        };
        Ok((CompiledCode::new(info, &unit, dependencies, validity, code), unit))
    }

    /// Chooses the inlinees of a unit. Returns nothing if the root was redefined, except for OSR
    /// code: activations of the old version go on in it.
    pub(crate) fn plan(&self, root: &Arc<Unit>, kind: CodeKind, budget: InliningBudget) -> Option<Planned> {
        let is_superseded = root.id.is_some_and(|id| self.table().version(id) != root.version);
        if is_superseded && kind.osr_loop().is_none() {
            return None;
        }
        let mut bodies: BTreeMap<FunctionId, (Arc<Function>, u32)> = BTreeMap::new();
        let ops = kind.ops(&root.function);
        let plan = InliningPlan::new(root.id, Arc::clone(&root.function), ops, budget, |id| {
            // The first snapshot of a function counts, so that all its copies are of one version.
            if let Some((function, _)) = bodies.get(&id) {
                return Some(Arc::clone(function));
            }
            let (function, version) = {
                let table = self.table();
                let entry = table.entry(id);
                (Arc::clone(entry.ir()?), entry.version())
            };
            // A call of such a function traps. It may never be called.
            self.verify(&function).ok()?;
            bodies.insert(id, (Arc::clone(&function), version));
            Some(function)
        });
        let table = self.table();
        let (callees, variables, host_arrays) = table.surroundings(&plan);
        let is_root = |id| Some(id) == root.id;
        let inlinees = plan.inlinees();
        // Code that inlined its own function depends on it: its next recursive call runs the new
        // definition. So does each further row of a kernel.
        let rows_call = root.id.filter(|id| matches!(kind, CodeKind::Kernel(..)) && !inlinees.contains(id));
        let versions = inlinees.iter().map(|&id| (id, bodies[&id].1));
        let versions = versions.chain(rows_call.map(|id| (id, root.version)));
        let dependencies = versions.chain(table.maths_dependencies(&callees)).collect();
        let others = inlinees.iter().filter(|id| !is_root(**id));
        let inlined = others.map(|id| Arc::clone(&bodies[id].0.name)).collect();
        drop(table);
        let unit = Unit::new(Arc::clone(&root.function), root.id, root.version, callees, variables);
        let unit = Unit { kind, host_arrays, inlining: Some(plan), scalars: root.scalars, ..unit };
        Some(Planned { unit, dependencies, inlined })
    }
}

/// Call targets, host variables and arrays by id.
type Surroundings = (
    BTreeMap<FunctionId, CallTarget>,
    BTreeMap<HostVariable, HostVariableAddress>,
    BTreeMap<HostArray, HostArrayMemory>,
);

impl Table {
    /// The call targets, host variables and arrays of all bodies of a plan.
    fn surroundings(&self, plan: &InliningPlan) -> Surroundings {
        let mut callees = BTreeMap::new();
        let mut variables = BTreeMap::new();
        let mut arrays = BTreeMap::new();
        for instance in plan.instances() {
            variables.extend(self.variables_of(instance.function));
            arrays.extend(self.arrays_of(instance.function));
            for (callee, _) in instance.function.facts().callees() {
                callees.entry(callee).or_insert_with(|| self.call_target(callee));
            }
        }
        (callees, variables, arrays)
    }
}

/// Gives a counter to each function that optimized code calls anywhere, even if it is inlined
/// elsewhere: optimized code does not count.
fn count_calls_left(core: &Core, unit: &Unit) {
    for callee in unit.calls_left() {
        if matches!(unit.call_targets.get(&callee), Some(CallTarget::Slot { .. })) {
            core.count_entries(callee);
        }
    }
}
