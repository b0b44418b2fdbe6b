//! ORC as a C program uses it: LLVM's C API, called directly, with nothing checked that need not be.
#![allow(unsafe_op_in_unsafe_fn)] // C has no other functions; what each promises stands above it

use std::ffi::{CStr, c_void};
use std::ptr;

use inkwell::llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use inkwell::llvm_sys::error::LLVMErrorRef;
use inkwell::llvm_sys::orc2::lljit::*;
use inkwell::llvm_sys::orc2::*;
use inkwell::llvm_sys::prelude::LLVMMemoryBufferRef;

/// A session with a bare dylib, and what lazy calls need.
pub(crate) struct Direct {
    lljit: LLVMOrcLLJITRef,
    session: LLVMOrcExecutionSessionRef,
    dylib: LLVMOrcJITDylibRef,
    calls: LLVMOrcLazyCallThroughManagerRef,
    stubs: LLVMOrcIndirectStubsManagerRef,
}

/// What a unit's definitions are made of: an object.
struct Unit {
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
        let mut calls = ptr::null_mut();
        assert!(LLVMOrcCreateLocalLazyCallThroughManager(triple, session, 0, &mut calls).is_null());
        let stubs = LLVMOrcCreateLocalIndirectStubsManager(triple);
        Direct { lljit, session, dylib, calls, stubs }
    }

    /// # Safety
    /// The bytes are an object of the compiler's.
    pub(crate) unsafe fn add_object(&self, object: &[u8]) -> LLVMOrcResourceTrackerRef {
        let tracker = LLVMOrcJITDylibCreateResourceTracker(self.dylib);
        assert!(LLVMOrcLLJITAddObjectFileWithRT(self.lljit, tracker, buffer(object)).is_null());
        tracker
    }

    /// # Safety
    /// The tracker came from `add_object`, and nothing of it is called any more.
    pub(crate) unsafe fn remove(&self, tracker: LLVMOrcResourceTrackerRef) {
        assert!(LLVMOrcResourceTrackerRemove(tracker).is_null());
        LLVMOrcReleaseResourceTracker(tracker);
    }

    /// # Safety
    /// The symbol is defined, and made on this thread.
    pub(crate) unsafe fn lookup(&self, name: &CStr) -> u64 {
        let mut order = LLVMOrcCJITDylibSearchOrderElement {
            JD: self.dylib,
            JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
        };
        let mut wanted = LLVMOrcCLookupSetElement {
            Name: LLVMOrcExecutionSessionIntern(self.session, name.as_ptr()),
            LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
        };
        let mut address = 0_u64;
        LLVMOrcExecutionSessionLookup(
            self.session,
            LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
            &mut order,
            1,
            &mut wanted,
            1,
            receive,
            (&raw mut address).cast(),
        );
        address
    }

    /// Defines `name` as a stub for `body`, whose definition is the object.
    ///
    /// # Safety
    /// The bytes are an object of the compiler's that defines `body`, and stay.
    pub(crate) unsafe fn define_lazily(&self, name: &CStr, body: &CStr, object: &[u8]) {
        let flags = || LLVMJITSymbolFlags { GenericFlags: 5, TargetFlags: 0 };
        let intern = |name: &CStr| LLVMOrcExecutionSessionIntern(self.session, name.as_ptr());
        let unit = Box::new(Unit { lljit: self.lljit, object });
        let mut symbol = LLVMOrcCSymbolFlagsMapPair { Name: intern(body), Flags: flags() };
        let unit = LLVMOrcCreateCustomMaterializationUnit(
            c"unit".as_ptr(),
            Box::into_raw(unit).cast(),
            &mut symbol,
            1,
            ptr::null_mut(),
            materialize,
            discard,
            destroy,
        );
        assert!(LLVMOrcJITDylibDefine(self.dylib, unit).is_null());
        let entry = LLVMOrcCSymbolAliasMapEntry { Name: intern(body), Flags: flags() };
        let mut alias = LLVMOrcCSymbolAliasMapPair { Name: intern(name), Entry: entry };
        let reexport = LLVMOrcLazyReexports(self.calls, self.stubs, self.dylib, &mut alias, 1);
        assert!(LLVMOrcJITDylibDefine(self.dylib, reexport).is_null());
    }

    /// # Safety
    /// Nothing of the session is used any more.
    pub(crate) unsafe fn dispose(self) {
        // First, because it holds names of the session's pool.
        LLVMOrcDisposeLazyCallThroughManager(self.calls);
        assert!(LLVMOrcDisposeLLJIT(self.lljit).is_null());
        LLVMOrcDisposeIndirectStubsManager(self.stubs);
    }
}

unsafe fn buffer(object: &[u8]) -> LLVMMemoryBufferRef {
    LLVMCreateMemoryBufferWithMemoryRangeCopy(object.as_ptr().cast(), object.len(), c"object".as_ptr())
}

extern "C" fn receive(error: LLVMErrorRef, found: LLVMOrcCSymbolMapPairs, _: usize, context: *mut c_void) {
    assert!(error.is_null());
    // SAFETY: `lookup` asks for one symbol, and gives a place for its address.
    unsafe { *context.cast::<u64>() = (*found).Sym.Address };
}

extern "C" fn materialize(context: *mut c_void, responsibility: LLVMOrcMaterializationResponsibilityRef) {
    // SAFETY: what `define_lazily` gave, once.
    unsafe {
        let unit = Box::from_raw(context.cast::<Unit>());
        let layer = LLVMOrcLLJITGetObjLinkingLayer(unit.lljit);
        LLVMOrcObjectLayerEmit(layer, responsibility, buffer(&*unit.object));
    }
}

extern "C" fn discard(_: *mut c_void, _: LLVMOrcJITDylibRef, _: LLVMOrcSymbolStringPoolEntryRef) {}

extern "C" fn destroy(context: *mut c_void) {
    // SAFETY: what `define_lazily` gave, once.
    drop(unsafe { Box::from_raw(context.cast::<Unit>()) });
}
