//! Messages between the two sides, and their encoding as bytes.

use crate::interface::VERSION;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{
    BuildRequest, CompileError, CompileTimes, Exit, Identity, Listing, RelocatableCode, Unit,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A request to a code generator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<'a> {
    Generate(Cow<'a, Unit>),
    List(Cow<'a, Unit>, Listing, Cow<'a, BTreeMap<FunctionId, String>>),
    Build(Cow<'a, BuildRequest>),
    Identity,
    CompileObject(Cow<'a, Unit>),
    LinkObject(Cow<'a, Unit>, RelocatableCode),
}

/// The answer to a request.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Code. `keep` is the handle that frees it.
    Code {
        address: usize,
        bytes: usize,
        times: CompileTimes,
        exits: Vec<Exit>,
        debug_object: Option<Vec<u8>>,
        keep: usize,
    },
    Text(String),
    Files(Vec<Vec<u8>>),
    Identity(Identity),
    Object(RelocatableCode),
}

/// An answer, or the reason why there is none.
pub(crate) type Result<T> = std::result::Result<T, CompileError>;

/// Encodes a message.
pub(crate) fn write(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("messages have only types that can be written")
}

/// Decodes a message.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| {
        CompileError::Failed(format!(
            "a message between program and plug-in (version {VERSION}) is garbled: {error}"
        ))
    })
}

#[cfg(test)]
mod tests;
