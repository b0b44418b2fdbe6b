//! The C maths library: the functions of this system's libm, by name and by address.
//!
//! Generated code calls them by address, an interpreter through the table, and both get the same
//! bits. Rust's own functions would not do: `f64::min` treats zeros and NaNs differently from C's
//! `fmin`, and other functions are approximated differently. Linking with a C function by name
//! would not do either: Rust's `compiler_builtins` comes first in the link line and has its own
//! `cbrt`, `fmin`, `floor` and more. So each function is looked up in the library itself at its
//! first use.
//!
//! The address for generated code is that of a thunk that switches to the host stack, because libm
//! does not say how much stack its functions need.

mod sincos;
pub(crate) mod targets;

pub use sincos::sincos;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use targets::{N_FUNCTIONS, TARGETS};

/// A function of the C maths library.
///
/// Promises:
/// 1. The word of `TARGETS` with its `number` is 0 or the address of the function of this name in
///    C's maths library, which is never unloaded, or that of its wrapper.
/// 2. That function takes `arity` doubles, 1 or 2, and returns a double.
/// 3. `thunk` is the thunk of the same number.
#[derive(Debug)]
pub struct MathsEntry {
    name: &'static str,
    arity: u32,
    number: usize,
    thunk: unsafe extern "C" fn(),
    /// What is called in place of the function.
    wrapper: Option<extern "C" fn(f64) -> f64>,
}

impl MathsEntry {
    /// The name in C.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The number of parameters: 1 or 2.
    pub const fn arity(&self) -> u32 {
        self.arity
    }

    /// The address of the C function, or of a wrapper that sets the mode for it. Valid as long as
    /// the process.
    ///
    /// Not for generated code in a guarded call: see [`guest_address`](Self::guest_address).
    ///
    /// # Panics
    /// If the C maths library, `libm.so.6`, lacks the function, or cannot be loaded: [`load`] it
    /// before.
    pub fn address(&self) -> CodeAddress {
        let known = TARGETS[self.number].load(Ordering::Relaxed);
        CodeAddress::new(if known == 0 { self.look_up() } else { known })
    }

    /// The address by which generated code calls the function: same ABI, same bits. In a guarded
    /// call the function runs on the host stack, otherwise on the caller's. Valid as long as this
    /// crate is loaded.
    ///
    /// # Panics
    /// As [`address`](Self::address).
    pub fn guest_address(&self) -> CodeAddress {
        // The thunk jumps through the table, which this look-up fills.
        self.address();
        CodeAddress::new(self.thunk as usize)
    }

    /// The address of the function of C's vector maths library that computes `lanes` values at
    /// once. `lanes` is one of [`VECTOR_LANES`]. The address stays valid as long as the process
    /// lives.
    ///
    /// The function has the vector function ABI of this machine: it takes a vector for each
    /// parameter and returns one. Its results are within 4 units in the last place of the exact
    /// ones.
    ///
    /// Returns `None` if the library has no such function, or the processor cannot run it.
    pub fn vector_address(&self, lanes: u32) -> Option<CodeAddress> {
        let symbol = arch::vector_symbol(self.name, self.arity as usize, lanes)?;
        let symbol = CString::new(symbol).expect("no name contains a zero");
        // SAFETY: the handle is that of a library that stays loaded, the name ends with a zero.
        let function = unsafe { dlsym(libmvec()?, symbol.as_ptr()) };
        (!function.is_null()).then(|| CodeAddress::new(function.addr()))
    }

    #[cold]
    fn look_up(&self) -> usize {
        let name = CString::new(self.name).expect("no name contains a zero");
        // SAFETY: the handle is that of a library that stays loaded, the name ends with a zero.
        let function =
            unsafe { dlsym(libm().unwrap_or_else(|error| panic!("{error}")), name.as_ptr()) }.addr();
        assert!(function != 0, "libm.so.6 has no `{}`", self.name);
        let Some(wrapper) = self.wrapper else {
            TARGETS[self.number].store(function, Ordering::Relaxed);
            return function;
        };
        GAMMA.store(function, Ordering::Relaxed);
        let wrapper = wrapper as *const () as usize;
        // Release: a thread that finds the wrapper also finds the function.
        TARGETS[self.number].store(wrapper, Ordering::Release);
        wrapper
    }

    /// Calls the function.
    ///
    /// # Panics
    /// If the number of `args` differs from the function's arity.
    pub fn call(&self, args: &[f64]) -> f64 {
        assert_eq!(args.len(), self.arity as usize, "`{}` is called with its own arity", self.name);
        let function = self.address().get() as *const ();
        if let &[x, y] = args {
            // SAFETY: the function has two parameters (promises 1 and 2, and the check above).
            let function =
                unsafe { std::mem::transmute::<*const (), extern "C" fn(f64, f64) -> f64>(function) };
            function(x, y)
        } else {
            // SAFETY: the function has one parameter (promises 1 and 2, and the check above).
            let function = unsafe { std::mem::transmute::<*const (), extern "C" fn(f64) -> f64>(function) };
            function(args[0])
        }
    }

    /// Calls the function for each row: with the values at one index of all `args`.
    ///
    /// # Panics
    /// If the number of `args` differs from the function's arity, or their lengths from that of
    /// `out`.
    pub fn call_rows(&self, args: &[&[f64]], out: &mut [f64]) {
        assert_eq!(args.len(), self.arity as usize, "`{}` is called with its own arity", self.name);
        assert!(args.iter().all(|arg| arg.len() == out.len()), "there is an argument for each result");
        let function = self.address().get() as *const ();
        if let &[xs, ys] = args {
            // SAFETY: the function has two parameters (promises 1 and 2, and the check above).
            let function =
                unsafe { std::mem::transmute::<*const (), extern "C" fn(f64, f64) -> f64>(function) };
            call_rows_of_two(function, xs, ys, out);
        } else {
            // SAFETY: the function has one parameter (promises 1 and 2, and the check above).
            let function = unsafe { std::mem::transmute::<*const (), extern "C" fn(f64) -> f64>(function) };
            call_rows_of_one(function, args[0], out);
        }
    }
}

/// A function of its own, so that no pointer is kept on the stack: loading it again behind each
/// call makes `sin` a tenth slower.
#[inline(never)]
fn call_rows_of_one(function: extern "C" fn(f64) -> f64, xs: &[f64], out: &mut [f64]) {
    for (out, &x) in out.iter_mut().zip(xs) {
        *out = function(x);
    }
}

/// As [`call_rows_of_one`].
#[inline(never)]
fn call_rows_of_two(function: extern "C" fn(f64, f64) -> f64, xs: &[f64], ys: &[f64], out: &mut [f64]) {
    for ((out, &x), &y) in out.iter_mut().zip(xs).zip(ys) {
        *out = function(x, y);
    }
}

/// Loads the C maths library, unless it is loaded. Afterwards all functions can be called.
///
/// # Errors
/// If the library cannot be loaded, for example because the process has no file descriptor left.
/// The next call tries again.
pub fn load() -> Result<(), Error> {
    libm().map(drop)
}

/// The function with this name, if programs may call it.
pub fn find(name: &str) -> Option<&'static MathsEntry> {
    ALL.iter().find(|entry| entry.name == name)
}

/// All functions that programs may call.
pub fn all() -> &'static [MathsEntry] {
    &ALL
}

const fn entry<const NUMBER: usize>(name: &'static str, arity: u32) -> MathsEntry {
    MathsEntry { name, arity, number: NUMBER, thunk: arch::maths_thunk::<NUMBER>, wrapper: None }
}

/// `tgamma` of the C library, once it is looked up.
static GAMMA: AtomicUsize = AtomicUsize::new(0);

/// Calls `tgamma` of the C library, which computes with long doubles where it needs more digits: on
/// some machines in another unit, whose mode is the host's.
extern "C" fn gamma(x: f64) -> f64 {
    let function = GAMMA.load(Ordering::Relaxed) as *const ();
    // SAFETY: stored before the address of this wrapper was returned; the function takes a double.
    let function = unsafe { std::mem::transmute::<*const (), extern "C" fn(f64) -> f64>(function) };
    arch::in_engine_x87_mode(|| function(x))
}

static ALL: [MathsEntry; N_FUNCTIONS] = [
    entry::<0>("sin", 1),
    entry::<1>("cos", 1),
    entry::<2>("tan", 1),
    entry::<3>("asin", 1),
    entry::<4>("acos", 1),
    entry::<5>("atan", 1),
    entry::<6>("atan2", 2),
    entry::<7>("sinh", 1),
    entry::<8>("cosh", 1),
    entry::<9>("tanh", 1),
    entry::<10>("exp", 1),
    entry::<11>("log", 1),
    entry::<12>("log10", 1),
    entry::<13>("log2", 1),
    entry::<14>("pow", 2),
    entry::<15>("sqrt", 1),
    entry::<16>("cbrt", 1),
    entry::<17>("floor", 1),
    entry::<18>("ceil", 1),
    entry::<19>("round", 1),
    entry::<20>("trunc", 1),
    entry::<21>("fabs", 1),
    entry::<22>("fmod", 2),
    entry::<23>("fmin", 2),
    entry::<24>("fmax", 2),
    entry::<25>("hypot", 2),
    entry::<26>("asinh", 1),
    entry::<27>("acosh", 1),
    entry::<28>("atanh", 1),
    entry::<29>("exp2", 1),
    entry::<30>("expm1", 1),
    entry::<31>("log1p", 1),
    entry::<32>("rint", 1),
    entry::<33>("erf", 1),
    entry::<34>("erfc", 1),
    MathsEntry { wrapper: Some(gamma), ..entry::<35>("tgamma", 1) },
];

/// `RTLD_NOW` of `<dlfcn.h>`.
const RTLD_NOW: c_int = 2;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlerror() -> *const c_char;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// How many values the functions of C's vector maths library take at once.
pub const VECTOR_LANES: &[u32] = arch::VECTOR_LANES;

/// The handle of C's vector maths library, opened once and never closed. `None` if it cannot be
/// loaded.
fn libmvec() -> Option<*mut c_void> {
    static LIBMVEC: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    static IS_MISSING: AtomicBool = AtomicBool::new(false);
    let mut handle = LIBMVEC.load(Ordering::Relaxed);
    if handle.is_null() && !IS_MISSING.load(Ordering::Relaxed) {
        // SAFETY: the name ends with a zero, and the library's initializers have no requirements.
        handle = unsafe { dlopen(c"libmvec.so.1".as_ptr(), RTLD_NOW) };
        // Another thread may have been faster; its handle is the same.
        LIBMVEC.store(handle, Ordering::Relaxed);
        IS_MISSING.store(handle.is_null(), Ordering::Relaxed);
    }
    (!handle.is_null()).then_some(handle)
}

/// The handle of the C maths library, opened once and never closed.
fn libm() -> Result<*mut c_void, Error> {
    static LIBM: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let known = LIBM.load(Ordering::Relaxed);
    if !known.is_null() {
        return Ok(known);
    }
    // SAFETY: the name ends with a zero, and the library's initializers have no requirements.
    let handle = unsafe { dlopen(c"libm.so.6".as_ptr(), RTLD_NOW) };
    if handle.is_null() {
        // SAFETY: returns a text of this thread, or null.
        let reason = unsafe { dlerror() };
        // SAFETY: a text that ends with a zero, which the thread has until it calls a function of
        // the loader again.
        let reason = (!reason.is_null()).then(|| unsafe { CStr::from_ptr(reason) });
        return Err(Error::maths_library(reason.unwrap_or_default().to_string_lossy().into_owned()));
    }
    // Another thread may have been faster; its handle is the same.
    LIBM.store(handle, Ordering::Relaxed);
    Ok(handle)
}
