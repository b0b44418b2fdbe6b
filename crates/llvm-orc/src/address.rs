//! Addresses of symbols, and functions that can be called with a type.

use std::fmt;
use std::marker::PhantomData;

/// The address of a symbol in this process.
///
/// It is a number: having one allows nothing, using one is `unsafe`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(u64);

impl Address {
    /// The address of that number.
    #[must_use]
    pub const fn new(address: u64) -> Address {
        Address(address)
    }

    /// The number.
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

/// A function that was looked up with its type and can be called.
///
/// It cannot outlive what keeps its code in place. That the type is right was promised at the look-up.
pub struct Symbol<'code, F> {
    function: F,
    code: PhantomData<&'code ()>,
}

impl<F: Function> Symbol<'_, F> {
    /// # Safety
    /// At `address` is a function of type `F`, safe to call, and stays there as long as the result lives.
    pub(crate) unsafe fn new(address: Address) -> Self {
        // SAFETY: the caller's promise.
        Symbol { function: unsafe { F::from_address(address) }, code: PhantomData }
    }

    /// Calls the function with a tuple of arguments: `symbol.call((1.0, 2.0))`.
    pub fn call(&self, arguments: F::Arguments) -> F::Output {
        self.function.call(arguments)
    }

    /// The function's pointer, which no lifetime holds.
    ///
    /// # Safety
    /// It must not be called once the code may have been removed.
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

/// A type of function that a symbol can be looked up as: `extern "C" fn` of up to twelve parameters.
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
    /// At `address` is a function of this type.
    #[doc(hidden)]
    unsafe fn from_address(address: Address) -> Self;
}

mod sealed {
    /// Only function pointers can be made from an address.
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
                // SAFETY: function pointers have the size of data pointers here; the rest is the caller's promise.
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
