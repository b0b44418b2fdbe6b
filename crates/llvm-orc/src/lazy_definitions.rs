//! Lazy definitions: a dylib's symbols that a materialization unit defines on demand.

#[cfg(feature = "shim")]
use crate::boundary;
use crate::dylib::Dylib;
use crate::error::Error;
#[cfg(feature = "shim")]
use crate::error::ErrorKind;
use crate::materialization_unit::{self, Materialize};
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
}
