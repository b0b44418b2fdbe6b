//! What the engine asks the language that embeds it.

use crate::trap::HostError;
use kaleidoscope_ir::FunctionId;

/// The embedding language, as far as the engine needs it: an explanation for calls that cannot be
/// made.
///
/// Everything else goes the other way: the language hands definitions, host functions and observers
/// to the engine.
pub trait Embedder: Send + Sync {
    /// Why the function cannot be called: a sentence for people. The engine asks when a call
    /// reached a function without a definition, on the calling thread and with no lock held.
    fn unavailable(&self, function: FunctionId) -> HostError;
}

/// The embedder of engines that have none.
#[derive(Debug)]
pub(crate) struct NoEmbedder;

impl Embedder for NoEmbedder {
    fn unavailable(&self, function: FunctionId) -> HostError {
        format!("function {} is not defined", function.index()).into()
    }
}
