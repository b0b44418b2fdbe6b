//! Object transforms: closures that see, and may replace, each object before it is linked.

use std::ffi::c_void;
use std::ptr;

use llvm_sys::core::{LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart};
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcObjectTransformLayerSetTransform;
use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetObjTransformLayer, LLVMOrcOpaqueLLJIT};
use llvm_sys::prelude::LLVMMemoryBufferRef;

use crate::boundary;
use crate::error::{Error, ErrorKind};
use crate::object::Object;

pub(crate) type Transform = Box<dyn Fn(Object) -> Result<Object, Error> + Send + Sync>;

/// A session's object transforms, in the order in which they run.
#[derive(Default)]
pub(crate) struct ObjectTransforms(Vec<Transform>);

impl ObjectTransforms {
    pub(crate) fn add(&mut self, transform: Transform) {
        self.0.push(transform);
    }

    /// Registers the transforms with the LLJIT's object transform layer.
    ///
    /// # Safety
    /// The LLJIT is alive and not shared yet, and `transforms` outlives it.
    pub(crate) unsafe fn attach(transforms: &ObjectTransforms, lljit: *mut LLVMOrcOpaqueLLJIT) {
        // SAFETY: guaranteed by the caller.
        let layer = unsafe { LLVMOrcLLJITGetObjTransformLayer(lljit) };
        let context = ptr::from_ref(transforms).cast_mut().cast();
        // SAFETY: the layer is alive and not shared yet. `context` has the type that `transform`
        // expects.
        unsafe { LLVMOrcObjectTransformLayerSetTransform(layer, transform, context) };
    }

    pub(crate) fn apply(&self, object: Object) -> Result<Object, Error> {
        self.0.iter().try_fold(object, |object, transform| transform(object))
    }
}

/// LLVM's callback for each object before it is linked. A failing transform must dispose of the
/// buffer and set it to null.
extern "C" fn transform(context: *mut c_void, buffer_slot: *mut LLVMMemoryBufferRef) -> LLVMErrorRef {
    // SAFETY: LLVM passes a valid pointer to a buffer.
    let buffer = unsafe { *buffer_slot };
    let result = boundary::catch_panic_as_error(|| {
        let diagnostics = boundary::take_diagnostics();
        if !diagnostics.is_empty() {
            return Err(Error::new(ErrorKind::Codegen, diagnostics));
        }
        // SAFETY: `attach` registered this pointer, and its caller keeps it alive longer than the
        // LLJIT.
        let transforms = unsafe { &*context.cast::<ObjectTransforms>() };
        if transforms.0.is_empty() {
            return Ok(None);
        }
        // SAFETY: the buffer is alive and does not change during the copy.
        let object = Object::trusted(unsafe { buffer_bytes(buffer) }.into());
        transforms.apply(object).map(Some)
    });
    match result {
        Ok(None) => ptr::null_mut(),
        Ok(Some(object)) => {
            // SAFETY: we own the buffer and replace it below.
            unsafe { LLVMDisposeMemoryBuffer(buffer) };
            // SAFETY: LLVM takes ownership of the buffer that is stored here.
            unsafe { *buffer_slot = object.copy_to_buffer() };
            ptr::null_mut()
        }
        Err(error) => {
            // SAFETY: we own the buffer.
            unsafe { LLVMDisposeMemoryBuffer(buffer) };
            // SAFETY: LLVM passes a valid pointer.
            unsafe { *buffer_slot = ptr::null_mut() };
            error.into_raw()
        }
    }
}

/// # Safety
/// The buffer is alive and does not change as long as the result lives.
unsafe fn buffer_bytes<'a>(buffer: LLVMMemoryBufferRef) -> &'a [u8] {
    // SAFETY: guaranteed by the caller.
    let start = unsafe { LLVMGetBufferStart(buffer) };
    // SAFETY: guaranteed by the caller.
    let length = unsafe { LLVMGetBufferSize(buffer) };
    // SAFETY: the buffer is never null and has that many bytes.
    unsafe { std::slice::from_raw_parts(start.cast(), length) }
}
