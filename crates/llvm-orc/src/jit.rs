//! The JIT and its builder: creates a session and its dylibs.
//!
//! JITLink links the objects. They see no symbol of the process except those that a dylib was
//! given.

mod create_lljit;

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};

use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetDataLayoutStr, LLVMOrcLLJITGetTripleString};
use llvm_sys::orc2::{LLVMOrcExecutionSessionCreateBareJITDylib, LLVMOrcExecutionSessionGetJITDylibByName};

#[cfg(feature = "shim")]
use crate::address::Address;
use crate::boundary;
#[cfg(all(feature = "inkwell", feature = "shim"))]
use crate::code_generator::CodeGenerator;
#[cfg(feature = "inkwell")]
use crate::compiler::Passes;
use crate::dylib::Dylib;
#[cfg(feature = "shim")]
use crate::epochs;
use crate::error::{Error, ErrorKind, c_name};
#[cfg(feature = "shim")]
use crate::lazy_failure::{Choose, LazyFailure, OnLazyFailure};
#[cfg(feature = "shim")]
use crate::linked_object::LinkedObject;
use crate::object::Object;
use crate::out_of_memory::InsideLlvm;
use crate::session::{Hooks, Reporter, Reports, Session};
use crate::stubs::Stubs;
#[cfg(feature = "inkwell")]
use crate::target::OptLevel;
use crate::target::Target;

/// A just-in-time linker: a session with dylibs, which contain objects and resolve addresses.
///
/// A `Jit` is a cheap handle. The session lives until the last handle is dropped, in any order and
/// on any thread. [`Dylib`]s and [`Tracker`](crate::Tracker)s are handles, too.
#[derive(Clone)]
pub struct Jit {
    session: Arc<Session>,
}

impl Jit {
    /// Starts building a `Jit`.
    #[must_use]
    pub fn builder() -> JitBuilder {
        JitBuilder {
            target: None,
            memory: Memory::default(),
            reporter: None,
            hooks: Hooks::default(),
            #[cfg(feature = "shim")]
            on_lazy_failure: None,
        }
    }

    /// Creates an empty dylib. It sees only its own symbols: none of the process and none of other
    /// dylibs.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if the session has a dylib with this name (LLJIT creates one named
    /// `main`), [`ErrorKind::Name`] if the name contains a NUL character.
    pub fn create_bare_dylib(&self, name: &str) -> Result<Dylib, Error> {
        let _inside = InsideLlvm::enter();
        let c_string = c_name(name)?;
        let naming = self.session.dylib_naming.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the session is alive and the name is NUL-terminated.
        let taken =
            unsafe { LLVMOrcExecutionSessionGetJITDylibByName(self.session.raw(), c_string.as_ptr()) };
        if !taken.is_null() {
            return Err(Error::new(ErrorKind::Duplicate, format!("duplicate dylib name: {name}")));
        }
        // SAFETY: as above. The name is free and stays free while we hold `dylib_naming`.
        let raw = unsafe { LLVMOrcExecutionSessionCreateBareJITDylib(self.session.raw(), c_string.as_ptr()) };
        drop(naming);
        let raw = NonNull::new(raw).expect("LLVM returns the dylib");
        // SAFETY: `raw` is a dylib of this session, which frees none.
        Ok(unsafe { Dylib::new(Arc::clone(&self.session), raw, name) })
    }

    /// Target triple that objects are linked for.
    #[must_use]
    pub fn triple(&self) -> String {
        // SAFETY: the LLJIT is alive.
        let text = unsafe { LLVMOrcLLJITGetTripleString(self.session.lljit()) };
        // SAFETY: the text is NUL-terminated and lives as long as the LLJIT.
        unsafe { copy_text(text) }
    }

    /// Data layout of the target, in the syntax of IR.
    #[must_use]
    pub fn data_layout(&self) -> String {
        // SAFETY: the LLJIT is alive.
        let text = unsafe { LLVMOrcLLJITGetDataLayoutStr(self.session.lljit()) };
        // SAFETY: the text is NUL-terminated and lives as long as the LLJIT.
        unsafe { copy_text(text) }
    }

    /// Frees code that was retired and that no thread can be inside of any more, in all sessions of
    /// the process. Returns the number of retired owners of code that are still waiting.
    ///
    /// [`Tracker::retire`](crate::Tracker::retire) also does this, and so does a thread that ends a
    /// call by this crate while code is retired. Programs call it to free code that a stub was
    /// redirected from where no such call follows. If the system refuses `membarrier`, which it
    /// accepted before, all retired code stays in memory.
    #[cfg(feature = "shim")]
    pub fn reclaim(&self) -> usize {
        boundary::call_llvm(|| Ok(epochs::reclaim())).unwrap_or_default()
    }

    /// Removes unused names from the session's string pool. The session also does this from time to
    /// time when trackers are removed.
    pub fn clear_dead_names(&self) {
        self.session.clear_dead_names();
    }
}

impl fmt::Debug for Jit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jit").field("session", &self.session).finish()
    }
}

/// Settings of a [`Jit`].
pub struct JitBuilder {
    target: Option<Target>,
    memory: Memory,
    reporter: Option<Reporter>,
    hooks: Hooks,
    #[cfg(feature = "shim")]
    on_lazy_failure: Option<Box<Choose>>,
}

/// Memory layout of linked objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Memory {
    /// Slabs of a few megabytes, where objects are adjacent and share pages. No address of code or
    /// constants is ever writable.
    ///
    /// Slabs need the feature `shim` and Linux's anonymous files (`memfd_create`). Without them,
    /// this setting means [`Memory::Pages`].
    ///
    /// A forked child shares code with its parent: code that the parent removes is lost to the
    /// child, too.
    #[default]
    Slabs,
    /// Separate pages for each object, by LLVM's own memory manager: at least two mappings and
    /// eight kilobytes per object. Linux limits a process to 65,530 mappings by default, which is
    /// enough for some 32,000 small objects.
    Pages,
}

impl JitBuilder {
    /// Target that objects are linked for. The default is the host.
    #[must_use]
    pub fn target(mut self, target: Target) -> JitBuilder {
        self.target = Some(target);
        self
    }

    /// Memory layout of linked objects. The default is [`Memory::Slabs`].
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> JitBuilder {
        self.memory = memory;
        self
    }

    /// Sets a closure that receives each error that the session cannot return to a caller, for
    /// example the reason why a symbol could not be linked.
    ///
    /// The reporter runs on the thread whose call met the error and may use the session. It should
    /// not own a handle of the session: the session owns the reporter, so neither would ever be
    /// freed.
    ///
    /// A panic of the reporter is raised again when LLVM returns to the call, or dropped if the
    /// call is a destructor. Without a reporter, such an error still becomes the source of the
    /// error that the call returns.
    #[must_use]
    pub fn reporter(mut self, reporter: impl Fn(&Error) + Send + Sync + 'static) -> JitBuilder {
        self.reporter = Some(Box::new(reporter));
        self
    }

    /// Adds a closure that receives each object before it is linked, on the thread that links, and
    /// returns the object to link. Transforms run in the order in which they were added.
    ///
    /// LLVM holds no lock during a transform. A transform must not look up a symbol of its object:
    /// the symbol waits for the transform, so the look-up would never return.
    #[must_use]
    pub fn object_transform(
        mut self,
        transform: impl Fn(Object) -> Result<Object, Error> + Send + Sync + 'static,
    ) -> JitBuilder {
        self.hooks.object_transforms.add(Box::new(transform));
        self
    }

    /// Adds a closure that sees each object when it has been linked, on the thread that linked it:
    /// objects that were added, that units emitted, and that the session compiled. Profilers and
    /// debuggers can be told of all code in one place.
    ///
    /// The closure must not look up a symbol of the object: the symbol waits for the closure, so
    /// the look-up would never return.
    #[cfg(feature = "shim")]
    #[must_use]
    pub fn on_linked(mut self, on_linked: impl Fn(&LinkedObject<'_>) + Send + Sync + 'static) -> JitBuilder {
        self.hooks.session_hooks.on_linked = Some(Box::new(on_linked));
        self
    }

    /// Sets the code generator for modules that the session compiles, in the place of LLVM's. The
    /// passes run before.
    #[cfg(all(feature = "inkwell", feature = "shim"))]
    #[must_use]
    pub fn code_generator(
        mut self,
        generator: impl for<'a> CodeGenerator<inkwell::module::Module<'a>>,
    ) -> JitBuilder {
        self.hooks.session_hooks.generate = Some(Box::new(generator));
        self
    }

    /// Passes for each module that the session compiles ([`Dylib::add_module`],
    /// [`Responsibility::emit_module`](crate::Responsibility::emit_module)). The default is none.
    #[cfg(feature = "inkwell")]
    #[must_use]
    pub fn passes(mut self, passes: Passes, level: OptLevel) -> JitBuilder {
        self.hooks.ir_transforms.passes = Some((passes, level));
        self
    }

    /// Sets a closure that may change each module that the session compiles. It runs before the
    /// passes, on the thread that compiles. The resulting module is verified.
    #[cfg(feature = "inkwell")]
    #[must_use]
    pub fn ir_transform(
        mut self,
        transform: impl Fn(&inkwell::module::Module<'_>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> JitBuilder {
        self.hooks.ir_transforms.transform = Some(Box::new(transform));
        self
    }

    /// Sets a closure that is called when a lazily reexported function could not be materialized,
    /// with its name and the reason. The function at the address that the closure returns is then
    /// called instead, with the arguments of the call. The reporter has received the reason before.
    ///
    /// By default the process aborts. It also aborts if the closure panics.
    ///
    /// # Safety
    /// The function at the returned address must be callable in place of the function with that
    /// name: same parameters and same result type.
    #[cfg(feature = "shim")]
    #[must_use]
    pub unsafe fn on_lazy_failure(
        mut self,
        choose: impl Fn(&LazyFailure<'_>) -> Address + Send + Sync + 'static,
    ) -> JitBuilder {
        self.on_lazy_failure = Some(Box::new(choose));
        self
    }

    /// Creates the session.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if LLVM has no linker for the target, [`ErrorKind::Session`] for any
    /// other failure.
    pub fn build(self) -> Result<Jit, Error> {
        let _inside = InsideLlvm::enter();
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
            None => Target::host_triple_only()?,
        };
        let hooks = Arc::new(this.hooks);
        let lljit = boundary::call_llvm(|| {
            #[cfg(feature = "shim")]
            return create_lljit::create_lljit(&target, this.memory, &hooks.session_hooks);
            #[cfg(not(feature = "shim"))]
            return create_lljit::create_lljit(&target, this.memory);
        })?;
        let lljit = NonNull::new(lljit).expect("LLVM returns the LLJIT unless it fails");
        let reports = Arc::new(Reports::new(this.reporter));
        #[cfg(feature = "shim")]
        let stubs = Stubs::new(OnLazyFailure::new(this.on_lazy_failure, Arc::clone(&reports)));
        #[cfg(not(feature = "shim"))]
        let stubs = Stubs::default();
        // SAFETY: the LLJIT was just created and is not shared yet.
        let session = unsafe { Session::new(lljit, reports, hooks, stubs) };
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
/// `text` is NUL-terminated.
unsafe fn copy_text(text: *const c_char) -> String {
    // SAFETY: guaranteed by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
