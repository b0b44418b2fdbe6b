//! ORC as a C program uses it: direct calls of LLVM's C API, without unnecessary checks.
#![allow(unsafe_op_in_unsafe_fn)] // every C function is unsafe; see `# Safety`

use std::ffi::{CStr, c_void};
use std::ptr;

use inkwell::llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use inkwell::llvm_sys::error::LLVMErrorRef;
use inkwell::llvm_sys::orc2::lljit::*;
use inkwell::llvm_sys::orc2::*;
use inkwell::llvm_sys::prelude::LLVMMemoryBufferRef;

/// A session with a bare dylib, stubs and trampolines.
pub(crate) struct Direct {
    lljit: LLVMOrcLLJITRef,
    session: LLVMOrcExecutionSessionRef,
    dylib: LLVMOrcJITDylibRef,
    trampolines: LLVMOrcLazyCallThroughManagerRef,
    stubs: LLVMOrcIndirectStubsManagerRef,
}

/// Context pointer of a materialization unit: the object that defines its symbol.
struct UnitContext {
    lljit: LLVMOrcLLJITRef,
    object: *const [u8],
}

impl Direct {
    /// # Safety
    /// LLVM's native target is registered.
    pub(crate) unsafe fn new() -> Direct {
        let mut lljit = ptr::null_mut();
        assert!(LLVMOrcCreateLLJIT(&mut lljit, ptr::null_mut()).is_null());
        let session = LLVMOrcLLJITGetExecutionSession(lljit);
        let dylib = LLVMOrcExecutionSessionCreateBareJITDylib(session, c"bench".as_ptr());
        let triple = LLVMOrcLLJITGetTripleString(lljit);
        let mut trampolines = ptr::null_mut();
        assert!(LLVMOrcCreateLocalLazyCallThroughManager(triple, session, 0, &mut trampolines).is_null());
        let stubs = LLVMOrcCreateLocalIndirectStubsManager(triple);
        Direct { lljit, session, dylib, trampolines, stubs }
    }

    /// # Safety
    /// The bytes are an object from the compiler.
    pub(crate) unsafe fn add_object(&self, object: &[u8]) -> LLVMOrcResourceTrackerRef {
        let tracker = LLVMOrcJITDylibCreateResourceTracker(self.dylib);
        assert!(LLVMOrcLLJITAddObjectFileWithRT(self.lljit, tracker, buffer(object)).is_null());
        tracker
    }

    /// # Safety
    /// The tracker is from `add_object`, and its code is not called any more.
    pub(crate) unsafe fn remove(&self, tracker: LLVMOrcResourceTrackerRef) {
        assert!(LLVMOrcResourceTrackerRemove(tracker).is_null());
        LLVMOrcReleaseResourceTracker(tracker);
    }

    /// # Safety
    /// The symbol is defined, and is materialized on this thread.
    pub(crate) unsafe fn lookup(&self, name: &CStr) -> u64 {
        let mut order = LLVMOrcCJITDylibSearchOrderElement {
            JD: self.dylib,
            JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
        };
        let mut symbol = LLVMOrcCLookupSetElement {
            Name: LLVMOrcExecutionSessionIntern(self.session, name.as_ptr()),
            LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
        };
        let mut address = 0_u64;
        LLVMOrcExecutionSessionLookup(
            self.session,
            LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
            &mut order,
            1,
            &mut symbol,
            1,
            receive,
            (&raw mut address).cast(),
        );
        address
    }

    /// Defines `name` as a stub for `target`, which the object defines.
    ///
    /// # Safety
    /// The bytes are an object from the compiler that defines `target`, and live until it is
    /// materialized.
    pub(crate) unsafe fn define_lazily(&self, name: &CStr, target: &CStr, object: &[u8]) {
        let flags = || LLVMJITSymbolFlags { GenericFlags: 5, TargetFlags: 0 };
        let intern = |name: &CStr| LLVMOrcExecutionSessionIntern(self.session, name.as_ptr());
        let context = Box::new(UnitContext { lljit: self.lljit, object });
        let mut flags_pair = LLVMOrcCSymbolFlagsMapPair { Name: intern(target), Flags: flags() };
        let unit = LLVMOrcCreateCustomMaterializationUnit(
            c"unit".as_ptr(),
            Box::into_raw(context).cast(),
            &mut flags_pair,
            1,
            ptr::null_mut(),
            materialize,
            discard,
            destroy,
        );
        assert!(LLVMOrcJITDylibDefine(self.dylib, unit).is_null());
        let entry = LLVMOrcCSymbolAliasMapEntry { Name: intern(target), Flags: flags() };
        let mut alias = LLVMOrcCSymbolAliasMapPair { Name: intern(name), Entry: entry };
        let reexport = LLVMOrcLazyReexports(self.trampolines, self.stubs, self.dylib, &mut alias, 1);
        assert!(LLVMOrcJITDylibDefine(self.dylib, reexport).is_null());
    }

    /// # Safety
    /// The session is not used any more.
    pub(crate) unsafe fn dispose(self) {
        // Before the LLJIT, to whose pool the trampolines' names belong.
        LLVMOrcDisposeLazyCallThroughManager(self.trampolines);
        assert!(LLVMOrcDisposeLLJIT(self.lljit).is_null());
        LLVMOrcDisposeIndirectStubsManager(self.stubs);
    }
}

unsafe fn buffer(object: &[u8]) -> LLVMMemoryBufferRef {
    LLVMCreateMemoryBufferWithMemoryRangeCopy(object.as_ptr().cast(), object.len(), c"object".as_ptr())
}

extern "C" fn receive(error: LLVMErrorRef, found: LLVMOrcCSymbolMapPairs, _: usize, context: *mut c_void) {
    assert!(error.is_null());
    // SAFETY: `lookup` requests one symbol and passes a pointer to an address.
    unsafe { *context.cast::<u64>() = (*found).Sym.Address };
}

extern "C" fn materialize(context: *mut c_void, responsibility: LLVMOrcMaterializationResponsibilityRef) {
    // SAFETY: the box from `define_lazily`, passed once.
    unsafe {
        let unit = Box::from_raw(context.cast::<UnitContext>());
        let layer = LLVMOrcLLJITGetObjLinkingLayer(unit.lljit);
        LLVMOrcObjectLayerEmit(layer, responsibility, buffer(&*unit.object));
    }
}

extern "C" fn discard(_: *mut c_void, _: LLVMOrcJITDylibRef, _: LLVMOrcSymbolStringPoolEntryRef) {}

extern "C" fn destroy(context: *mut c_void) {
    // SAFETY: the box from `define_lazily`, passed once.
    drop(unsafe { Box::from_raw(context.cast::<UnitContext>()) });
}
