//! The JIT and its builder: where a session begins.
//!
//! Objects are linked by JITLink. No symbol of the process is visible to them but those that a dylib was told.

mod create_lljit;

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};

use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetDataLayoutStr, LLVMOrcLLJITGetTripleString};
use llvm_sys::orc2::{LLVMOrcExecutionSessionCreateBareJITDylib, LLVMOrcExecutionSessionGetJITDylibByName};

use crate::address::Address;
use crate::boundary;
#[cfg(feature = "inkwell")]
use crate::compiler::Passes;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, c_name};
use crate::lazy_reexports::LazyReexportManagers;
use crate::object::Object;
use crate::session::{Hooks, Reporter, Session};
#[cfg(feature = "inkwell")]
use crate::target::OptLevel;
use crate::target::Target;

/// A just-in-time linker: a session in which dylibs are made, filled with objects and asked for addresses.
///
/// A `Jit` is a cheap handle. The session lives until the last handle to it, [`Dylib`]s and
/// [`Tracker`](crate::Tracker)s among them, is dropped, in any order and on any thread.
#[derive(Clone)]
pub struct Jit {
    session: Arc<Session>,
}

impl Jit {
    /// What a `Jit` is made with.
    #[must_use]
    pub fn builder() -> JitBuilder {
        JitBuilder {
            target: None,
            memory: Memory::default(),
            reporter: None,
            hooks: Hooks::default(),
            lazy: LazyReexportManagers::default(),
        }
    }

    /// A new dylib that sees nothing but what is put into it: no symbol of the process, no other dylib.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if the session has a dylib of that name (LLJIT itself makes one called `main`),
    /// [`ErrorKind::Name`] if the name holds a NUL character.
    pub fn create_bare_dylib(&self, name: &str) -> Result<Dylib, Error> {
        let c = c_name(name)?;
        let naming = self.session.dylib_naming.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the session is alive and the name is ended by NUL.
        let taken = unsafe { LLVMOrcExecutionSessionGetJITDylibByName(self.session.raw(), c.as_ptr()) };
        if !taken.is_null() {
            return Err(Error::new(ErrorKind::Duplicate, format!("duplicate name of a dylib: {name}")));
        }
        // SAFETY: as above; the name is free and stays so while we hold `naming`.
        let raw = unsafe { LLVMOrcExecutionSessionCreateBareJITDylib(self.session.raw(), c.as_ptr()) };
        drop(naming);
        let raw = NonNull::new(raw).expect("LLVM gives back the dylib it made");
        // SAFETY: `raw` is a dylib of this session, which never removes one.
        Ok(unsafe { Dylib::new(Arc::clone(&self.session), raw, name) })
    }

    /// The triple of the machine that objects are linked for.
    #[must_use]
    pub fn triple(&self) -> String {
        // SAFETY: the LLJIT is alive.
        let text = unsafe { LLVMOrcLLJITGetTripleString(self.session.lljit()) };
        // SAFETY: ended by NUL, and the LLJIT's as long as it lives.
        unsafe { copied(text) }
    }

    /// The data layout of that machine, in the form it has in IR.
    #[must_use]
    pub fn data_layout(&self) -> String {
        // SAFETY: the LLJIT is alive.
        let text = unsafe { LLVMOrcLLJITGetDataLayoutStr(self.session.lljit()) };
        // SAFETY: ended by NUL, and the LLJIT's as long as it lives.
        unsafe { copied(text) }
    }

    /// Forgets the names that nothing uses any more. The session does so by itself now and then, as trackers are
    /// removed.
    pub fn clear_dead_names(&self) {
        self.session.clear_dead_names();
    }
}

impl fmt::Debug for Jit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jit").field("session", &self.session).finish()
    }
}

/// What a [`Jit`] is made with.
pub struct JitBuilder {
    target: Option<Target>,
    memory: Memory,
    reporter: Option<Reporter>,
    hooks: Hooks,
    lazy: LazyReexportManagers,
}

/// Where linked objects lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Memory {
    /// Side by side, hundreds in a page, in slabs of some megabytes; each object takes as many bytes as it has. No
    /// address of code or constants is ever writable. This needs the feature `shim` and Linux's files without a name;
    /// where either is missing, it means [`Memory::Pages`].
    ///
    /// A process that forks shares code with its child: what the parent removes while the child runs it is lost to
    /// both.
    #[default]
    Slabs,
    /// Each in pages of its own, as LLVM does it: two mappings or more and eight kilobytes or more for each object.
    /// Linux lets a process have 65,530 mappings, so some 32,000 small objects are the most.
    Pages,
}

impl JitBuilder {
    /// The machine that objects are linked for; the host if none is said.
    #[must_use]
    pub fn target(mut self, target: Target) -> JitBuilder {
        self.target = Some(target);
        self
    }

    /// Where linked objects lie; in slabs if nothing is said.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> JitBuilder {
        self.memory = memory;
        self
    }

    /// Called with each error of the session that no caller receives: why a symbol could not be linked, an
    /// object that was dropped. It runs on the thread whose call ran into the error, and may use the session; but a
    /// handle that it owns keeps the session, and that the reporter, for ever.
    ///
    /// A panic in it is caught before it reaches LLVM and raised again when that call returns; in a destructor it
    /// ends silently. Without a reporter such errors still become the cause of the error that the call returns.
    #[must_use]
    pub fn reporter(mut self, reporter: impl Fn(&Error) + Send + Sync + 'static) -> JitBuilder {
        self.reporter = Some(Box::new(reporter));
        self
    }

    /// Called with each object before it is linked, on the thread that links: to look at it, keep it, or give another in its
    /// place. The first that was set gets it first.
    ///
    /// LLVM holds no lock meanwhile, but the symbols of the object wait for it: looking one up in here never ends.
    #[must_use]
    pub fn object_transform(
        mut self,
        transform: impl Fn(Object) -> Result<Object, Error> + Send + Sync + 'static,
    ) -> JitBuilder {
        self.hooks.object_transforms.add(Box::new(transform));
        self
    }

    /// The passes that run upon each module which the session compiles ([`Dylib::add_module`],
    /// [`Responsibility::emit_module`](crate::Responsibility::emit_module)); none if nothing is said.
    #[cfg(feature = "inkwell")]
    #[must_use]
    pub fn passes(mut self, passes: Passes, level: OptLevel) -> JitBuilder {
        self.hooks.ir_transforms.passes = Some((passes, level));
        self
    }

    /// Called with each module that the session compiles, before its passes, on the thread that compiles. What comes of it is
    /// checked.
    #[cfg(feature = "inkwell")]
    #[must_use]
    pub fn ir_transform(
        mut self,
        transform: impl Fn(&inkwell::module::Module<'_>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> JitBuilder {
        self.hooks.ir_transforms.transform = Some(Box::new(transform));
        self
    }

    /// The function that is called in place of a lazily reexported one that could not be made. The reporter has been told why.
    /// If nothing is said, the process is aborted.
    ///
    /// # Safety
    /// At the address is a function that can be called in place of every function that will be reexported lazily: with
    /// their parameters, giving back what they do.
    #[must_use]
    pub unsafe fn on_lazy_failure(mut self, function: Address) -> JitBuilder {
        self.lazy.on_failure = Some(function);
        self
    }

    /// Makes the session.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if LLVM cannot link for the target, [`ErrorKind::Session`] if it fails otherwise.
    pub fn build(self) -> Result<Jit, Error> {
        #[cfg(feature = "inkwell")]
        let this = {
            let mut this = self;
            this.hooks.ir_transforms.target = this.target.clone();
            this
        };
        #[cfg(not(feature = "inkwell"))]
        let this = self;
        let target = match this.target {
            Some(target) => target,
            None => Target::host_triple_only(),
        };
        let lljit = boundary::call_llvm(|| create_lljit::create_lljit(&target, this.memory))?;
        let lljit = NonNull::new(lljit).expect("LLVM gives back the LLJIT unless it failed");
        // SAFETY: the LLJIT was just made and is known here alone.
        let session = unsafe { Session::new(lljit, this.reporter, this.hooks, this.lazy) };
        Ok(Jit { session })
    }
}

impl fmt::Debug for JitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JitBuilder")
            .field("target", &self.target)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// # Safety
/// `text` is ended by NUL.
unsafe fn copied(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
