//! Lazy definitions: a dylib's symbols that a materialization unit defines on demand.

#[cfg(feature = "shim")]
use std::sync::Arc;

#[cfg(feature = "shim")]
use crate::boundary;
#[cfg(feature = "shim")]
use crate::code_generator::CodeGenerator;
use crate::dylib::Dylib;
use crate::error::Error;
#[cfg(feature = "shim")]
use crate::error::ErrorKind;
use crate::materialization_unit::{self, Materialize};
#[cfg(feature = "shim")]
use crate::responsibility::Responsibility;
use crate::symbols::SymbolFlags;
#[cfg(feature = "shim")]
use crate::tracker::Tracker;

impl Dylib {
    /// Defines symbols whose definitions are materialized when one of them is first looked up.
    ///
    /// LLVM's C API can remove these symbols only together with all others, by
    /// [`clear`](Dylib::clear). With the feature `shim`,
    #[cfg_attr(feature = "shim", doc = "[`define_lazily_tracked`](Dylib::define_lazily_tracked)")]
    #[cfg_attr(not(feature = "shim"), doc = "`define_lazily_tracked`")]
    /// returns a tracker for them. After a failure the names stay defined, and every look-up fails.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a name is already defined, and then no name is;
    /// [`ErrorKind::Name`] if a name contains a NUL character, or if there is no name.
    ///
    /// # Example
    #[cfg_attr(feature = "inkwell", doc = "```")]
    #[cfg_attr(not(feature = "inkwell"), doc = "```ignore")]
    /// # use llvm_orc::{Compiler, Jit, Responsibility, SymbolFlags};
    /// let dylib = Jit::builder().build()?.create_bare_dylib("lazy")?;
    /// let four = |responsibility: Responsibility| {
    ///     let object = Compiler::builder().build()?.compile(|cx| {
    ///         let module = cx.create_module("four");
    ///         let function = module.add_function("four", cx.i32_type().fn_type(&[], false), None);
    ///         let builder = cx.create_builder();
    ///         builder.position_at_end(cx.append_basic_block(function, "entry"));
    ///         builder.build_return(Some(&cx.i32_type().const_int(4, false))).expect("in a block");
    ///         module
    ///     })?;
    ///     responsibility.emit_object(&object);
    ///     Ok(())
    /// };
    /// dylib.define_lazily([("four", SymbolFlags::FUNCTION)], four)?; // nothing is compiled yet
    /// // SAFETY: `four` has this type and is never removed.
    /// let four = unsafe { dylib.lookup_fn::<extern "C" fn() -> i32>("four") }?;
    /// assert_eq!(four.call(()), 4);
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub fn define_lazily<'a>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
        definitions: impl Materialize,
    ) -> Result<(), Error> {
        let unit = materialization_unit::create(self, symbols, Box::new(definitions))?;
        // SAFETY: we own the unit.
        unsafe { self.define(unit) }
    }

    /// Like [`define_lazily`](Dylib::define_lazily), with a tracker that owns the symbols. Removing
    /// the tracker drops definitions that were not materialized, and removes the code of the
    /// others.
    ///
    /// # Errors
    /// As [`define_lazily`](Dylib::define_lazily).
    #[cfg(feature = "shim")]
    pub fn define_lazily_tracked<'a>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
        definitions: impl Materialize,
    ) -> Result<Tracker, Error> {
        use llvm_sys::error::LLVMErrorRef;
        use llvm_sys::orc2::{LLVMOrcMaterializationUnitRef, LLVMOrcResourceTrackerRef};

        // SAFETY: the signature is that of `shim/session.cpp`.
        unsafe extern "C" {
            fn llvm_orc_define(
                tracker: LLVMOrcResourceTrackerRef,
                unit: LLVMOrcMaterializationUnitRef,
            ) -> LLVMErrorRef;
        }

        let unit = materialization_unit::create(self, symbols, Box::new(definitions))?;
        let tracker = Tracker::new(self.clone());
        boundary::call_llvm(|| {
            // SAFETY: the tracker is alive and belongs to this dylib. The unit is passed with
            // ownership.
            let error = unsafe { llvm_orc_define(tracker.raw(), unit) };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Session) }
        })?;
        Ok(tracker)
    }

    /// Defines symbols that a code generator defines when one of them is first looked up.
    ///
    /// # Errors
    /// As [`define_lazily_tracked`](Dylib::define_lazily_tracked).
    ///
    /// # Example
    #[cfg_attr(feature = "inkwell", doc = "```")]
    #[cfg_attr(not(feature = "inkwell"), doc = "```ignore")]
    /// # use std::sync::Arc;
    /// # use llvm_orc::{Compiler, Jit, Object, SymbolFlags};
    /// /// A compiler that is not LLVM: cranelift-object, TPDE, an assembler.
    /// fn compile(number: &i32) -> Result<Object, llvm_orc::Error> {
    ///     # let number = *number as u64;
    ///     # Compiler::builder().build()?.compile(|cx| {
    ///     #     let module = cx.create_module("answer");
    ///     #     let i32 = cx.i32_type();
    ///     #     let answer = module.add_function("answer", i32.fn_type(&[], false), None);
    ///     #     let builder = cx.create_builder();
    ///     #     builder.position_at_end(cx.append_basic_block(answer, "entry"));
    ///     #     let value = i32.const_int(number, false);
    ///     #     builder.build_return(Some(&value)).expect("in a block");
    ///     #     module
    ///     # })
    /// }
    ///
    /// let dylib = Jit::builder().build()?.create_bare_dylib("code")?;
    /// let compile = Arc::new(compile);
    /// let symbols = [("answer", SymbolFlags::FUNCTION)];
    /// let tracker = dylib.generate_lazily(symbols, &compile, 42)?;
    /// // SAFETY: the function has this type.
    /// let answer = unsafe { tracker.lookup_fn::<extern "C" fn() -> i32>("answer") }?;
    /// assert_eq!(answer.call(()), 42);
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    #[cfg(feature = "shim")]
    pub fn generate_lazily<'a, Input, G>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
        generator: &Arc<G>,
        input: Input,
    ) -> Result<Tracker, Error>
    where
        Input: Send + 'static,
        G: CodeGenerator<Input>,
    {
        let generator = Arc::clone(generator);
        self.define_lazily_tracked(symbols, move |responsibility: Responsibility| {
            responsibility.emit_object(&generator.generate(&input)?);
            Ok(())
        })
    }
}
