//! Condensed features make the same processor.

use std::ffi::{CStr, CString, c_char};

use super::condense;
use crate::target::{Target, register};

// SAFETY: the signature is the one in `shim/features.cpp`.
unsafe extern "C" {
    fn llvm_orc_same_features(
        triple: *const c_char,
        cpu: *const c_char,
        one: *const c_char,
        other: *const c_char,
    ) -> bool;
}

fn check(triple: &CStr, cpu: &str, features: &CStr) -> CString {
    let cpu = CString::new(cpu).unwrap();
    let short = condense(triple, &cpu, features).into_owned();
    // SAFETY: the texts are ended by NUL.
    let same =
        unsafe { llvm_orc_same_features(triple.as_ptr(), cpu.as_ptr(), features.as_ptr(), short.as_ptr()) };
    assert!(same, "{cpu:?}: {features:?} became {short:?}");
    assert!(short.as_bytes().len() <= features.to_bytes().len());
    short
}

#[test]
fn condensed_features_make_the_same_processor() {
    register().unwrap();
    let host = Target::host().unwrap();
    let (triple, cpu, features) = host.c_strings();
    check(triple, cpu.to_str().unwrap(), features);
    for cpu in ["x86-64", "x86-64-v4", "znver4", "skylake-avx512", "core2", "generic", ""] {
        check(triple, cpu, features);
        for odd in [
            "",
            "+avx512f,-avx",
            "-avx,+avx512f",
            "+avx2,-avx2,+avx2",
            "-sse2",
            "+avx512f,-avx512f,+fma",
            "+avx,+avx",
        ] {
            check(triple, cpu, &CString::new(odd).unwrap());
        }
    }
}

#[test]
fn what_the_name_says_is_not_repeated() {
    register().unwrap();
    let host = Target::host().unwrap();
    assert_eq!(check(host.c_strings().0, "znver4", c"+avx2,+fma,-amx-tile"), CString::default());
    assert_eq!(check(host.c_strings().0, "x86-64", c"+avx2,+fma,-amx-tile"), c"+avx2,+fma".to_owned());
}
