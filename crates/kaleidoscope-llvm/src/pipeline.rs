//! The optimisation passes that pay for a module with one function in it.
//!
//! Nothing in such a module can be inlined, removed or specialised, so passes over modules and call graphs buy nothing;
//! and it comes in SSA form, without memory, so neither do those that look for loads and stores. Measured over
//! recursive, looping and branching programs, code of this pipeline is as fast as that of `default<O3>`, in a tenth of
//! its time; code generation takes nine tenths of the whole.
//!
//! - `early-cse` removes what is computed twice, `instcombine` simplifies conditions, `licm` moves what does not change
//!   out of loops, which counts most where that is a call of a maths function.
//! - `simplifycfg` is left out on purpose: it turns small branches into selects, and then both sides are always
//!   computed; that cost Collatz's sequence 60 %.
//! - Hot code has two more. `loop-rotate` makes loops, of which tail calls are most, test last: a quarter of the time of
//!   Takeuchi's function. `loop-unroll-full` copies the body of a loop of few turns: a twentieth of a Runge-Kutta step.
//! - `gvn`, unswitching, unrolling of other loops and the vectorisers found nothing: floating point may not be
//!   reassociated.
//! - Rows are another matter: no row depends on another, so that the vectorisers reassociate nothing.

use kaleidoscope_ir::{Function, Op};

/// How much time compiling may take for how fast code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// `-O0`
    None,
    /// `-O1`
    Less,
    /// `-O2`
    Default,
    /// `-O3`
    Aggressive,
}

/// One pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// What is computed twice is computed once.
    EarlyCse,
    /// Conditions become simpler.
    InstCombine,
    /// What does not change in a loop moves out of it.
    Licm,
    /// A loop that tests first tests last.
    LoopRotate,
    /// A loop of few turns becomes as many copies of its body.
    LoopUnrollFull,
    /// Several turns of a loop become one of vectors.
    LoopVectorize,
    /// The same operation on several values becomes one on a vector.
    SlpVectorizer,
}

impl Pass {
    /// The pass in the language of LLVM's `opt -passes=…`, as a pass over functions.
    pub fn as_text(self) -> &'static str {
        match self {
            Pass::EarlyCse => "early-cse",
            // Without its option it may end the process when it has not finished after one round.
            Pass::InstCombine => "instcombine<no-verify-fixpoint>",
            Pass::Licm => "loop-mssa(licm)",
            Pass::LoopRotate => "loop(loop-rotate)",
            Pass::LoopUnrollFull => "loop(loop-unroll-full)",
            Pass::LoopVectorize => "loop-vectorize",
            Pass::SlpVectorizer => "slp-vectorizer",
        }
    }
}

/// The passes for a function at a level, in the order in which they run; empty where none should.
///
/// The levels above `None` differ only in how hard the code generator tries. A function without branches needs no
/// passes: it is one block, in which selecting instructions finds what is computed twice by itself.
pub fn pipeline(level: OptLevel, function: &Function) -> &'static [Pass] {
    let has_branches = function.ops.iter().any(|op| matches!(op, Op::If { .. } | Op::Loop | Op::TailCall));
    match level {
        OptLevel::Less | OptLevel::Default | OptLevel::Aggressive if has_branches => {
            &[Pass::EarlyCse, Pass::InstCombine, Pass::Licm]
        }
        _ => &[],
    }
}

/// The passes for hot code, in the order in which they run.
pub fn pipeline_hot() -> &'static [Pass] {
    &[Pass::EarlyCse, Pass::InstCombine, Pass::LoopRotate, Pass::Licm, Pass::LoopUnrollFull]
}

/// The passes for rows, in the order in which they run: those of hot code, then the vectorisers, and what tidies up behind them.
pub fn pipeline_rows() -> &'static [Pass] {
    &[
        Pass::EarlyCse,
        Pass::InstCombine,
        Pass::LoopRotate,
        Pass::Licm,
        Pass::LoopUnrollFull,
        Pass::LoopVectorize,
        Pass::SlpVectorizer,
        Pass::EarlyCse,
        Pass::InstCombine,
    ]
}
