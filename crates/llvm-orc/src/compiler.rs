//! The compiler: from a module that the caller fills to an object file.
//!
//! One thread, one compiler: LLVM's contexts and target machines are not made for sharing, and this way no two
//! compilations ever wait for each other.

mod c_api;
mod diagnostics;
mod object_cache;
mod optimizers;
mod passes;
#[cfg(feature = "shim")]
mod shim;

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_sys::analysis::{LLVMVerifierFailureAction, LLVMVerifyModule};
use llvm_sys::core::{LLVMGetModuleContext, LLVMSetTarget};
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target::LLVMSetModuleDataLayout;

use crate::error::{Error, ErrorKind, take_message};
use crate::object::{Object, Timings};
use crate::target::{OptLevel, Target};
use crate::target_machine::TargetMachine;
#[cfg(not(feature = "shim"))]
use c_api::Codegen;
use diagnostics::Diagnostics;
use optimizers::Optimizers;
#[cfg(feature = "shim")]
use shim::Codegen;

pub use object_cache::ObjectCache;
pub use passes::{FunctionPass, Passes};

/// After so many modules a compiler takes a fresh context, because constants, types and names that a context has
/// once seen are not freed before it is. Making one, with new passes, takes about as long as compiling one
/// small function, so that its share in each is a few thousandths.
pub const MODULES_PER_CONTEXT: u32 = 512;

/// Turns modules into objects for one machine, with one way to optimise unless another is asked for.
///
/// It owns the context in which the modules live, so it hands the context out only for as long as a module is
/// being filled:
///
/// ```compile_fail
/// let mut compiler = llvm_orc::Compiler::builder().build()?;
/// let mut cached = None;
/// compiler.compile(|cx| {
///     cached = Some(cx); // a context cannot be cached for later
///     cx.create_module("m")
/// })?;
/// # Ok::<(), llvm_orc::Error>(())
/// ```
pub struct Compiler {
    // In the order in which they must go: optimisers and code generator refer to the context and the machine.
    optimizers: Optimizers,
    codegen: Codegen,
    context: Context,
    machine: TargetMachine,
    target: Target,
    passes: Passes,
    verify: bool,
    level: OptLevel,
    cache: Option<ObjectCache>,
    diagnostics: Diagnostics,
    n_modules: u32,
    one_thread: PhantomData<*const ()>,
}

impl Compiler {
    /// What a `Compiler` is made with.
    #[must_use]
    pub fn builder() -> CompilerBuilder {
        CompilerBuilder {
            target: None,
            level: OptLevel::Default,
            passes: Passes::none(),
            verify: true,
            cache: None,
        }
    }

    /// Has a module filled, optimises it by the compiler's own passes and makes an object of it.
    ///
    /// The module gets the compiler's triple and data layout. When `fill` panics the compiler stays usable.
    ///
    /// # Errors
    /// [`ErrorKind::Module`] if the module is malformed or was not made in the context that `fill` was given;
    /// [`ErrorKind::Codegen`] if LLVM cannot make code of it.
    pub fn compile<F>(&mut self, fill: F) -> Result<Object, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.compile_object(None, fill)
    }

    /// As [`compile`](Compiler::compile), with passes for this module. What runs them is cached for the next time, so
    /// use few different ones.
    ///
    /// # Errors
    /// As [`compile`](Compiler::compile), and [`ErrorKind::Pipeline`] if their text is no pipeline.
    pub fn compile_with<F>(&mut self, passes: &Passes, fill: F) -> Result<Object, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.compile_object(Some(passes), fill)
    }

    /// The assembly text of what [`compile_with`](Compiler::compile_with) would make.
    ///
    /// # Errors
    /// As [`compile_with`](Compiler::compile_with).
    pub fn assembly_with<F>(&mut self, passes: &Passes, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) = self.optimize_then(Some(passes), fill, no_cache, |_, machine, module| {
            c_api::assembly(machine, module)
        })?;
        Ok(text)
    }

    /// The assembly text of what [`compile`](Compiler::compile) would make.
    ///
    /// # Errors
    /// As [`compile`](Compiler::compile).
    pub fn assembly<F>(&mut self, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) =
            self.optimize_then(None, fill, no_cache, |_, machine, module| c_api::assembly(machine, module))?;
        Ok(text)
    }

    /// The IR, as text, of what [`compile_with`](Compiler::compile_with) would make code of.
    ///
    /// # Errors
    /// As [`compile_with`](Compiler::compile_with).
    pub fn optimized_ir_with<F>(&mut self, passes: &Passes, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) =
            self.optimize_then(Some(passes), fill, no_cache, |_, _, module| Ok(c_api::ir_text(module)))?;
        Ok(text)
    }

    /// The IR, as text, of what [`compile`](Compiler::compile) would make code of.
    ///
    /// # Errors
    /// As [`compile`](Compiler::compile).
    pub fn optimized_ir<F>(&mut self, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) =
            self.optimize_then(None, fill, no_cache, |_, _, module| Ok(c_api::ir_text(module)))?;
        Ok(text)
    }

    /// The machine that code is made for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn compile_object<F>(&mut self, passes: Option<&Passes>, fill: F) -> Result<Object, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let cache = self.cache.clone();
        let (target, level) = (self.target.clone(), format!("{:?}", self.level));
        let mut entry = None;
        let cached = |module, passes: &Passes| {
            let cache = cache.as_ref()?;
            let passes = passes.as_text();
            let options = [target.triple(), target.cpu(), target.features(), &level, &*passes];
            entry.insert(cache.entry(module, &options)).read()
        };
        let (bytes, mut timings, optimized) = self.optimize_then(passes, fill, cached, Codegen::object)?;
        timings.codegen = optimized.elapsed();
        let object = Object::compiled(bytes, timings);
        if let Some(entry) = entry {
            entry.store(&object);
        }
        Ok(object)
    }

    /// Fills and optimises a module and hands it to `finish`. Gives back what that made, how long the steps
    /// before took, and when they were done. What `cached` has makes optimising and finishing needless.
    fn optimize_then<F, T>(
        &mut self,
        passes: Option<&Passes>,
        fill: F,
        cached: impl FnOnce(LLVMModuleRef, &Passes) -> Option<T>,
        finish: impl FnOnce(&mut Codegen, &TargetMachine, LLVMModuleRef) -> Result<T, Error>,
    ) -> Result<(T, Timings, Instant), Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.count_module()?;
        let begun = Instant::now();
        let module = fill(&self.context);
        let filled = Instant::now();
        let raw = module.as_mut_ptr();
        // SAFETY: the module is alive.
        let home = unsafe { LLVMGetModuleContext(raw) };
        if home != self.context.raw() {
            return Err(Error::new(
                ErrorKind::Module,
                "module belongs to another context than the compiler's",
            ));
        }
        // SAFETY: the context is alive, and so are the diagnostics as long as it is.
        unsafe { self.diagnostics.attach(home) };
        // SAFETY: the module is alive and the triple ended by NUL.
        unsafe { LLVMSetTarget(raw, self.target.c_strings().0.as_ptr()) };
        // SAFETY: the module is alive, and the layout, which is copied, is the machine's.
        unsafe { LLVMSetModuleDataLayout(raw, self.machine.layout()) };
        if self.verify {
            verify(raw)?;
        }
        let passes = passes.unwrap_or(&self.passes);
        if let Some(cached) = cached(raw, passes) {
            let timings =
                Timings { fill: filled - begun, optimize: filled.elapsed(), codegen: Duration::ZERO };
            return Ok((cached, timings, Instant::now()));
        }
        let optimized = self.optimizers.optimize(&self.machine, raw, passes);
        let now = Instant::now();
        let result =
            optimized.and_then(|()| finish(&mut self.codegen, &self.machine, raw)).and_then(|made| {
                let errors = self.diagnostics.take();
                if errors.is_empty() { Ok(made) } else { Err(Error::new(ErrorKind::Codegen, errors)) }
            });
        drop(module);
        match result {
            Ok(made) => {
                let timings =
                    Timings { fill: filled - begun, optimize: now - filled, codegen: Duration::ZERO };
                Ok((made, timings, now))
            }
            Err(error) => {
                self.diagnostics.take();
                // LLVM promises nothing of passes that met an error: the next module gets new ones.
                self.n_modules = MODULES_PER_CONTEXT;
                Err(error)
            }
        }
    }

    /// Counts a module, and takes a fresh context and fresh passes when it is time.
    fn count_module(&mut self) -> Result<(), Error> {
        if self.n_modules >= MODULES_PER_CONTEXT {
            self.optimizers = Optimizers::default();
            self.codegen = Codegen::new(&self.machine)?;
            self.context = Context::create();
            self.n_modules = 0;
        }
        self.n_modules += 1;
        Ok(())
    }
}

/// Nothing is cached of texts.
fn no_cache<T>(_: LLVMModuleRef, _: &Passes) -> Option<T> {
    None
}

/// Runs passes that are made for this module alone.
pub(crate) fn optimize_once(
    machine: &TargetMachine,
    module: LLVMModuleRef,
    passes: &Passes,
) -> Result<(), Error> {
    Optimizers::default().optimize(machine, module, passes)
}

pub(crate) fn verify(module: LLVMModuleRef) -> Result<(), Error> {
    let mut message = std::ptr::null_mut();
    // SAFETY: the module is alive and `message` is a place of ours.
    let broken =
        unsafe { LLVMVerifyModule(module, LLVMVerifierFailureAction::LLVMReturnStatusAction, &mut message) };
    // SAFETY: LLVM leaves a text here, empty if all is well, which is ours to give back.
    let message = unsafe { take_message(message) };
    if broken != 0 {
        return Err(Error::new(ErrorKind::Module, format!("malformed module: {}", message.trim_end())));
    }
    Ok(())
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler")
            .field("target", &self.target)
            .field("passes", &self.passes)
            .field("n_modules", &self.n_modules)
            .finish_non_exhaustive()
    }
}

/// What a [`Compiler`] is made with.
#[derive(Clone, Debug)]
pub struct CompilerBuilder {
    target: Option<Target>,
    level: OptLevel,
    passes: Passes,
    verify: bool,
    cache: Option<ObjectCache>,
}

impl CompilerBuilder {
    /// The machine that code is made for; the host if none is said.
    #[must_use]
    pub fn target(mut self, target: Target) -> CompilerBuilder {
        self.target = Some(target);
        self
    }

    /// How hard the code generator tries.
    #[must_use]
    pub fn opt_level(mut self, level: OptLevel) -> CompilerBuilder {
        self.level = level;
        self
    }

    /// The passes that modules are optimised by. If none are said, none run, whatever the code generator's level is:
    /// [`Passes::text`], with `default<O2>` say, is asked for by name because of what it links.
    #[must_use]
    pub fn passes(mut self, passes: Passes) -> CompilerBuilder {
        self.passes = passes;
        self
    }

    /// Keeps objects in a directory, and takes those that are there instead of compiling. Modules are filled and checked as
    /// before: what they hold is the key.
    #[must_use]
    pub fn cache(mut self, cache: ObjectCache) -> CompilerBuilder {
        self.cache = Some(cache);
        self
    }

    /// Compiles modules without checking first that they are well formed, which takes a few microseconds for a
    /// small function.
    ///
    /// # Safety
    /// Every module that the compiler is given must be well formed: LLVM may do anything with one that is not.
    #[must_use]
    pub unsafe fn without_verifier(mut self) -> CompilerBuilder {
        self.verify = false;
        self
    }

    /// Makes the compiler: its target machine, its context, its passes.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if LLVM cannot make code for the target, [`ErrorKind::Pipeline`] if the text of the
    /// passes is no pipeline.
    pub fn build(self) -> Result<Compiler, Error> {
        let target = match self.target {
            Some(target) => target,
            None => Target::host()?,
        };
        let machine = TargetMachine::new(&target, self.level)?;
        let mut optimizers = Optimizers::default();
        let codegen = Codegen::new(&machine)?;
        let context = Context::create();
        // An empty module shows whether the text is a pipeline.
        let probe = context.create_module("");
        optimizers.optimize(&machine, probe.as_mut_ptr(), &self.passes)?;
        drop(probe);
        Ok(Compiler {
            optimizers,
            codegen,
            context,
            machine,
            target,
            passes: self.passes,
            verify: self.verify,
            level: self.level,
            cache: self.cache,
            diagnostics: Diagnostics::default(),
            n_modules: 0,
            one_thread: PhantomData,
        })
    }
}
