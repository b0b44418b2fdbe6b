//! What the optimizing compiler makes without running it: listings, and programs built ahead of
//! time.

use super::Jit;
use crate::kernel::caller_of;
use crate::maths::{known_maths, load_maths};
use crate::table::StoredDefinition;
use kaleidoscope_ir::compile::{BuildRequest, CompileError, Listing};
use kaleidoscope_ir::{Function, FunctionId};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Jit {
    /// The optimizing compiler's IR or assembly of a defined function, as text, with `name_of` for
    /// the functions it calls. Nothing for a host function. It is not run.
    ///
    /// # Errors
    /// Why the function cannot be compiled.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn list(
        &self,
        function: FunctionId,
        listing: Listing,
        name_of: impl Fn(FunctionId) -> String,
    ) -> Result<Option<String>, CompileError> {
        let (ir, version) = {
            let table = self.core.table();
            let entry = table.entry(function);
            let ir = match &entry.definition {
                StoredDefinition::Ir(ir) => Arc::clone(ir),
                StoredDefinition::Maths(maths) => Arc::new(caller_of(function, *maths)),
                StoredDefinition::Host { .. } | StoredDefinition::Unavailable => return Ok(None),
            };
            (ir, entry.version())
        };
        self.list_unit(ir, Some(function), version, listing, name_of).map(Some)
    }

    /// The same for a top-level expression.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_expression(
        &self,
        expression: &Arc<Function>,
        listing: Listing,
        name_of: impl Fn(FunctionId) -> String,
    ) -> Result<String, CompileError> {
        self.list_unit(Arc::clone(expression), None, 1, listing, name_of)
    }

    /// Compiles a program ahead of time with the optimizing compiler. Returns the files that the
    /// request lists, in its order. What the engine has defined does not matter.
    ///
    /// # Errors
    /// Why there are none: for example, there is no optimizing compiler here.
    pub fn build(&self, request: BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
        let Some(queue) = &self.core.compile_queue else {
            let reason = "there is no optimizing compiler here to build programs with";
            return Err(CompileError::Failed(reason.to_owned()));
        };
        queue.run(move |generator| generator.build(&request))
    }

    fn list_unit(
        &self,
        ir: Arc<Function>,
        id: Option<FunctionId>,
        version: u32,
        listing: Listing,
        name_of: impl Fn(FunctionId) -> String,
    ) -> Result<String, CompileError> {
        self.core.verify(&ir)?;
        let Some(queue) = &self.core.compile_queue else {
            let reason = "there is no optimizing compiler here to list code of";
            return Err(CompileError::Failed(reason.to_owned()));
        };
        let mut unit = self.core.table().unit(ir, id, version);
        // Without the library nothing is compiled, but a listing is possible.
        if load_maths().is_ok() {
            unit.known_maths = known_maths(&unit);
        }
        let names: BTreeMap<_, _> = unit.call_targets.keys().map(|&id| (id, name_of(id))).collect();
        queue.run(move |generator| generator.list(&unit, listing, &names))
    }
}
