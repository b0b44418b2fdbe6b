//! Errors of LLVM as those of a code generator.

use kaleidoscope_ir::compile::CompileError;

/// The error and what caused it, in one line.
pub(crate) fn describe(error: &llvm_orc::Error) -> CompileError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    CompileError::Failed(text)
}
