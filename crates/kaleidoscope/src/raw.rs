//! Raw calls: a function of a program as a plain C function. The second place of this crate that is unsafe.
//!
//! Nothing stands around a raw call: it runs on the caller's stack, cannot be stopped, and has nobody to ask for code. What it
//! may not do ends the process with a message: reaching a function without code, or one of the host; using up
//! the stack (Rust's own message). What it must not do is written at [`Function::call_raw`].
#![allow(unsafe_code)]

use crate::function::{Arguments, DynFunction, Function};
use std::mem::transmute;

impl<A: Arguments> Function<A> {
    /// Calls the function as C would, without any guard.
    ///
    /// A function without code, or one of the host, that the call reaches ends the process with a message: call
    /// [`Function::prepare`] on all that it may reach before. An endless loop does not end.
    ///
    /// # Safety
    /// While the call runs, in every thread:
    /// - nothing that it reaches is defined again or freed, unless the call is made inside of [`Engine::enter`] of
    ///   the same engine, which keeps code in memory until it is left;
    /// - the engine is not dropped (this handle keeps it alive);
    /// - no signal handler or debugger makes it unwind or skips its frames.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def half(x) x / 2;");
    /// let half = engine.function::<(f64,)>("half")?;
    /// half.prepare()?;
    /// // SAFETY: nothing is defined here meanwhile, and `half` calls nothing.
    /// assert_eq!(unsafe { half.call_raw((84.0,)) }, 42.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Engine::enter`]: crate::Engine::enter
    #[inline]
    pub unsafe fn call_raw(&self, args: A) -> f64 {
        // SAFETY: the caller's promises; the callable is one of this function's engine, with the arity of `A`.
        unsafe { args.call_raw(self.handle().callable.address()) }
    }

    /// The function's address for ever, whatever is defined behind it: a C function of doubles, to be handed to C.
    ///
    /// It is valid as long as the engine, and that of a formula as long as there is a handle of it. Calls of it are raw calls:
    /// [`Function::call_raw`] says what they must keep to.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let next = engine.formula("x + 1", &["x"])?.typed::<(f64,)>()?;
    /// let pointer: unsafe extern "C" fn(f64) -> f64 = next.pointer();
    /// next.prepare()?;
    /// // SAFETY: nothing is defined meanwhile, and the formula calls nothing.
    /// assert_eq!(unsafe { pointer(1.0) }, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pointer(&self) -> A::Pointer {
        A::pointer(self.handle().callable.address())
    }
}

impl DynFunction {
    /// The function's address for ever, as [`Function::pointer`] gives it: of a C function with as many doubles as
    /// [`Self::arity`] says. It is valid as long.
    pub fn address(&self) -> *const () {
        self.handle().callable.address() as *const ()
    }
}

pub(crate) mod sealed {

    /// A tuple of doubles as the arguments of a C function.
    pub trait Arguments: Copy {
        const ARITY: u32;
        type Array: AsRef<[f64]>;
        type Pointer: Copy;

        fn into_array(self) -> Self::Array;

        /// The address as a pointer to a C function.
        fn pointer(address: usize) -> Self::Pointer;

        /// Calls the C function.
        ///
        /// # Safety
        /// As [`crate::Function::call_raw`].
        unsafe fn call_raw(self, address: usize) -> f64;
    }
}

/// `f64`, once for each name in a macro's list.
macro_rules! f64_for {
    ($arg:ident) => {
        f64
    };
}
pub(crate) use f64_for;

macro_rules! arguments {
    ($arity:literal: $($arg:ident)*) => {
        impl sealed::Arguments for ($(f64_for!($arg),)*) {
            const ARITY: u32 = $arity;
            type Array = [f64; $arity];
            type Pointer = unsafe extern "C" fn($(f64_for!($arg)),*) -> f64;

            #[inline]
            fn into_array(self) -> Self::Array {
                let ($($arg,)*) = self;
                [$($arg),*]
            }

            #[inline]
            fn pointer(address: usize) -> Self::Pointer {
                // SAFETY: both are addresses of the same size, of a stub of this arity; whether it may be called is promised
                // by whoever calls it.
                unsafe { transmute::<usize, Self::Pointer>(address) }
            }

            #[inline]
            unsafe fn call_raw(self, address: usize) -> f64 {
                let ($($arg,)*) = self;
                let function = Self::pointer(address);
                // SAFETY: the caller's promises.
                unsafe { function($($arg),*) }
            }
        }
    };
}

arguments! { 0: }
arguments! { 1: a }
arguments! { 2: a b }
arguments! { 3: a b c }
arguments! { 4: a b c d }
arguments! { 5: a b c d e }
arguments! { 6: a b c d e f }
arguments! { 7: a b c d e f g }
arguments! { 8: a b c d e f g h }
