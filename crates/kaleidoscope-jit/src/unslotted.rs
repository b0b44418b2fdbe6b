//! Code without a slot: of a top-level expression, or of a version that was superseded while it
//! runs.
//!
//! Nothing finds such code in the table's entries. While it may run, the table knows what it
//! depends on, so a redefinition invalidates it like other code.

use crate::code::FunctionCode;
use crate::core::Core;
use crate::interrupt::Watch;
use crate::lazy::{Compilation, CompileReason};
use crate::maths::load_maths;
use crate::profile::ProfiledCode;
use crate::table::Dependent;
use crate::trap::Trap;
use crate::validity::FunctionVersion;
use std::mem;
use std::sync::Arc;

/// Compiled code without a slot. Freed when it is dropped.
pub(crate) struct UnslottedCode<'a> {
    core: &'a Core,
    /// `None` once it was freed.
    code: Option<ProfiledCode>,
}

impl<'a> UnslottedCode<'a> {
    /// Compiles this version of a function, or an expression.
    pub(crate) fn compile(
        core: &'a Core,
        function: &FunctionVersion,
        watch: &Watch<'_>,
    ) -> Result<Self, Trap> {
        let FunctionVersion { ir, id, version } = function;
        load_maths()?;
        core.verify_version(ir, *version)?;
        loop {
            let unit = core.table().unit_to_compile(Arc::clone(ir), *id, *version);
            // Nothing else can use the code, so it is dropped if it comes too late.
            let abandoned = |(), code| drop(code);
            let code = match core.compile_first(unit, CompileReason::Eager, watch, (), abandoned) {
                Compilation::Code((), code) => code,
                Compilation::Failed(trap) | Compilation::Abandoned(trap) => return Err(trap),
            };
            let mut table = core.table();
            // Otherwise something that it depends on was redefined meanwhile.
            if table.is_current(&code.code) {
                if let Some(validity) = &code.code.validity {
                    let number = validity.code_number;
                    table.unslotted.insert(number, Arc::clone(validity));
                    table.note_dependent(Dependent::Unslotted(number), &code.code.dependencies);
                }
                if let Some(profile) = &code.profile {
                    table.note_profile(profile);
                }
                drop(table);
                let compiled = Self { core, code: Some(code) };
                core.emit_compiled(&compiled.code().code.info)?;
                if let Some(profile) = &compiled.code().profile {
                    core.tier_up_known(profile)?;
                }
                return Ok(compiled);
            }
        }
    }

    /// The code.
    pub(crate) fn code(&self) -> &ProfiledCode {
        self.code.as_ref().expect("it was not freed")
    }

    /// The code, to be called before this is dropped.
    pub(crate) fn function(&self) -> FunctionCode {
        self.code().code.function()
    }

    /// Frees the code, which no thread is inside. Returns an error of an observer.
    pub(crate) fn free(mut self) -> Result<(), Trap> {
        self.free_now()
    }

    fn free_now(&mut self) -> Result<(), Trap> {
        let Some(code) = self.code.take() else { return Ok(()) };
        if !self.core.is_of_this_process() {
            // The host forked inside the call.
            mem::forget(code);
            return Ok(());
        }
        if let Some(validity) = &code.code.validity {
            let mut table = self.core.table();
            table.unslotted.remove(&validity.code_number);
            let dependent = Dependent::Unslotted(validity.code_number);
            table.forget_dependent(dependent, &code.code.dependencies);
        }
        // Nothing else knows the code's address.
        self.core.free(vec![code])
    }
}

impl Drop for UnslottedCode<'_> {
    fn drop(&mut self) {
        // Whoever drops it on an error has an error to report already.
        drop(self.free_now());
    }
}
