//! Pass pipelines as values: which passes optimize a module.
//!
//! A pipeline contains a pointer to the function that creates its optimizer. Only the pipeline's
//! constructor names that function. Therefore a program that never calls [`Passes::text`] does not
//! refer to LLVM's `PassBuilder`, which refers to every pass of LLVM, and the linker omits them
//! all.

use std::borrow::Cow;
use std::fmt;

#[cfg(not(feature = "shim"))]
use super::c_api as backend;
use super::function_pass::FunctionPass;
use super::optimize::Optimize;
#[cfg(feature = "shim")]
use super::shim as backend;
use crate::error::Error;
use crate::target_machine::TargetMachine;

/// Creates the optimizer for a pipeline. The machine must outlive the optimizer.
type CreateOptimizer = fn(&TargetMachine, &Passes) -> Result<Box<dyn Optimize>, Error>;

/// Passes that optimize a module.
///
/// In a program with link-time optimization, the choice of constructor decides what is linked:
/// [`Passes::text`] links all passes of LLVM, [`Passes::functions`] those of [`FunctionPass`], and
/// [`Passes::none`] nothing. The README has the difference in size and startup time. Without the
/// feature `shim`, both `text` and `functions` link all passes.
#[derive(Clone, Default)]
pub struct Passes {
    /// The pipeline's text, if created by `text`.
    text: Box<str>,
    /// The pipeline's passes, if created by `functions`. One of the two fields is empty.
    functions: Box<[FunctionPass]>,
    /// Creates the optimizer. `None` if there are no passes.
    create_optimizer: Option<CreateOptimizer>,
}

impl Passes {
    /// No passes: the code generator gets the module unchanged.
    #[must_use]
    pub fn none() -> Passes {
        Passes::default()
    }

    /// A pipeline in the syntax of `opt -passes=…`, such as `default<O2>`. The empty text means no
    /// passes.
    ///
    /// The text is parsed at first use.
    #[must_use]
    pub fn text(pipeline: &str) -> Passes {
        if pipeline.is_empty() {
            return Passes::none();
        }
        Passes {
            text: pipeline.into(),
            functions: Box::default(),
            create_optimizer: Some(|machine, passes| backend::text_optimizer(machine, &passes.text)),
        }
    }

    /// A list of function passes, run in this order. The empty list equals [`Passes::none`].
    ///
    /// The generated code is the same as with the same passes as text.
    #[must_use]
    pub fn functions(passes: &[FunctionPass]) -> Passes {
        if passes.is_empty() {
            return Passes::none();
        }
        Passes {
            text: Box::default(),
            functions: passes.into(),
            create_optimizer: Some(|machine, passes| backend::function_optimizer(machine, &passes.functions)),
        }
    }

    /// The pipeline in the syntax of `opt -passes=…`. Empty if there are no passes.
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        match &*self.functions {
            [] => Cow::Borrowed(&self.text),
            passes => Cow::Owned(FunctionPass::list_as_text(passes)),
        }
    }

    /// Creates the optimizer, which the machine must outlive. `None` if there are no passes.
    pub(super) fn create_optimizer(
        &self,
        machine: &TargetMachine,
    ) -> Option<Result<Box<dyn Optimize>, Error>> {
        self.create_optimizer.map(|create| create(machine, self))
    }
}

/// Equal pipelines have the same passes and the same constructor.
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
