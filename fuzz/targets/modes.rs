//! Fuzz target: generates a program from the bytes and runs it in every mode.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::modes(bytes));
