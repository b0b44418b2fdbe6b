//! Addresses of symbols, and typed functions at an address.

use std::fmt;
use std::marker::PhantomData;

#[cfg(feature = "shim")]
use crate::epochs;

/// The address of a symbol in this process.
///
/// An address is a number. Creating one is safe, using one is `unsafe`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(u64);

impl Address {
    /// The address with this number.
    #[must_use]
    pub const fn new(address: u64) -> Address {
        Address(address)
    }

    /// The address as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The address as a pointer.
    #[must_use]
    pub fn as_ptr<T>(self) -> *const T {
        std::ptr::with_exposed_provenance(self.0 as usize)
    }
}

impl<T> From<*const T> for Address {
    fn from(pointer: *const T) -> Address {
        Address(pointer.expose_provenance() as u64)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:#x})", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A callable function with a type, from a look-up.
///
/// A symbol borrows the handle that keeps its code in memory. The caller of the look-up promised
/// that the type is right.
pub struct Symbol<'code, F> {
    function: F,
    code: PhantomData<&'code ()>,
}

impl<F: Function> Symbol<'_, F> {
    /// # Safety
    /// A function of type `F` that is safe to call exists at `address` for as long as the result
    /// lives.
    pub(crate) unsafe fn new(address: Address) -> Self {
        // SAFETY: guaranteed by the caller.
        Symbol { function: unsafe { F::from_address(address) }, code: PhantomData }
    }

    /// Calls the function with a tuple of arguments: `symbol.call((1.0, 2.0))`.
    pub fn call(&self, arguments: F::Arguments) -> F::Output {
        #[cfg(feature = "shim")]
        let _inside = epochs::enter();
        self.function.call(arguments)
    }

    /// The function pointer, without the lifetime of the code.
    ///
    /// # Safety
    /// The pointer must not be called after the code was removed.
    #[must_use]
    pub unsafe fn into_inner(self) -> F {
        self.function
    }
}

impl<F> Clone for Symbol<'_, F>
where
    F: Function,
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Function> Copy for Symbol<'_, F> {}

impl<F: Function> fmt::Debug for Symbol<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Symbol").field(&self.function.address()).finish()
    }
}

/// A function type that a symbol can be looked up as: `extern "C" fn` with up to twelve parameters.
pub trait Function: Copy + sealed::Sealed {
    /// The parameters' types, as a tuple.
    type Arguments;
    /// The result's type.
    type Output;

    #[doc(hidden)]
    fn call(self, arguments: Self::Arguments) -> Self::Output;
    #[doc(hidden)]
    fn address(self) -> Address;
    /// # Safety
    /// A function of this type exists at `address`.
    #[doc(hidden)]
    unsafe fn from_address(address: Address) -> Self;
}

mod sealed {
    /// Implemented for function pointers only: nothing else can be created from an address.
    pub trait Sealed {}
}

macro_rules! functions {
    ($($parameter:ident)*) => {
        impl<Output, $($parameter),*> sealed::Sealed for extern "C" fn($($parameter),*) -> Output {}

        impl<Output, $($parameter),*> Function for extern "C" fn($($parameter),*) -> Output {
            type Arguments = ($($parameter,)*);
            type Output = Output;

            #[allow(non_snake_case)] // each parameter is named like its type
            fn call(self, ($($parameter,)*): Self::Arguments) -> Output {
                self($($parameter),*)
            }

            fn address(self) -> Address {
                Address::from(self as *const ())
            }

            unsafe fn from_address(address: Address) -> Self {
                // SAFETY: function and data pointers have the same size here. The caller guarantees
                // the type.
                unsafe { std::mem::transmute::<*const (), Self>(address.as_ptr()) }
            }
        }
    };
}

functions!();
functions!(A);
functions!(A B);
functions!(A B C);
functions!(A B C D);
functions!(A B C D E);
functions!(A B C D E G);
functions!(A B C D E G H);
functions!(A B C D E G H I);
functions!(A B C D E G H I J);
functions!(A B C D E G H I J K);
functions!(A B C D E G H I J K L);
functions!(A B C D E G H I J K L M);
