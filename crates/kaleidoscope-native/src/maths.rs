//! The functions of C's maths library, as the C library of this system has them.
//!
//! Generated code calls them by address, an interpreter through the table: both get the same bits. Nothing else will
//! do: `f64::min` treats zeros and NaNs otherwise than C's `fmin`, others are approximated otherwise, and to link with a
//! C function by name is not enough: Rust's `compiler_builtins` comes first in the link line and brings a `cbrt`, `fmin`,
//! `floor` and more of its own. So each is looked up in the library itself, when it is first asked for.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::address::CodeAddress;

/// A function of the C maths library.
///
/// Promises:
/// 1. `address` is 0 or the address of the function of this name in C's maths library, which is never unloaded.
/// 2. That function takes `arity` doubles, 1 or 2, and returns a double.
#[derive(Debug)]
pub struct MathsEntry {
    name: &'static str,
    arity: u32,
    address: AtomicUsize,
}

impl MathsEntry {
    /// Its name in C.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The number of parameters: 1 or 2.
    pub const fn arity(&self) -> u32 {
        self.arity
    }

    /// The address of the C function, valid as long as the process.
    ///
    /// # Panics
    /// If the system's C library lacks its maths part, `libm.so.6`.
    pub fn address(&self) -> CodeAddress {
        let known = self.address.load(Ordering::Relaxed);
        CodeAddress::new(if known == 0 { self.look_up() } else { known })
    }

    #[cold]
    fn look_up(&self) -> usize {
        let name = CString::new(self.name).expect("no name contains a zero");
        // SAFETY: the handle is that of a library that stays loaded, the name ends with a zero.
        let function = unsafe { dlsym(libm(), name.as_ptr()) }.addr();
        assert!(function != 0, "libm.so.6 has no `{}`", self.name);
        self.address.store(function, Ordering::Relaxed);
        function
    }

    /// Its value.
    ///
    /// # Panics
    /// If `args` are not as many as the function has parameters.
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
}

/// The function of this name, if it belongs to those that programs may call.
pub fn find(name: &str) -> Option<&'static MathsEntry> {
    ALL.iter().find(|entry| entry.name == name)
}

/// All functions that programs may call.
pub fn all() -> &'static [MathsEntry] {
    &ALL
}

const fn entry(name: &'static str, arity: u32) -> MathsEntry {
    MathsEntry { name, arity, address: AtomicUsize::new(0) }
}

static ALL: [MathsEntry; 36] = [
    entry("sin", 1),
    entry("cos", 1),
    entry("tan", 1),
    entry("asin", 1),
    entry("acos", 1),
    entry("atan", 1),
    entry("atan2", 2),
    entry("sinh", 1),
    entry("cosh", 1),
    entry("tanh", 1),
    entry("exp", 1),
    entry("log", 1),
    entry("log10", 1),
    entry("log2", 1),
    entry("pow", 2),
    entry("sqrt", 1),
    entry("cbrt", 1),
    entry("floor", 1),
    entry("ceil", 1),
    entry("round", 1),
    entry("trunc", 1),
    entry("fabs", 1),
    entry("fmod", 2),
    entry("fmin", 2),
    entry("fmax", 2),
    entry("hypot", 2),
    entry("asinh", 1),
    entry("acosh", 1),
    entry("atanh", 1),
    entry("exp2", 1),
    entry("expm1", 1),
    entry("log1p", 1),
    entry("rint", 1),
    entry("erf", 1),
    entry("erfc", 1),
    entry("tgamma", 1),
];

/// `RTLD_NOW` of `<dlfcn.h>`.
const RTLD_NOW: c_int = 2;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The handle of C's maths library, which is opened once and never closed.
fn libm() -> *mut c_void {
    static LIBM: OnceLock<usize> = OnceLock::new();
    let handle = *LIBM.get_or_init(|| {
        // SAFETY: the name ends with a zero, and the library's initialisers ask for nothing.
        let handle = unsafe { dlopen(c"libm.so.6".as_ptr(), RTLD_NOW) };
        assert!(!handle.is_null(), "the C library's maths part, libm.so.6, cannot be loaded");
        handle.expose_provenance()
    });
    std::ptr::with_exposed_provenance_mut(handle)
}
