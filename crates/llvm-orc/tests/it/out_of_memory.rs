//! Missing memory: inside LLVM it ends the process with a sentence, and outside it is an exception
//! of C++, as in any program.

use std::ffi::c_void;
use std::hint::black_box;

use llvm_orc::{Compiler, IrModule};

use crate::own_process::aborts_own_process_saying;
#[cfg(not(feature = "static-runtime"))]
use crate::own_process::in_own_process;

const SENTENCE: &str = "error: out of memory in LLVM, which cannot continue\n";

/// More than any process has.
const TOO_MUCH: usize = 1 << 60;

// SAFETY: the signatures are those of `operator new(std::size_t)`, of `operator new(std::size_t,
// const std::nothrow_t &)`, and of `std::nothrow`.
unsafe extern "C" {
    safe fn _Znwm(n_bytes: usize) -> *mut c_void;
    #[cfg(not(feature = "static-runtime"))]
    fn _ZnwmRKSt9nothrow_t(n_bytes: usize, nothrow: *const c_void) -> *mut c_void;
    #[cfg(not(feature = "static-runtime"))]
    static _ZSt7nothrow: u8;
}

#[test]
fn a_compiler_without_memory_ends_the_process_with_a_sentence() {
    let name = "out_of_memory::a_compiler_without_memory_ends_the_process_with_a_sentence";
    aborts_own_process_saying(name, SENTENCE, || {
        let mut compiler = Compiler::builder().build().unwrap();
        drop(compiler.compile(|cx| {
            black_box(_Znwm(TOO_MUCH));
            cx.create_module("never")
        }));
    });
}

#[test]
fn a_module_without_memory_ends_the_process_with_a_sentence() {
    let name = "out_of_memory::a_module_without_memory_ends_the_process_with_a_sentence";
    aborts_own_process_saying(name, SENTENCE, || {
        drop(IrModule::build(|cx| {
            black_box(_Znwm(TOO_MUCH));
            cx.create_module("never")
        }));
    });
}

/// With the feature `static-runtime`, no other C++ code of the process uses that runtime.
#[cfg(not(feature = "static-runtime"))]
#[test]
fn outside_llvm_the_exception_reaches_who_catches_it() {
    in_own_process("out_of_memory::outside_llvm_the_exception_reaches_who_catches_it", || {
        let mut compiler = Compiler::builder().build().unwrap();
        compiler.compile(|cx| cx.create_module("empty")).unwrap();
        // It catches the exception of the new-handler, and returns null.
        // SAFETY: the memory is not used.
        let memory = unsafe { _ZnwmRKSt9nothrow_t(TOO_MUCH, (&raw const _ZSt7nothrow).cast()) };
        assert!(memory.is_null());
    });
}
