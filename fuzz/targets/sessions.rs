//! Fuzz target: generates a session from the bytes and runs it in engines of every mode.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::sessions(bytes));
