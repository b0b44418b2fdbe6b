//! Owned symbols: functions that keep their code in memory.

use std::fmt;
use std::sync::Arc;

use crate::address::{Address, Function, Symbol};
#[cfg(feature = "shim")]
use crate::epochs;
use crate::error::Error;
use crate::tracker::Tracker;

/// A callable function with a type that keeps its tracker alive, and with it its code.
///
/// Programs that store functions beside their trackers use it instead of [`Symbol`], which borrows
/// its tracker. Clones share the tracker.
pub struct OwnedSymbol<F> {
    function: F,
    tracker: Arc<Tracker>,
}

impl<F: Function> OwnedSymbol<F> {
    /// Calls the function with a tuple of arguments: `symbol.call((1.0, 2.0))`.
    pub fn call(&self, arguments: F::Arguments) -> F::Output {
        #[cfg(feature = "shim")]
        let _inside = epochs::enter();
        self.function.call(arguments)
    }

    /// The function's address, valid as long as the tracker lives.
    #[must_use]
    pub fn address(&self) -> Address {
        self.function.address()
    }

    /// The tracker that owns the function's code.
    #[must_use]
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// The same function, borrowed.
    #[must_use]
    pub fn as_symbol(&self) -> Symbol<'_, F> {
        // SAFETY: whoever looked the function up promised its type. The result borrows `self`,
        // which keeps the tracker alive.
        unsafe { Symbol::new(self.function.address()) }
    }
}

impl Tracker {
    /// Like [`lookup_fn`](Tracker::lookup_fn), with a result that keeps this tracker alive instead
    /// of borrowing it.
    ///
    /// # Errors
    /// As [`Dylib::lookup`](crate::Dylib::lookup).
    ///
    /// # Safety
    /// As [`lookup_fn`](Tracker::lookup_fn).
    ///
    /// # Example
    #[cfg_attr(feature = "inkwell", doc = "```")]
    #[cfg_attr(not(feature = "inkwell"), doc = "```ignore")]
    /// # use llvm_orc::{Compiler, Jit, OwnedSymbol};
    /// use std::collections::HashMap;
    /// use std::sync::Arc;
    ///
    /// type Functions = HashMap<String, OwnedSymbol<extern "C" fn(i64) -> i64>>;
    ///
    /// let mut compiler = Compiler::builder().build()?;
    /// let object = compiler.compile(|cx| {
    ///     let module = cx.create_module("next");
    ///     let i64 = cx.i64_type();
    ///     let next = module.add_function("next", i64.fn_type(&[i64.into()], false), None);
    ///     let builder = cx.create_builder();
    ///     builder.position_at_end(cx.append_basic_block(next, "entry"));
    ///     let n = next.get_nth_param(0).expect("it has one parameter").into_int_value();
    ///     let sum = builder.build_int_add(n, i64.const_int(1, false), "").expect("in a block");
    ///     builder.build_return(Some(&sum)).expect("in a block");
    ///     module
    /// })?;
    /// let mut functions = Functions::new();
    /// {
    ///     let dylib = Jit::builder().build()?.create_bare_dylib("code")?;
    ///     let tracker = Arc::new(dylib.add_object(&object)?);
    ///     // SAFETY: `next` belongs to the object, and has this type.
    ///     functions.insert("next".to_owned(), unsafe { tracker.lookup_owned_fn("next") }?);
    /// }
    /// assert_eq!(functions["next"].call((41,)), 42);
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub unsafe fn lookup_owned_fn<F: Function>(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<OwnedSymbol<F>, Error> {
        let address = self.dylib().lookup(name)?;
        // SAFETY: guaranteed by the caller. The result keeps the tracker, and with it the code.
        let function = unsafe { F::from_address(address) };
        Ok(OwnedSymbol { function, tracker: Arc::clone(self) })
    }
}

impl<F: Function> Clone for OwnedSymbol<F> {
    fn clone(&self) -> Self {
        Self { function: self.function, tracker: Arc::clone(&self.tracker) }
    }
}

impl<F: Function> fmt::Debug for OwnedSymbol<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSymbol").field(&self.function.address()).finish()
    }
}
