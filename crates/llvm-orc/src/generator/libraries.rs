//! Generators of LLVM's own: symbols of this process, of dynamic libraries, of static archives.

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

use super::run_generator;
use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::symbols::entry_name;

/// Which names are let through, and for which dylib. The session keeps it, because LLVM's C API does not.
pub(crate) struct NameFilter {
    allows: Box<dyn Fn(&str) -> bool + Send + Sync>,
    dylib: usize,
}

impl Dylib {
    /// Lets what is linked here see symbols of this process, those whose names `allows` lets through.
    ///
    /// Only what a program exports is found: functions of its shared libraries, and its own if it was linked with
    /// `-rdynamic`. [`define_absolute`](Dylib::define_absolute) needs neither, and names what is seen one by one.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if the system does not let the process be searched.
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
        self.create_and_add(ErrorKind::Session, |made| {
            // SAFETY: `made` is a place of ours; the session keeps the filter as long as the generator.
            unsafe {
                LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(made, self.prefix(), ALLOW, filter)
            }
        })
    }

    /// Lets what is linked here see symbols of a dynamic library, which is loaded now and stays loaded, those whose names
    /// `allows` lets through.
    ///
    /// # Errors
    /// [`ErrorKind::Library`] if it cannot be loaded, [`ErrorKind::Name`] if the path holds a NUL character.
    ///
    /// # Safety
    /// Loading runs the library's constructors: it must be one that you trust.
    pub unsafe fn add_dynamic_library(
        &self,
        path: impl AsRef<Path>,
        allows: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        let filter = self.store_filter(Box::new(allows));
        self.create_and_add(ErrorKind::Library, |made| {
            // SAFETY: `made` is a place of ours, the path ended by NUL; the session keeps the filter as long as the generator.
            unsafe {
                LLVMOrcCreateDynamicLibrarySearchGeneratorForPath(
                    made,
                    path.as_ptr(),
                    self.prefix(),
                    ALLOW,
                    filter,
                )
            }
        })
    }

    /// Lets what is linked here use the objects of a static archive: those that define what is missing are linked into this
    /// dylib, under its default tracker. The session's object transforms do not see them.
    ///
    /// # Errors
    /// [`ErrorKind::Library`] if the archive cannot be read, [`ErrorKind::Name`] if the path holds a NUL character.
    ///
    /// # Safety
    /// As for [`Object::from_bytes`](crate::Object::from_bytes): its objects must be well formed, and from a compiler you trust.
    pub unsafe fn add_static_archive(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        self.create_and_add(ErrorKind::Library, |made| {
            // SAFETY: the LLJIT is alive, which keeps the layer.
            let layer = unsafe { LLVMOrcLLJITGetObjLinkingLayer(self.session().lljit()) };
            // SAFETY: `made` is a place of ours, the layer alive as long as the session, the path ended by NUL.
            unsafe { LLVMOrcCreateStaticLibrarySearchGeneratorForPath(made, layer, path.as_ptr()) }
        })
    }

    fn create_and_add(
        &self,
        kind: ErrorKind,
        make: impl FnOnce(*mut LLVMOrcDefinitionGeneratorRef) -> LLVMErrorRef,
    ) -> Result<(), Error> {
        let mut made = ptr::null_mut();
        // SAFETY: the error is ours alone.
        boundary::call_llvm(|| unsafe { Error::check(make(&mut made), kind) })?;
        // SAFETY: the generator was made just now, and is given over.
        unsafe { self.add_raw_generator(made) };
        Ok(())
    }

    fn store_filter(&self, allows: Box<dyn Fn(&str) -> bool + Send + Sync>) -> *mut c_void {
        let filter = Arc::new(NameFilter { allows, dylib: self.raw().addr() });
        self.session().keep_alive(filter)
    }

    /// The character that this machine's linker puts before each name, or NUL.
    fn prefix(&self) -> c_char {
        // SAFETY: the LLJIT is alive.
        unsafe { LLVMOrcLLJITGetGlobalPrefix(self.session().lljit()) }
    }
}

const ALLOW: LLVMOrcSymbolPredicate = Some(allow);

extern "C" fn allow(context: *mut c_void, symbol: LLVMOrcSymbolStringPoolEntryRef) -> c_int {
    // SAFETY: a filter that the session keeps as long as its generators.
    let filter = unsafe { &*context.cast_const().cast::<NameFilter>() };
    let allowed = run_generator(filter.dylib, || {
        // SAFETY: the name is alive during the call.
        let name = unsafe { entry_name(symbol) };
        Ok((filter.allows)(&name))
    });
    c_int::from(allowed.unwrap_or(false))
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(ErrorKind::Name, format!("path {} holds a NUL character", path.display())))
}
