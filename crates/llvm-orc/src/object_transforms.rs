//! What happens to an object between the compiler and the linker.

use std::ffi::c_void;
use std::ptr;

use llvm_sys::core::{LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart};
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcObjectTransformLayerSetTransform;
use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetObjTransformLayer, LLVMOrcOpaqueLLJIT};
use llvm_sys::prelude::LLVMMemoryBufferRef;

use crate::boundary;
use crate::dylib::copy_to_buffer;
use crate::error::{Error, ErrorKind};
use crate::object::Object;

pub(crate) type Transform = Box<dyn Fn(Object) -> Result<Object, Error> + Send + Sync>;

/// A session's transforms, in order.
#[derive(Default)]
pub(crate) struct ObjectTransforms(Vec<Transform>);

impl ObjectTransforms {
    pub(crate) fn add(&mut self, transform: Transform) {
        self.0.push(transform);
    }

    /// Has the session's object layer do this.
    ///
    /// # Safety
    /// The LLJIT is alive and not shared yet, and `place` outlives it.
    pub(crate) unsafe fn attach(place: &ObjectTransforms, lljit: *mut LLVMOrcOpaqueLLJIT) {
        // SAFETY: the caller's promise.
        let layer = unsafe { LLVMOrcLLJITGetObjTransformLayer(lljit) };
        let context = ptr::from_ref(place).cast_mut().cast();
        // SAFETY: the layer is alive and used by nobody else yet; `context` is what `transform` expects.
        unsafe { LLVMOrcObjectTransformLayerSetTransform(layer, transform, context) };
    }

    pub(crate) fn apply(&self, object: Object) -> Result<Object, Error> {
        self.0.iter().try_fold(object, |object, transform| transform(object))
    }
}

/// What LLVM calls with each object before it is linked.
extern "C" fn transform(context: *mut c_void, place: *mut LLVMMemoryBufferRef) -> LLVMErrorRef {
    // SAFETY: LLVM gives a place with a buffer in it.
    let buffer = unsafe { *place };
    let done = boundary::catch_panic_as_error(|| {
        let complaints = boundary::take_diagnostics();
        if !complaints.is_empty() {
            return Err(Error::new(ErrorKind::Codegen, complaints));
        }
        // SAFETY: the place that `attach` gave, which outlives the session by its caller's promise.
        let transforms = unsafe { &*context.cast::<ObjectTransforms>() };
        if transforms.0.is_empty() {
            return Ok(None);
        }
        // SAFETY: the buffer is alive and not changed meanwhile.
        let object = Object::trusted(unsafe { bytes(buffer) }.into());
        transforms.apply(object).map(Some)
    });
    match done {
        Ok(None) => ptr::null_mut(),
        Ok(Some(object)) => {
            // SAFETY: the buffer is ours to give back, in exchange for another.
            unsafe { LLVMDisposeMemoryBuffer(buffer) };
            // SAFETY: the place is LLVM's, for this.
            unsafe { *place = copy_to_buffer(object.bytes()) };
            ptr::null_mut()
        }
        Err(error) => {
            // SAFETY: a transform that fails has to dispose of the buffer.
            unsafe { LLVMDisposeMemoryBuffer(buffer) };
            // SAFETY: and has to say so.
            unsafe { *place = ptr::null_mut() };
            error.into_raw()
        }
    }
}

/// # Safety
/// The buffer is alive and not changed as long as the result.
unsafe fn bytes<'a>(buffer: LLVMMemoryBufferRef) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let start = unsafe { LLVMGetBufferStart(buffer) };
    // SAFETY: the caller's promise.
    let length = unsafe { LLVMGetBufferSize(buffer) };
    // SAFETY: the buffer has that many bytes, never null.
    unsafe { std::slice::from_raw_parts(start.cast(), length) }
}
