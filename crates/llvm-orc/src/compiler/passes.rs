//! Which passes optimise a module, as a value.
//!
//! A choice brings along, as a pointer to a function, how its optimiser is made, and its constructor is the only place
//! that names this function. So a program that never calls [`Passes::text`] refers to no part of LLVM's `PassBuilder`,
//! which refers to every pass there is, and a linker that drops what is not referred to leaves all of that out.

use std::borrow::Cow;
use std::fmt;

#[cfg(not(feature = "shim"))]
use super::c_api as backend;
use super::optimizers::CreateOptimizer;
#[cfg(feature = "shim")]
use super::shim as backend;

/// The passes that a module is optimised by.
///
/// What a program can choose is what it links, if it is built with link time optimisation: [`Passes::text`] brings
/// all of LLVM's passes, [`Passes::functions`] those of [`FunctionPass`], [`Passes::none`] nothing. The first are ten
/// megabytes of code more than the second, and a millisecond of static constructors and page faults at each start.
/// Without the feature `shim` both bring all.
#[derive(Clone, Default)]
pub struct Passes {
    /// The pipeline, if it was given as a text.
    text: Box<str>,
    /// The pipeline, if it was given as a list. One of the two is empty.
    functions: Box<[FunctionPass]>,
    /// Makes the optimiser; nothing if there are no passes.
    make: Option<CreateOptimizer>,
}

impl Passes {
    /// No passes: code is made of the module as it is.
    #[must_use]
    pub fn none() -> Passes {
        Passes::default()
    }

    /// A pipeline in the language of `opt -passes=…`, such as `default<O2>`. The empty text means no passes.
    ///
    /// Whether the text is a pipeline is found out when it is first used.
    #[must_use]
    pub fn text(pipeline: &str) -> Passes {
        if pipeline.is_empty() {
            return Passes::none();
        }
        Passes { text: pipeline.into(), functions: Box::default(), make: Some(backend::text_optimizer) }
    }

    /// These passes over functions, in this order. No pass at all is [`Passes::none`].
    ///
    /// The code is the same as that of the same passes as text.
    #[must_use]
    pub fn functions(passes: &[FunctionPass]) -> Passes {
        if passes.is_empty() {
            return Passes::none();
        }
        Passes { text: Box::default(), functions: passes.into(), make: Some(backend::function_optimizer) }
    }

    /// The pipeline in the language of `opt -passes=…`, empty if there are no passes.
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        if self.functions.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let names: Vec<_> = self.functions.iter().map(|pass| pass.as_text()).collect();
        Cow::Owned(format!("function({})", names.join(",")))
    }

    /// The passes one by one, if they were given so.
    #[cfg(feature = "shim")]
    pub(super) fn list(&self) -> &[FunctionPass] {
        &self.functions
    }

    /// What makes the optimiser; nothing if there are no passes.
    pub(super) fn create_optimizer(&self) -> Option<CreateOptimizer> {
        self.make
    }
}

/// The same passes, given in the same way.
impl PartialEq for Passes {
    fn eq(&self, other: &Passes) -> bool {
        self.text == other.text && self.functions == other.functions
    }
}

impl Eq for Passes {}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Passes").field(&self.as_text()).finish()
    }
}

/// A pass over functions that [`Passes::functions`] knows.
///
/// They are few because all of them are linked if one is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum FunctionPass {
    // The numbers are those of `Chosen` in shim/functions.cpp.
    /// `early-cse`: what is computed twice is computed once.
    EarlyCse = 0,
    /// `instcombine<no-verify-fixpoint>`: instructions become fewer and simpler. Without the option LLVM may end the
    /// process when it has not finished after one round.
    InstCombine = 1,
    /// `loop-mssa(licm)`: what does not change in a loop moves out of it.
    Licm = 2,
    /// `simplifycfg`: blocks become fewer, small branches become selects.
    SimplifyCfg = 3,
    /// `sroa`: variables on the stack become values.
    Sroa = 4,
    /// `loop(loop-rotate)`: a loop that tests first becomes one that tests last, behind a first test of its own.
    LoopRotate = 5,
    /// `loop(loop-unroll-full)`: a loop of few turns, whose number is known, becomes as many copies of its body.
    LoopUnrollFull = 6,
    /// `loop-vectorize`: several turns of a loop that do not depend on each other become one of vectors.
    LoopVectorize = 7,
    /// `slp-vectorizer`: the same operation on several values becomes one on a vector.
    SlpVectorizer = 8,
}

impl FunctionPass {
    /// All of them.
    pub const ALL: &[FunctionPass] = &[
        FunctionPass::EarlyCse,
        FunctionPass::InstCombine,
        FunctionPass::Licm,
        FunctionPass::SimplifyCfg,
        FunctionPass::Sroa,
        FunctionPass::LoopRotate,
        FunctionPass::LoopUnrollFull,
        FunctionPass::LoopVectorize,
        FunctionPass::SlpVectorizer,
    ];

    /// The pass of this name in the language of `opt -passes=…`, with just the options that it has there.
    #[must_use]
    pub fn named(text: &str) -> Option<FunctionPass> {
        FunctionPass::ALL.iter().copied().find(|pass| pass.as_text() == text)
    }

    /// The pass in the language of `opt -passes=…`.
    #[must_use]
    pub fn as_text(self) -> &'static str {
        match self {
            FunctionPass::EarlyCse => "early-cse",
            FunctionPass::InstCombine => "instcombine<no-verify-fixpoint>",
            FunctionPass::Licm => "loop-mssa(licm)",
            FunctionPass::SimplifyCfg => "simplifycfg",
            FunctionPass::Sroa => "sroa",
            FunctionPass::LoopRotate => "loop(loop-rotate)",
            FunctionPass::LoopUnrollFull => "loop(loop-unroll-full)",
            FunctionPass::LoopVectorize => "loop-vectorize",
            FunctionPass::SlpVectorizer => "slp-vectorizer",
        }
    }
}
