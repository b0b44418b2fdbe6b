//! Raw calls: a function of a program as a plain C function. The only unsafe module of this crate.
//!
//! A raw call has no guard: it runs on the caller's stack and in the caller's floating-point mode,
//! cannot be interrupted, and cannot compile anything. If it reaches a function without code or a
//! host function, the process ends with a message. If it overflows the stack, the process ends with
//! Rust's own message. [`Function::call_raw`] lists what the caller must ensure.
#![allow(unsafe_code)]

use crate::function::{Arguments, DynFunction, Function};
use std::mem::transmute;

impl<A: Arguments> Function<A> {
    /// Calls the function as C code would, without a guard.
    ///
    /// If the call reaches a function without code or a host function, or an index means no element
    /// of an array, the process ends with a message. So call [`Function::prepare`] on every
    /// function that it may reach. An endless loop does not end. The code runs in the
    /// floating-point mode of the calling thread: only in the usual one does it give the same bits
    /// as other calls.
    ///
    /// # Safety
    /// While the call runs, in every thread:
    /// - No function that it reaches is redefined or freed. Calls inside [`Engine::enter`] of the
    ///   same engine are exempt, because the scope keeps code in memory.
    /// - The engine is not dropped. This handle keeps it alive.
    /// - No signal handler or debugger unwinds the call or skips its frames.
    ///
    /// If a function that it has inlined is redefined inside such a scope, the interpreter
    /// completes the call, without machine code.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def half(x) x / 2;").ok()?;
    /// let half = engine.function::<(f64,)>("half")?;
    /// half.prepare()?;
    /// // SAFETY: nothing is redefined during the call, and `half` calls nothing.
    /// assert_eq!(unsafe { half.call_raw((84.0,)) }, 42.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Engine::enter`]: crate::Engine::enter
    #[inline]
    pub unsafe fn call_raw(&self, args: A) -> f64 {
        // SAFETY: the caller's promises; the callable is one of this function's engine, with the
        // arity of `A`.
        unsafe { args.call_raw(self.handle().callable.address()) }
    }

    /// The function's address as a C function pointer. The address never changes, also when the
    /// function is redefined.
    ///
    /// It is valid as long as the engine; for a formula, as long as a handle of the formula. A call
    /// of it is a raw call: [`Function::call_raw`] lists what the caller must ensure.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let next = engine.formula("x + 1", &["x"])?.typed::<(f64,)>()?;
    /// let pointer: unsafe extern "C" fn(f64) -> f64 = next.pointer();
    /// next.prepare()?;
    /// // SAFETY: nothing is redefined during the call, and the formula calls nothing.
    /// assert_eq!(unsafe { pointer(1.0) }, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pointer(&self) -> A::Pointer {
        A::pointer(self.handle().callable.address())
    }
}

impl DynFunction {
    /// The function's address, as [`Function::pointer`]: of a C function that takes [`Self::arity`]
    /// doubles. It is valid for the same time.
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
                // SAFETY: both are addresses of the same size, of a stub of this arity. Callers of
                // the pointer promise that it may be called.
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
