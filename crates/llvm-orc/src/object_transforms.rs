//! Object transforms: closures that see, and may replace, each object before it is linked.

use std::ffi::c_void;
use std::ptr;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcObjectTransformLayerSetTransform;
use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetObjTransformLayer, LLVMOrcOpaqueLLJIT};
use llvm_sys::prelude::LLVMMemoryBufferRef;

use crate::boundary;
use crate::error::{Error, ErrorKind};
use crate::memory_buffer::MemoryBuffer;
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
    let raw = unsafe { *buffer_slot };
    let result = boundary::catch_panic_as_error(|| {
        // SAFETY: the buffer is alive, and replaced below.
        let buffer = unsafe { MemoryBuffer::from_raw(raw) }?;
        let diagnostics = boundary::take_diagnostics();
        if !diagnostics.is_empty() {
            return Err(Error::new(ErrorKind::Codegen, diagnostics));
        }
        // SAFETY: `attach` registered this pointer, and its caller keeps it alive longer than the
        // LLJIT.
        let transforms = unsafe { &*context.cast::<ObjectTransforms>() };
        if transforms.0.is_empty() {
            return Ok(buffer);
        }
        let object = transforms.apply(Object::trusted(buffer.bytes().into()))?;
        MemoryBuffer::copy_of(object.bytes())
    });
    let (buffer, error) = match result {
        Ok(buffer) => (buffer.into_raw(), ptr::null_mut()),
        Err(error) => (ptr::null_mut(), error.into_raw()),
    };
    // SAFETY: LLVM passes a valid pointer, and takes ownership of the buffer that is stored here.
    unsafe { *buffer_slot = buffer };
    error
}
