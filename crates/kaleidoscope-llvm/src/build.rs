//! Builds: a whole program as one LLVM module, compiled ahead of time.
//!
//! Each function is lowered as optimized code is while a program runs, with the same inlining and
//! passes. Calls name the callee itself where the program never changes it, so nothing is
//! invalidated. What is too large for all of LLVM's passes is compiled without them.

mod module;

use crate::error::describe;
use crate::pipeline::{build_pipeline, code_generation};
use crate::{Effort, effort};
use kaleidoscope_ir::compile::{
    BuildFile, BuildMachine, BuildRequest, CallTarget, CompileError, InliningBudget, InliningPlan,
    LinkedCallee, LinkedFunction, LinkedProgram, LinkedTarget, Optimization, Unit,
};
use kaleidoscope_ir::{Function, FunctionId};
use llvm_orc::{Compiler, OutputFile, Passes, Target};
use module::{Linking, module_of};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiles a program ahead of time. Returns the files that the request lists, in its order.
///
/// # Errors
/// [`CompileError::UnknownMachine`] if LLVM does not know the machine. Or a function is too large.
pub fn build(request: &BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
    let BuildRequest { program, machine, optimization, files } = request;
    let units = program.functions.iter().map(|function| unit_of(program, function, *optimization));
    let units = units.collect::<Result<Vec<_>, _>>()?;
    let builder = Compiler::builder().target(target_of(machine)?).opt_level(code_generation(*optimization));
    let mut compiler = builder.build().map_err(|error| describe(&error))?;
    let passes = Passes::functions(build_pipeline(*optimization));
    let files: Vec<_> = files.iter().map(|&file| output_of(file)).collect();
    let linking = match compiler.target().triple().starts_with("wasm") {
        true => Linking::WebAssembly,
        false => Linking::Elf,
    };
    let files = compiler.files_with(&passes, &files, |cx| module_of(cx, program, &units, linking));
    files.map_err(|error| describe(&error))
}

/// A function with what is inlined into it.
struct BuildUnit {
    unit: Unit,
    /// Whether LLVM's passes run on it.
    is_optimized: bool,
}

/// Plans as much inlining as the level and the size of the function allow.
fn unit_of(
    program: &LinkedProgram,
    function: &LinkedFunction,
    optimization: Optimization,
) -> Result<BuildUnit, CompileError> {
    let mut budget = budget_of(optimization);
    while let Some(some) = budget {
        let unit = planned(program, function, Some(some));
        if effort(&unit) == Effort::Full {
            return Ok(BuildUnit { unit, is_optimized: true });
        }
        budget = some.less().filter(|_| function.function.ops.len() <= MOST_OPS_TO_RETRY);
    }
    let unit = planned(program, function, None);
    match effort(&unit) {
        Effort::Full => Ok(BuildUnit { unit, is_optimized: optimization != Optimization::None }),
        Effort::Quick => Ok(BuildUnit { unit, is_optimized: false }),
        Effort::Refuse => {
            // No program can write the name of an expression.
            let name = &function.function.name;
            let what = if name.starts_with('$') { "an expression".to_owned() } else { format!("`{name}`") };
            Err(CompileError::Failed(format!("{what} cannot be compiled: {}", CompileError::TooLarge)))
        }
    }
}

/// The most operations of a function for which less inlining is tried. LLVM's passes run on no
/// larger function, whatever is inlined.
const MOST_OPS_TO_RETRY: usize = 20_000;

/// How much is inlined. The engine's optimized code has the same budget.
const INLINING: InliningBudget = InliningBudget {
    callee_ops: 100,
    copied_ops: 1_000,
    recursion: 3,
    small_ops: 16,
    copied_small_ops: 10_000,
};

/// `None` if nothing is inlined, so that each function of the text is a function of the code.
fn budget_of(optimization: Optimization) -> Option<InliningBudget> {
    match optimization {
        Optimization::None => None,
        Optimization::Less => Some(InliningBudget { callee_ops: 0, copied_ops: 0, recursion: 0, ..INLINING }),
        Optimization::Default | Optimization::Aggressive => Some(INLINING),
    }
}

fn planned(program: &LinkedProgram, root: &LinkedFunction, budget: Option<InliningBudget>) -> Unit {
    let LinkedFunction { function, id, version, .. } = root;
    let plan = budget.map(|budget| {
        let ops = 0..function.ops.len();
        InliningPlan::new(*id, Arc::clone(function), ops, budget, |callee| definition(program, callee))
    });
    let mut targets = BTreeMap::new();
    let mut add_targets = |function: &Function| {
        for callee in function.callees_in_order() {
            targets.entry(callee).or_insert_with(|| target_of_call(program, callee));
        }
    };
    match &plan {
        Some(plan) => plan.instances().iter().for_each(|instance| add_targets(instance.function)),
        None => add_targets(function),
    }
    let unit = Unit::new(Arc::clone(function), *id, *version, targets, BTreeMap::new());
    Unit { inlining: plan, ..unit }
}

/// The definition of a function that is never redefined.
fn definition(program: &LinkedProgram, callee: FunctionId) -> Option<Arc<Function>> {
    match program.callees.get(&callee)? {
        LinkedCallee::Direct(LinkedTarget::Function(index)) => {
            Some(Arc::clone(&program.functions[*index].function))
        }
        _ => None,
    }
}

/// Lowering finds all but maths functions by their ids.
fn target_of_call(program: &LinkedProgram, callee: FunctionId) -> CallTarget {
    match program.callees.get(&callee) {
        Some(LinkedCallee::Direct(LinkedTarget::Maths(function))) => {
            CallTarget::Maths { function: *function, slot: 0 }
        }
        _ => CallTarget::Slot { address: 0 },
    }
}

fn target_of(machine: &BuildMachine) -> Result<Target, CompileError> {
    let BuildMachine { triple, cpu, features } = machine;
    let find = || match (triple.as_deref(), cpu.as_deref()) {
        (None, Some("native")) => Target::host(),
        (None, None) => Target::any_host(),
        (None, Some(cpu)) => Target::any_host()?.with_cpu(cpu),
        (Some(triple), None) => Target::of_triple(triple),
        (Some(triple), Some(cpu)) => Target::of_triple(triple)?.with_cpu(cpu),
    };
    let add_features = |target: Target| match features.as_str() {
        "" => Ok(target),
        features => {
            let known = target.features().to_owned();
            target.with_features(&format!("{known},{features}"))
        }
    };
    let target = find().and_then(add_features).map_err(|error| describe(&error))?;
    target.check().map_err(|error| CompileError::UnknownMachine(error.to_string()))?;
    Ok(target)
}

fn output_of(file: BuildFile) -> OutputFile {
    match file {
        BuildFile::Object => OutputFile::Object,
        BuildFile::Assembly => OutputFile::Assembly,
        BuildFile::LlvmIr => OutputFile::Ir,
        BuildFile::LlvmBitcode => OutputFile::Bitcode,
    }
}
