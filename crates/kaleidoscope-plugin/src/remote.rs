//! The program's side: a code generator that forwards every request.

use crate::interface::{Buffer, Bytes, Interface};
use crate::message::{self, Answer, Request, Result};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{
    BuildRequest, Code, CodeGenerator, CompileError, Identity, Listing, RelocatableCode, Settings, Unit,
};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::NonNull;

/// A code generator on the other side. The raw pointer makes it neither `Send` nor `Sync`.
pub(crate) struct Remote {
    interface: &'static Interface,
    generator: NonNull<c_void>,
}

impl Remote {
    /// Starts a code generator.
    ///
    /// # Safety
    /// The interface keeps its promises, and its code generators those of [`CodeGenerator`].
    pub(crate) unsafe fn start(interface: &'static Interface, settings: &Settings) -> Result<Self> {
        let settings = message::write(settings);
        let mut generator = std::ptr::null_mut();
        let started = answer(interface, |answer| {
            // SAFETY: the bytes live until the call returns, and the answer can be written.
            generator = unsafe { (interface.start)(Bytes::of(&settings), answer) };
        });
        started.and_then(|()| match NonNull::new(generator) {
            Some(generator) => Ok(Self { interface, generator }),
            None => Err(CompileError::Failed(
                "the plug-in gives no code generator, and does not say why".to_owned(),
            )),
        })
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Answer> {
        let request = message::write(request);
        answer(self.interface, |answer| {
            // SAFETY: the generator was started on this thread and is not stopped. The bytes live
            // until the call returns, and the answer can be written.
            unsafe { (self.interface.request)(self.generator.as_ptr(), Bytes::of(&request), answer) };
        })
    }

    fn code(&mut self, request: &Request<'_>) -> Result<Code> {
        match self.request(request)? {
            Answer::Code { address, bytes, times, exits, debug_object, keep } => {
                let handle = std::ptr::with_exposed_provenance_mut(keep);
                let keep = Box::new(RemoteCode { interface: self.interface, handle });
                Ok(Code { address, bytes, times, exits, debug_object, keep })
            }
            _ => Err(wrong_answer()),
        }
    }
}

// SAFETY: a code generator on the other side, which keeps the promises, makes the code. The handle
// keeps the code.
unsafe impl CodeGenerator for Remote {
    fn generate(&mut self, unit: &Unit) -> Result<Code> {
        self.code(&Request::Generate(Cow::Borrowed(unit)))
    }

    fn identity(&mut self) -> Result<Identity> {
        match self.request(&Request::Identity)? {
            Answer::Identity(identity) => Ok(identity),
            _ => Err(wrong_answer()),
        }
    }

    fn compile_object(&mut self, unit: &Unit) -> Result<RelocatableCode> {
        match self.request(&Request::CompileObject(Cow::Borrowed(unit)))? {
            Answer::Object(code) => Ok(code),
            _ => Err(wrong_answer()),
        }
    }

    unsafe fn link_object(&mut self, unit: &Unit, code: RelocatableCode) -> Result<Code> {
        self.code(&Request::LinkObject(Cow::Borrowed(unit), code))
    }

    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String> {
        match self.request(&Request::List(Cow::Borrowed(unit), listing, Cow::Borrowed(names)))? {
            Answer::Text(text) => Ok(text),
            _ => Err(wrong_answer()),
        }
    }

    fn build(&mut self, request: &BuildRequest) -> Result<Vec<Vec<u8>>> {
        match self.request(&Request::Build(Cow::Borrowed(request)))? {
            Answer::Files(files) => Ok(files),
            _ => Err(wrong_answer()),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // SAFETY: started on this thread, and stopped once.
        unsafe { (self.interface.stop)(self.generator.as_ptr()) };
    }
}

/// Code of the other side. Dropping it frees the code.
struct RemoteCode {
    interface: &'static Interface,
    handle: *mut c_void,
}

// SAFETY: the handle is that of a `Code::keep`, which is `Send`.
unsafe impl Send for RemoteCode {}

impl Drop for RemoteCode {
    fn drop(&mut self) {
        // SAFETY: the handle came with code, and is freed once.
        unsafe { (self.interface.free_code)(self.handle) };
    }
}

/// Lets the other side write an answer, and decodes it.
fn answer<T: DeserializeOwned>(interface: &Interface, ask: impl FnOnce(*mut Buffer)) -> Result<T> {
    let mut buffer = Buffer::empty();
    ask(&raw mut buffer);
    // SAFETY: this side owns the buffer until it frees it below.
    let result = message::read(unsafe { buffer.bytes().as_slice() });
    // SAFETY: the buffer came from the other side, and is not used afterwards.
    unsafe { (interface.free_buffer)(buffer) };
    result?
}

fn wrong_answer() -> CompileError {
    CompileError::Failed("the plug-in answers something else than what it was asked".to_owned())
}
