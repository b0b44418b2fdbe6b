//! Condensed features select the same processor as the full list.

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

fn check_condensed(triple: &CStr, cpu: &str, features: &CStr) -> CString {
    let cpu = CString::new(cpu).unwrap();
    let condensed = condense(triple, &cpu, features).into_owned();
    // SAFETY: the texts are NUL-terminated.
    let same = unsafe {
        llvm_orc_same_features(triple.as_ptr(), cpu.as_ptr(), features.as_ptr(), condensed.as_ptr())
    };
    assert!(same, "{cpu:?}: {features:?} became {condensed:?}");
    assert!(condensed.as_bytes().len() <= features.to_bytes().len());
    condensed
}

#[test]
fn condensed_features_select_the_same_processor() {
    register().unwrap();
    let host = Target::host().unwrap();
    let (triple, cpu, features) = host.c_strings();
    check_condensed(triple, cpu.to_str().unwrap(), features);
    for cpu in ["x86-64", "x86-64-v4", "znver4", "skylake-avx512", "core2", "generic", ""] {
        check_condensed(triple, cpu, features);
        for features in [
            "",
            "+avx512f,-avx",
            "-avx,+avx512f",
            "+avx2,-avx2,+avx2",
            "-sse2",
            "+avx512f,-avx512f,+fma",
            "+avx,+avx",
        ] {
            check_condensed(triple, cpu, &CString::new(features).unwrap());
        }
    }
}

#[test]
fn features_that_the_name_implies_are_omitted() {
    register().unwrap();
    let host = Target::host().unwrap();
    assert_eq!(check_condensed(host.c_strings().0, "znver4", c"+avx2,+fma,-amx-tile"), CString::default());
    assert_eq!(
        check_condensed(host.c_strings().0, "x86-64", c"+avx2,+fma,-amx-tile"),
        c"+avx2,+fma".to_owned()
    );
}
