//! The optimization passes that pay for the module of one unit.
//!
//! Such a module has one function with everything inlined, so passes over modules and call graphs
//! find nothing. It is in SSA form without memory, so neither do passes over loads and stores.
//! Measured over recursive, looping and branching programs, code of this pipeline is as fast as
//! that of `default<O3>`, in a tenth of its compile time. Code generation takes nine tenths of the
//! rest.
//!
//! - `early-cse` eliminates common subexpressions, `instcombine` simplifies conditions, `licm`
//!   hoists loop-invariant code, which matters most for calls of maths functions.
//! - `simplifycfg` is left out on purpose: it turns small branches into selects, which compute both
//!   sides. That cost Collatz's sequence 60 %.
//! - Optimized code has two more. `loop-rotate` makes loops test last; most of them are tail calls.
//!   It saves a quarter of the time of Takeuchi's function. `loop-unroll-full` unrolls loops of few
//!   iterations, which saves a twentieth of a Runge-Kutta step.
//! - `gvn`, unswitching, unrolling of other loops and the vectorizers found nothing: floating point
//!   operations may not be reassociated.
//! - Kernels differ: rows are independent, so vectorizing them reassociates nothing.

use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::{CodeKind, Optimization, Unit};
use llvm_orc::{FunctionPass, OptLevel};

/// The passes for a unit, in the order in which they run.
///
/// `optimization` is the level of standalone code. Optimized code and kernels have pipelines of
/// their own.
pub fn pipeline(unit: &Unit, optimization: Optimization) -> &'static [FunctionPass] {
    match (unit.kind, &unit.inlining) {
        (CodeKind::Kernel(..), _) => KERNEL,
        (CodeKind::Osr(_), _) | (CodeKind::Function, Some(_)) => OPTIMIZED,
        (CodeKind::Function, None) => standalone(&unit.function, optimization),
    }
}

/// The passes for the module of a program that is compiled ahead of time.
pub(crate) fn build_pipeline(optimization: Optimization) -> &'static [FunctionPass] {
    match optimization {
        Optimization::None => &[],
        Optimization::Less => STANDALONE,
        Optimization::Default | Optimization::Aggressive => OPTIMIZED,
    }
}

/// The levels above `None` differ only in the effort of LLVM's code generator. A function without
/// branches is one basic block and needs no passes: instruction selection eliminates its common
/// subexpressions.
fn standalone(function: &Function, optimization: Optimization) -> &'static [FunctionPass] {
    match optimization {
        Optimization::None => &[],
        Optimization::Less | Optimization::Default | Optimization::Aggressive => {
            if function.facts().counts.has_branches() { STANDALONE } else { &[] }
        }
    }
}

const STANDALONE: &[FunctionPass] = &[FunctionPass::EarlyCse, FunctionPass::InstCombine, FunctionPass::Licm];

const OPTIMIZED: &[FunctionPass] = &[
    FunctionPass::EarlyCse,
    FunctionPass::InstCombine,
    FunctionPass::LoopRotate,
    FunctionPass::Licm,
    FunctionPass::LoopUnrollFull,
];

/// The passes of optimized code, then the vectorizers and their cleanup.
const KERNEL: &[FunctionPass] = &[
    FunctionPass::EarlyCse,
    FunctionPass::InstCombine,
    FunctionPass::LoopRotate,
    FunctionPass::Licm,
    FunctionPass::LoopUnrollFull,
    FunctionPass::LoopVectorize,
    FunctionPass::SlpVectorizer,
    FunctionPass::EarlyCse,
    FunctionPass::InstCombine,
];

/// The effort of LLVM's code generator.
pub(crate) fn code_generation(optimization: Optimization) -> OptLevel {
    match optimization {
        Optimization::None => OptLevel::None,
        Optimization::Less => OptLevel::Less,
        Optimization::Default => OptLevel::Default,
        Optimization::Aggressive => OptLevel::Aggressive,
    }
}
