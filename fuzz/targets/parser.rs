//! Fuzz target: reads the bytes as a program's text.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::parser(bytes));
