//! Better code for what has become hot, made on a compile thread while the program runs on.
//!
//! What the code is made of is looked up when the thread comes to it; whether that still holds, when it is put in its place.

use crate::event::{BodyName, Event, Tier};
use crate::failure::Failure;
use crate::jit::{Body, BodyFacts, Hot, Jit, Made, StubId};
use crate::policy;
use crate::program::Program;
use crate::shared::{Shared, provided_in, stub_of};
use kaleidoscope_ir::compile::{
    CallTarget, CodeGenerator, CodeKind, CompileError, InliningBudget, InliningPlan, Unit,
};
use kaleidoscope_ir::{FunctionId, Op};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Has better code made. Does not wait for it.
pub(crate) fn improve(shared: &Shared, hot: Hot) {
    let (Some(jit), Some(threads)) = (shared.jit(), &shared.compile_threads) else { return };
    let mut asked = Asked { jit, hot, is_answered: false };
    // Where there are no threads, the first code has to do.
    drop(threads.submit(move |generator| {
        let made = make(&asked.jit, &asked.hot, generator);
        asked.is_answered = true;
        finish(&asked.jit, &asked.hot, made);
    }));
}

/// Better code that was asked for. If nobody comes to make it, or a mistake ends who does, the first code has to do.
struct Asked {
    jit: Arc<Jit<Shared>>,
    hot: Hot,
    is_answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_answered {
            self.jit.gave_up(&self.hot);
        }
    }
}

/// Makes the code. `None` when there is nothing any more to be made better.
fn make(
    jit: &Jit<Shared>,
    hot: &Hot,
    generator: Result<&mut dyn CodeGenerator, CompileError>,
) -> Result<Option<Body>, Failure> {
    let shared = &jit.source;
    let root = &hot.heat.unit;
    let failed = |reason| Failure::Compile { body: BodyName::of(root), reason };
    let generator = generator.map_err(failed)?;
    shared.check_code()?;
    let planned = plan(&shared.program(), root, hot.part, policy::LIMITS);
    let Some(Carrying { unit, carries, inlined }) = planned else { return Ok(None) };
    let code = shared.charge(generator.generate(&unit).map_err(failed)?)?;
    count_left_out(jit, &unit);
    let facts = BodyFacts {
        function: root.id.map(stub_of),
        name: BodyName::of(root),
        made: Made::Compiled { tier: Tier::Optimized, part: hot.part, times: code.times, bytes: code.bytes },
        inlined,
    };
    Ok(Some(Body::new(facts, root.function.n_params, carries, code)))
}

/// Has those functions count that the code calls somewhere, even if it carries them elsewhere: it does not count.
pub(crate) fn count_left_out(jit: &Jit<Shared>, unit: &Unit) {
    let mut left_out = BTreeSet::new();
    for instance in unit.instances() {
        for op in &instance.function.ops {
            if let Op::Call { callee, .. } = *op
                && instance.inlined(callee).is_none()
                && matches!(unit.call_targets.get(&callee), Some(CallTarget::Slot { .. }))
            {
                left_out.insert(callee);
            }
        }
    }
    for callee in left_out {
        jit.have_counted(stub_of(callee));
    }
}

/// Puts the code in its place, or says why there is none. What observers do wrong is nobody's matter here: no evaluation
/// waits for it.
fn finish(jit: &Jit<Shared>, hot: &Hot, made: Result<Option<Body>, Failure>) {
    match made {
        Ok(Some(body)) => drop(jit.install_better(hot, Box::new(body))),
        Ok(None) => jit.came_to_nothing(hot),
        // It would fail again.
        Err(failure) => {
            jit.gave_up(hot);
            let body = BodyName::of(&hot.heat.unit);
            let (_, reason) = failure.describe();
            drop(jit.source.tell(|| Event::Failed { body, reason }));
        }
    }
}

/// What hot code is made of.
pub(crate) struct Carrying {
    pub(crate) unit: Unit,
    /// The functions that the code stands for, with their versions.
    pub(crate) carries: Box<[(StubId, u32)]>,
    pub(crate) inlined: Arc<[Arc<str>]>,
}

/// Chooses what the code carries. `None` if the function has been defined anew.
pub(crate) fn plan(
    program: &Program,
    root: &Arc<Unit>,
    part: CodeKind,
    limits: InliningBudget,
) -> Option<Carrying> {
    if root.id.is_some_and(|id| program.version(id) != root.version) {
        return None;
    }
    let plan = InliningPlan::new(root.id, Arc::clone(&root.function), limits, |id| {
        program.definition(id).map(|definition| Arc::clone(&definition.function))
    });
    let mut callees: BTreeMap<FunctionId, CallTarget> = BTreeMap::new();
    let mut variables = BTreeMap::new();
    for instance in plan.instances() {
        variables.extend(program.variables_of(instance.function));
        for op in &instance.function.ops {
            if let Op::Call { callee, .. } = *op {
                callees.entry(callee).or_insert_with(|| program.callee(callee));
            }
        }
    }
    // The function itself need not be named: its better code goes with its definition.
    let carried = plan.inlinees();
    let others = carried.iter().filter(|&&id| Some(id) != root.id);
    let versions = others.clone().filter_map(|&id| Some((stub_of(id), program.definition(id)?.version)));
    let carries = versions.chain(provided_in(&callees)).collect();
    let inlined = others.map(|&id| Arc::clone(&program.names.signature(id).name)).collect();
    let unit = Unit::new(Arc::clone(&root.function), root.id, root.version, callees, variables);
    let unit = Unit { kind: part, inlining: Some(plan), ..unit };
    Some(Carrying { unit, carries, inlined })
}
