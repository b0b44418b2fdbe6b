//! Generators of LLVM: symbols of this process, of dynamic libraries and of static archives.

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetGlobalPrefix, LLVMOrcLLJITGetObjLinkingLayer};
use llvm_sys::orc2::{
    LLVMOrcCreateDynamicLibrarySearchGeneratorForPath, LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess,
    LLVMOrcCreateStaticLibrarySearchGeneratorForPath, LLVMOrcDefinitionGeneratorRef, LLVMOrcSymbolPredicate,
    LLVMOrcSymbolStringPoolEntryRef,
};

use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::reentrancy;
use crate::symbols::entry_name;

/// The names that a dylib may see. The session owns it, because LLVM's C API does not.
pub(crate) struct NameFilter {
    allows: Box<dyn Fn(&str) -> bool + Send + Sync>,
    dylib: usize,
}

impl Dylib {
    /// Makes symbols of this process visible: those whose names `allows` accepts.
    ///
    /// LLVM finds symbols that the program exports: those of its shared libraries, and the
    /// program's own if it was linked with `-rdynamic`. [`define_absolute`](Dylib::define_absolute)
    /// works for all symbols.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if the system does not support searching the process.
    ///
    /// # Example
    /// ```
    /// # use llvm_orc::Jit;
    /// let dylib = Jit::builder().build()?.create_bare_dylib("maths")?;
    /// dylib.add_process_symbols(|name| ["cos", "sin"].contains(&name))?;
    /// assert!(dylib.lookup("cos").is_ok());
    /// assert!(dylib.lookup("getpid").is_err());
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub fn add_process_symbols(
        &self,
        allows: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let filter = self.store_filter(Box::new(allows));
        self.create_and_add(ErrorKind::Session, |generator| {
            // SAFETY: `generator` is our local variable. The session owns the filter as long as the
            // generator.
            unsafe {
                LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                    generator,
                    self.symbol_prefix(),
                    ALLOW,
                    filter,
                )
            }
        })
    }

    /// Loads a dynamic library and makes its symbols visible: those whose names `allows` accepts.
    /// The library stays loaded.
    ///
    /// # Errors
    /// [`ErrorKind::Library`] if the library cannot be loaded, [`ErrorKind::Name`] if the path
    /// contains a NUL character.
    ///
    /// # Safety
    /// Loading executes the library's constructors, so you must trust the library.
    pub unsafe fn add_dynamic_library(
        &self,
        path: impl AsRef<Path>,
        allows: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        let filter = self.store_filter(Box::new(allows));
        self.create_and_add(ErrorKind::Library, |generator| {
            // SAFETY: `generator` is our local variable and the path is NUL-terminated. The session
            // owns the filter as long as the generator.
            unsafe {
                LLVMOrcCreateDynamicLibrarySearchGeneratorForPath(
                    generator,
                    path.as_ptr(),
                    self.symbol_prefix(),
                    ALLOW,
                    filter,
                )
            }
        })
    }

    /// Makes the objects of a static archive available. Objects that define missing names are
    /// linked into this dylib, owned by its default tracker. The session's object transforms do not
    /// see them.
    ///
    /// # Errors
    /// [`ErrorKind::Library`] if the archive cannot be read, [`ErrorKind::Name`] if the path
    /// contains a NUL character.
    ///
    /// # Safety
    /// As for [`Object::from_bytes`](crate::Object::from_bytes): the archive's objects must be well
    /// formed and from a compiler that you trust.
    pub unsafe fn add_static_archive(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        self.create_and_add(ErrorKind::Library, |generator| {
            // SAFETY: the LLJIT is alive and owns the layer.
            let layer = unsafe { LLVMOrcLLJITGetObjLinkingLayer(self.session().lljit()) };
            // SAFETY: `generator` is our local variable, the layer lives as long as the session,
            // and the path is NUL-terminated.
            unsafe { LLVMOrcCreateStaticLibrarySearchGeneratorForPath(generator, layer, path.as_ptr()) }
        })
    }

    fn create_and_add(
        &self,
        kind: ErrorKind,
        create: impl FnOnce(*mut LLVMOrcDefinitionGeneratorRef) -> LLVMErrorRef,
    ) -> Result<(), Error> {
        let mut generator = ptr::null_mut();
        // SAFETY: we own the error.
        boundary::call_llvm(|| unsafe { Error::check(create(&mut generator), kind) })?;
        // SAFETY: the generator is alive and passed with ownership.
        unsafe { self.add_raw_generator(generator) };
        Ok(())
    }

    fn store_filter(&self, allows: Box<dyn Fn(&str) -> bool + Send + Sync>) -> *mut c_void {
        let filter = Arc::new(NameFilter { allows, dylib: self.raw().addr() });
        self.session().keep_alive(filter)
    }

    /// The character that the target's linker puts before each name, or NUL.
    fn symbol_prefix(&self) -> c_char {
        // SAFETY: the LLJIT is alive.
        unsafe { LLVMOrcLLJITGetGlobalPrefix(self.session().lljit()) }
    }
}

const ALLOW: LLVMOrcSymbolPredicate = Some(allow);

extern "C" fn allow(context: *mut c_void, symbol: LLVMOrcSymbolStringPoolEntryRef) -> c_int {
    // SAFETY: the session owns the filter as long as the generators.
    let filter = unsafe { &*context.cast_const().cast::<NameFilter>() };
    let allowed = reentrancy::generating(filter.dylib, || {
        boundary::catch_panic_as_error(|| {
            // SAFETY: the name is alive during the call.
            let name = unsafe { entry_name(symbol) };
            Ok((filter.allows)(&name))
        })
    });
    c_int::from(allowed.unwrap_or(false))
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(ErrorKind::Name, format!("path {} contains a NUL character", path.display())))
}
