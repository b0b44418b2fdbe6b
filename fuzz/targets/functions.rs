//! Fuzz target: generates functions of the IR from the bytes, and compares baseline code with the
//! interpreter.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::functions(bytes));
