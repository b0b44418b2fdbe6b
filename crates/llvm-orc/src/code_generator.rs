//! Code generators besides LLVM's: a module or other input in, an object out.

use crate::error::Error;
use crate::object::Object;

/// Turns input into an object: a compiler that is not LLVM's code generator.
///
/// With an inkwell module as the input, it replaces LLVM's code generator in a session
/// ([`JitBuilder::code_generator`](crate::JitBuilder::code_generator)). With any other input, such
/// as bytes or a syntax tree, it compiles functions when they are first looked up
/// ([`Dylib::generate_lazily`](crate::Dylib::generate_lazily)).
///
/// Closures implement this trait. Several threads may call `generate` at the same time.
pub trait CodeGenerator<Input: ?Sized>: Send + Sync + 'static {
    /// Generates the object, which must define the symbols that it was asked for.
    ///
    /// # Errors
    /// An error fails the symbols, and is the source of the error of the look-up.
    fn generate(&self, input: &Input) -> Result<Object, Error>;
}

impl<Input: ?Sized, F> CodeGenerator<Input> for F
where
    F: Fn(&Input) -> Result<Object, Error> + Send + Sync + 'static,
{
    fn generate(&self, input: &Input) -> Result<Object, Error> {
        self(input)
    }
}
