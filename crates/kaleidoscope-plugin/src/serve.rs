//! The shared object's side: handles requests with the backend's code generator.

use crate::interface::{Buffer, Bytes, Interface, VERSION};
use crate::message::{self, Answer, Request, Result};
use kaleidoscope_ir::compile::{Backend, Code, CodeGenerator, CompileError};
use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// The target of a generator's pointer.
type Generator = Box<dyn CodeGenerator>;

/// The target of a code's handle.
type Keep = Box<dyn Any + Send>;

/// The interface of a shared object with this backend. The object exports it as a static:
///
/// ```
/// use kaleidoscope_plugin::{Interface, interface};
/// # use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Settings};
/// # #[derive(Debug, Default)]
/// # struct MyBackend;
/// # impl Backend for MyBackend {
/// #     fn start(&self, _: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
/// #         Err(CompileError::Failed("none here".to_owned()))
/// #     }
/// # }
///
/// #[unsafe(no_mangle)]
/// pub static KALEIDOSCOPE_CODE_GENERATOR: Interface = interface::<MyBackend>();
/// ```
pub const fn interface<B: Backend + Default>() -> Interface {
    Interface { version: VERSION, start: start::<B>, request, stop, free_code, free_buffer }
}

unsafe extern "C" fn start<B: Backend + Default>(settings: Bytes, answer: *mut Buffer) -> *mut c_void {
    // SAFETY: the bytes are borrowed for the duration of this call.
    let settings = unsafe { settings.as_slice() };
    let started = guarded(|| B::default().start(&message::read(settings)?));
    let (generator, result) = match started {
        Ok(generator) => (Box::into_raw(Box::<Generator>::new(generator)).cast(), Ok(())),
        Err(reason) => (ptr::null_mut(), Err(reason)),
    };
    // SAFETY: the caller says that the answer can be written.
    unsafe { put(&result, answer) };
    generator
}

unsafe extern "C" fn request(generator: *mut c_void, request: Bytes, answer: *mut Buffer) {
    // SAFETY: a pointer of `start`, used on one thread and not stopped.
    let generator = unsafe { &mut *generator.cast::<Generator>() };
    // SAFETY: the bytes are borrowed for the duration of this call.
    let request = unsafe { request.as_slice() };
    let result = guarded(|| serve(&mut **generator, message::read(request)?));
    // SAFETY: the caller says that the answer can be written.
    unsafe { put(&result, answer) };
}

unsafe extern "C" fn stop(generator: *mut c_void) {
    // SAFETY: a pointer of `start`, not used afterwards.
    let generator = unsafe { Box::from_raw(generator.cast::<Generator>()) };
    drop(guarded(|| {
        drop(generator);
        Ok(())
    }));
}

unsafe extern "C" fn free_code(handle: *mut c_void) {
    // SAFETY: a handle of `serve`, freed once.
    let keep = unsafe { Box::from_raw(handle.cast::<Keep>()) };
    drop(guarded(|| {
        drop(keep);
        Ok(())
    }));
}

unsafe extern "C" fn free_buffer(buffer: Buffer) {
    // SAFETY: a buffer of `put`, freed once.
    drop(unsafe { buffer.into_vec() });
}

/// Handles a request.
fn serve(generator: &mut dyn CodeGenerator, request: Request<'_>) -> Result<Answer> {
    match request {
        Request::Generate(unit) => generator.generate(&unit).map(into_answer),
        Request::Identity => generator.identity().map(Answer::Identity),
        Request::CompileObject(unit) => generator.compile_object(&unit).map(Answer::Object),
        Request::LinkObject(unit, code) => {
            // SAFETY: the caller of the program's `link_object` says so.
            unsafe { generator.link_object(&unit, code) }.map(into_answer)
        }
        Request::List(unit, listing, names) => generator.list(&unit, listing, &names).map(Answer::Text),
        Request::Build(request) => generator.build(&request).map(Answer::Files),
    }
}

fn into_answer(code: Code) -> Answer {
    let Code { address, bytes, times, exits, debug_object, keep } = code;
    let keep = Box::into_raw(Box::<Keep>::new(keep)).expose_provenance();
    Answer::Code { address, bytes, times, exits, debug_object, keep }
}

/// Encodes an answer for the caller.
///
/// # Safety
/// `answer` can be written to.
unsafe fn put(result: &Result<impl serde::Serialize>, answer: *mut Buffer) {
    let buffer = Buffer::of(message::write(result));
    // SAFETY: the caller says so.
    unsafe { answer.write(buffer) };
}

/// Turns a panic into an error: no panic leaves this side.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = format!("the code generator panicked: {}", text.unwrap_or("no text"));
        // The destructor of the payload may panic, and that of the payload of that panic.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(second);
        }
        Err(CompileError::Failed(text))
    })
}

#[cfg(test)]
mod tests;
