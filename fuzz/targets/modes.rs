//! Bytes as the choices of a program, run in every mode.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::modes(bytes));
