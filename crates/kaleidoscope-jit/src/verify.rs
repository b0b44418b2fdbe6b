//! Verification: IR is checked before code is generated from it.
//!
//! Generated code is memory-safe only if its IR keeps the promises of [`Function`], calls each
//! function with the number of arguments that it takes, and names only functions, host variables
//! and arrays of this engine. So everything that reaches a code generator is verified: the root of
//! each compilation, and each inlinee. The interpreter does not need that: it is safe code and
//! panics.

use crate::core::Core;
use crate::event::CodeName;
use crate::trap::Trap;
use kaleidoscope_ir::compile::CompileError;
use kaleidoscope_ir::{Function, Op, verify};
use std::sync::Arc;

/// An error about a function that cannot be called because it has several results.
pub(crate) fn several_results(function: &Function) -> CompileError {
    CompileError::Failed(format!("it has {} results, and a call has one", function.n_results))
}

/// The trap for IR that is refused.
pub(crate) fn refused(function: &Function, version: u32, reason: CompileError) -> Trap {
    Trap::Compile { code: CodeName { name: Arc::clone(&function.name), version }, reason }
}

impl Core {
    /// Checks everything that generated code relies on which is called.
    pub(crate) fn verify(&self, function: &Function) -> Result<(), CompileError> {
        self.verify_rows(function)?;
        if function.n_results == 1 { Ok(()) } else { Err(several_results(function)) }
    }

    /// Checks everything that kernels and column programs rely on: of a function with any number of
    /// results.
    pub(crate) fn verify_rows(&self, function: &Function) -> Result<(), CompileError> {
        let broken = |what: String| CompileError::Failed(format!("its IR breaks a promise: {what}"));
        verify::verify(function).map_err(|error| broken(error.to_string()))?;
        self.check_ids(function).map_err(broken)
    }

    /// As [`verify`](Self::verify), with the trap of a call that needs the code.
    pub(crate) fn verify_version(&self, function: &Function, version: u32) -> Result<(), Trap> {
        self.verify(function).map_err(|reason| refused(function, version, reason))
    }

    /// As [`verify_rows`](Self::verify_rows), with the trap of a batch that needs the code.
    pub(crate) fn verify_rows_version(&self, function: &Function, version: u32) -> Result<(), Trap> {
        self.verify_rows(function).map_err(|reason| refused(function, version, reason))
    }

    /// Checks that functions, host variables and arrays exist, and the number of arguments of each
    /// call.
    fn check_ids(&self, function: &Function) -> Result<(), String> {
        let table = self.table();
        for (at, op) in function.ops.iter().enumerate() {
            match *op {
                Op::Call { callee, n_args } => match table.arity(callee) {
                    Some(arity) if arity == n_args => {}
                    Some(arity) => {
                        let callee = callee.index();
                        return Err(format!(
                            "operation {at}: calls function {callee} with {n_args} arguments, it takes {arity}"
                        ));
                    }
                    None => {
                        let callee = callee.index();
                        return Err(format!(
                            "operation {at}: calls function {callee}, which is not declared"
                        ));
                    }
                },
                Op::GetHost(variable) | Op::SetHost(variable) => {
                    if variable.index() >= table.variables().len() {
                        let variable = variable.index();
                        return Err(format!(
                            "operation {at}: names host variable {variable}, which is not bound"
                        ));
                    }
                }
                Op::GetElement(array) | Op::SetElement(array) => {
                    if array.index() >= table.arrays().len() {
                        let array = array.index();
                        return Err(format!("operation {at}: names array {array}, which is not bound"));
                    }
                }
                Op::Number(_)
                | Op::Get(_)
                | Op::Set(_)
                | Op::Drop
                | Op::Arithmetic(_)
                | Op::Square
                | Op::TailCall
                | Op::If { .. }
                | Op::Else { .. }
                | Op::End
                | Op::Loop
                | Op::Next { .. } => {}
            }
        }
        Ok(())
    }
}
