//! Compiler: IR module, filled by the caller, to object file.
//!
//! A compiler stays on one thread, because LLVM's contexts and target machines are not thread-safe.
//! Compilers of different threads share nothing and never wait for each other.

mod c_api;
mod diagnostics;
mod files;
mod function_pass;
mod object_cache;
mod optimize;
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
use crate::out_of_memory::InsideLlvm;
use crate::process_exit::Work;
use crate::target::{OptLevel, Target};
use crate::target_machine::TargetMachine;
#[cfg(not(feature = "shim"))]
use c_api::Codegen;
use diagnostics::Diagnostics;
use optimizers::Optimizers;
#[cfg(feature = "shim")]
use shim::Codegen;

pub use files::OutputFile;
pub use function_pass::FunctionPass;
pub use object_cache::ObjectCache;
pub use passes::Passes;

/// Number of modules after which a compiler replaces its context. A context frees constants, types
/// and names only when it is destroyed itself.
///
/// A new context with new passes costs about as much as compiling one small function, so replacing
/// it adds a few thousandths to each module.
pub const MODULES_PER_CONTEXT: u32 = 512;

/// Compiles modules to objects for one target, with one pass pipeline unless a call names another.
///
/// The compiler owns the context of the modules. The context is available only while a module is
/// being filled:
///
/// ```compile_fail
/// let mut compiler = llvm_orc::Compiler::builder().build()?;
/// let mut stored = None;
/// compiler.compile(|cx| {
///     stored = Some(cx); // error: the context does not outlive the closure
///     cx.create_module("m")
/// })?;
/// # Ok::<(), llvm_orc::Error>(())
/// ```
pub struct Compiler {
    // Fields are dropped in this order: optimizers and code generator refer to context and machine.
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
    not_send: PhantomData<*const ()>,
}

impl Compiler {
    /// Starts building a `Compiler`.
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

    /// Compiles the module that `fill` returns, with the compiler's own passes.
    ///
    /// The module gets the compiler's triple and data layout. If `fill` panics, the compiler stays
    /// usable.
    ///
    /// # Errors
    /// [`ErrorKind::Module`] if the module is malformed or belongs to another context than the one
    /// that `fill` received; [`ErrorKind::Codegen`] if LLVM cannot generate code for it.
    pub fn compile<F>(&mut self, fill: F) -> Result<Object, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.compile_object(None, |cx| Ok(fill(cx)))
    }

    /// Like [`compile`](Compiler::compile), for a closure that can fail. Its error is returned.
    ///
    /// # Errors
    /// The error of `fill`, and those of [`compile`](Compiler::compile).
    ///
    /// # Example
    /// ```
    /// # use llvm_orc::Compiler;
    /// let mut compiler = Compiler::builder().build()?;
    /// let result: Result<_, Box<dyn std::error::Error>> = compiler.try_compile(|cx| {
    ///     let number: f64 = "no number".parse()?;
    ///     # let _ = number;
    ///     Ok(cx.create_module("never"))
    /// });
    /// assert_eq!(result.unwrap_err().to_string(), "invalid float literal");
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub fn try_compile<F, E>(&mut self, fill: F) -> Result<Object, E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        self.compile_object(None, fill)
    }

    /// Like [`compile`](Compiler::compile), with passes for this module.
    ///
    /// The compiler keeps the optimizer of each distinct `passes` for later modules, so use few
    /// different ones.
    ///
    /// # Errors
    /// As [`compile`](Compiler::compile), and [`ErrorKind::Pipeline`] if the text of `passes` is
    /// not a valid pipeline.
    pub fn compile_with<F>(&mut self, passes: &Passes, fill: F) -> Result<Object, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.compile_object(Some(passes), |cx| Ok(fill(cx)))
    }

    /// Like [`compile_with`](Compiler::compile_with), for a closure that can fail. Its error is
    /// returned.
    ///
    /// # Errors
    /// The error of `fill`, and those of [`compile_with`](Compiler::compile_with).
    pub fn try_compile_with<F, E>(&mut self, passes: &Passes, fill: F) -> Result<Object, E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        self.compile_object(Some(passes), fill)
    }

    /// Assembly text of the code that [`compile_with`](Compiler::compile_with) would generate.
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

    /// Assembly text of the code that [`compile`](Compiler::compile) would generate.
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

    /// IR text after the passes of [`compile_with`](Compiler::compile_with).
    ///
    /// # Errors
    /// As [`compile_with`](Compiler::compile_with).
    pub fn optimized_ir_with<F>(&mut self, passes: &Passes, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) =
            self.optimize_then(Some(passes), fill, no_cache, |_, _, module| c_api::ir_text(module))?;
        Ok(text)
    }

    /// IR text after the passes of [`compile`](Compiler::compile).
    ///
    /// # Errors
    /// As [`compile`](Compiler::compile).
    pub fn optimized_ir<F>(&mut self, fill: F) -> Result<String, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (text, _, _) = self.optimize_then(None, fill, no_cache, |_, _, module| c_api::ir_text(module))?;
        Ok(text)
    }

    /// The files of the module that `fill` returns, in this order, after these passes.
    ///
    /// # Errors
    /// As [`compile_with`](Compiler::compile_with).
    pub fn files_with<F>(
        &mut self,
        passes: &Passes,
        files: &[OutputFile],
        fill: F,
    ) -> Result<Vec<Vec<u8>>, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        let (files, _, _) =
            self.optimize_then(Some(passes), fill, no_cache, |codegen, machine, module| {
                files::make(codegen, machine, module, files)
            })?;
        Ok(files)
    }

    /// The target that code is generated for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn compile_object<F, E>(&mut self, passes: Option<&Passes>, fill: F) -> Result<Object, E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        let cache = self.cache.clone();
        let (target, level) = (self.target.clone(), format!("{:?}", self.level));
        let mut entry = None;
        let read_cache = |module, passes: &Passes| {
            let cache = cache.as_ref()?;
            let passes = passes.as_text();
            let options = [target.triple(), target.cpu(), target.features(), &level, &*passes];
            // Without memory for the key, the object is compiled and not stored.
            entry.insert(cache.entry(module, &options).ok()?).read()
        };
        let (bytes, mut timings, optimized) =
            self.try_optimize_then(passes, fill, read_cache, Codegen::object)?;
        timings.codegen = optimized.elapsed();
        let object = Object::compiled(bytes, timings);
        if let Some(entry) = entry {
            entry.store(&object);
        }
        Ok(object)
    }

    /// Fills and optimizes a module and passes it to `finish`. Returns the result of `finish`, the
    /// times of the earlier steps, and when they ended.
    ///
    /// If `read_cache` returns a result, the module is neither optimized nor passed to `finish`.
    fn try_optimize_then<F, T, E>(
        &mut self,
        passes: Option<&Passes>,
        fill: F,
        read_cache: impl FnOnce(LLVMModuleRef, &Passes) -> Option<T>,
        finish: impl FnOnce(&mut Codegen, &TargetMachine, LLVMModuleRef) -> Result<T, Error>,
    ) -> Result<(T, Timings, Instant), E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        let _inside = InsideLlvm::enter();
        self.count_module()?;
        let start = Instant::now();
        let module = fill(&self.context)?;
        let filled = Instant::now();
        let _work = Work::begin()?;
        let raw = module.as_mut_ptr();
        // SAFETY: the module is alive.
        let module_context = unsafe { LLVMGetModuleContext(raw) };
        if module_context != self.context.raw() {
            return Err(Error::new(
                ErrorKind::Module,
                "module belongs to another context than the compiler's",
            )
            .into());
        }
        // SAFETY: the context is alive, and the diagnostics live as long as the context.
        unsafe { self.diagnostics.attach(module_context) };
        // SAFETY: the module is alive and the triple is NUL-terminated.
        unsafe { LLVMSetTarget(raw, self.target.c_strings().0.as_ptr()) };
        // SAFETY: the module is alive. LLVM copies the layout, which belongs to the machine.
        unsafe { LLVMSetModuleDataLayout(raw, self.machine.layout()) };
        if self.verify {
            verify(raw)?;
        }
        let passes = passes.unwrap_or(&self.passes);
        if let Some(cached) = read_cache(raw, passes) {
            let timings =
                Timings { fill: filled - start, optimize: filled.elapsed(), codegen: Duration::ZERO };
            return Ok((cached, timings, Instant::now()));
        }
        let optimized = self.optimizers.optimize(&self.machine, raw, passes);
        let now = Instant::now();
        let result =
            optimized.and_then(|()| finish(&mut self.codegen, &self.machine, raw)).and_then(|output| {
                let errors = self.diagnostics.take();
                if errors.is_empty() { Ok(output) } else { Err(Error::new(ErrorKind::Codegen, errors)) }
            });
        drop(module);
        match result {
            Ok(output) => {
                let timings =
                    Timings { fill: filled - start, optimize: now - filled, codegen: Duration::ZERO };
                Ok((output, timings, now))
            }
            Err(error) => {
                self.diagnostics.take();
                // LLVM does not specify the state of passes after an error: the next module gets
                // new passes.
                self.n_modules = MODULES_PER_CONTEXT;
                Err(error.into())
            }
        }
    }

    /// Like [`try_optimize_then`](Compiler::try_optimize_then), for a closure that cannot fail.
    fn optimize_then<F, T>(
        &mut self,
        passes: Option<&Passes>,
        fill: F,
        read_cache: impl FnOnce(LLVMModuleRef, &Passes) -> Option<T>,
        finish: impl FnOnce(&mut Codegen, &TargetMachine, LLVMModuleRef) -> Result<T, Error>,
    ) -> Result<(T, Timings, Instant), Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        self.try_optimize_then(passes, |cx| Ok(fill(cx)), read_cache, finish)
    }

    /// Counts a module. Replaces context, optimizers and code generator after
    /// [`MODULES_PER_CONTEXT`].
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

/// Assembly and IR texts are not cached.
fn no_cache<T>(_: LLVMModuleRef, _: &Passes) -> Option<T> {
    None
}

/// Runs passes that are created for this module only.
pub(crate) fn optimize_once(
    machine: &TargetMachine,
    module: LLVMModuleRef,
    passes: &Passes,
) -> Result<(), Error> {
    Optimizers::default().optimize(machine, module, passes)
}

pub(crate) fn verify(module: LLVMModuleRef) -> Result<(), Error> {
    let mut message = std::ptr::null_mut();
    // SAFETY: the module is alive and `message` is our local variable.
    let broken =
        unsafe { LLVMVerifyModule(module, LLVMVerifierFailureAction::LLVMReturnStatusAction, &mut message) };
    // SAFETY: LLVM always stores a text here, empty if the module is valid, and we own the text.
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

/// Settings of a [`Compiler`].
#[derive(Clone, Debug)]
pub struct CompilerBuilder {
    target: Option<Target>,
    level: OptLevel,
    passes: Passes,
    verify: bool,
    cache: Option<ObjectCache>,
}

impl CompilerBuilder {
    /// Target of the code. The default is the host.
    #[must_use]
    pub fn target(mut self, target: Target) -> CompilerBuilder {
        self.target = Some(target);
        self
    }

    /// Effort of the code generator. The default is [`OptLevel::Default`].
    #[must_use]
    pub fn opt_level(mut self, level: OptLevel) -> CompilerBuilder {
        self.level = level;
        self
    }

    /// Passes that optimize each module. The default is none, at every [`OptLevel`].
    ///
    /// Optimization such as `Passes::text("default<O2>")` must be requested because of the amount
    /// of code that it links. See [`Passes`].
    #[must_use]
    pub fn passes(mut self, passes: Passes) -> CompilerBuilder {
        self.passes = passes;
        self
    }

    /// Stores objects in a directory and reuses them instead of compiling. Modules are still filled
    /// and verified, because the module is the cache key.
    #[must_use]
    pub fn cache(mut self, cache: ObjectCache) -> CompilerBuilder {
        self.cache = Some(cache);
        self
    }

    /// Skips the verifier, which takes a few microseconds for a small function.
    ///
    /// # Safety
    /// Every module must be well formed. LLVM's behavior for other modules is undefined.
    #[must_use]
    pub unsafe fn without_verifier(mut self) -> CompilerBuilder {
        self.verify = false;
        self
    }

    /// Creates the compiler with its target machine, context and passes.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if LLVM cannot generate code for the target, [`ErrorKind::Pipeline`]
    /// if the text of the passes is not a valid pipeline.
    pub fn build(self) -> Result<Compiler, Error> {
        let _inside = InsideLlvm::enter();
        let _work = Work::begin()?;
        let target = match self.target {
            Some(target) => target,
            None => Target::host()?,
        };
        let machine = TargetMachine::new(&target, self.level)?;
        let mut optimizers = Optimizers::default();
        let codegen = Codegen::new(&machine)?;
        let context = Context::create();
        // Running the passes on an empty module parses the pipeline.
        let empty = context.create_module("");
        optimizers.optimize(&machine, empty.as_mut_ptr(), &self.passes)?;
        drop(empty);
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
            not_send: PhantomData,
        })
    }
}
