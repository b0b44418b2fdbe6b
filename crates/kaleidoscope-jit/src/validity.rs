//! Validity: whether running code still computes what the program says, and where it can be left.
//!
//! Code depends on the functions that it has inside (`dependents.rs`). Redefining one of them takes
//! the code out of slots and OSR cells, and sets its validity flag. Code that is running checks the
//! flag behind calls and in loops, and leaves at an exit (`deoptimize.rs`).

use crate::event::CodeName;
use kaleidoscope_ir::compile::{CodeKind, Exit, Unit};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_native::ValidityFlag;
use std::fmt;
use std::sync::Arc;

/// A function that compiled code has inside, and the version it has of it.
pub(crate) type Dependency = (FunctionId, u32);

/// The validity flag of code that is about to be compiled, and the code's number.
pub(crate) struct NewFlag {
    pub(crate) flag: ValidityFlag,
    pub(crate) code_number: u32,
}

/// What the engine knows of code that can become invalid while it runs.
pub(crate) struct Validity {
    flag: ValidityFlag,
    /// The number by which the code identifies itself at an exit.
    pub(crate) code_number: u32,
    pub(crate) code: CodeName,
    pub(crate) kind: CodeKind,
    /// Whether the code may continue in other code when it is left.
    pub(crate) continues_elsewhere: bool,
    /// The number of results that the exit function leaves in the exit buffer.
    pub(crate) n_results_of_exit: usize,
    exits: Vec<Exit>,
    /// The function of each instance.
    functions: Vec<FunctionVersion>,
}

/// One version of a function, or an expression.
#[derive(Clone, Debug)]
pub(crate) struct FunctionVersion {
    pub(crate) ir: Arc<Function>,
    /// `None` for a top-level expression.
    pub(crate) id: Option<FunctionId>,
    pub(crate) version: u32,
}

impl NewFlag {
    /// The validity of the unit's code, which has these exits.
    pub(crate) fn of_code(self, unit: &Unit, dependencies: &[Dependency], exits: Vec<Exit>) -> Arc<Validity> {
        let Self { flag, code_number } = self;
        let root = FunctionVersion { ir: Arc::clone(&unit.function), id: unit.id, version: unit.version };
        let inlinees = unit.inlining.iter().flat_map(|plan| plan.functions().into_iter().skip(1));
        let inlinees = inlinees.map(|(id, ir)| {
            let dependency = dependencies.iter().find(|(function, _)| Some(*function) == id);
            let &(function, version) = dependency.expect("code depends on what it inlined");
            FunctionVersion { ir: Arc::clone(ir), id: Some(function), version }
        });
        let functions = std::iter::once(root).chain(inlinees).collect();
        Arc::new(Validity {
            flag,
            code_number,
            code: CodeName::of(unit),
            kind: unit.kind,
            continues_elsewhere: unit.continues_elsewhere(),
            n_results_of_exit: unit.n_results_of_exit(),
            exits,
            functions,
        })
    }
}

impl Validity {
    /// The code is invalid from now on.
    pub(crate) fn invalidate(&self) {
        self.flag.set();
    }

    /// Whether the code is still valid.
    pub(crate) fn is_valid(&self) -> bool {
        !self.flag.is_set()
    }

    /// The exit of this number.
    pub(crate) fn exit(&self, number: usize) -> &Exit {
        &self.exits[number]
    }

    /// The names of the functions that are active at an exit, innermost first.
    pub(crate) fn names_at(&self, exit: usize) -> Vec<Arc<str>> {
        let frames = self.exit(exit).frames.iter().rev();
        frames.map(|frame| Arc::clone(&self.function(frame.instance).ir.name)).collect()
    }

    /// The function of an instance.
    pub(crate) fn function(&self, instance: usize) -> &FunctionVersion {
        &self.functions[instance]
    }
}

impl fmt::Debug for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validity")
            .field("code", &self.code)
            .field("kind", &self.kind)
            .field("is_valid", &self.is_valid())
            .finish_non_exhaustive()
    }
}
