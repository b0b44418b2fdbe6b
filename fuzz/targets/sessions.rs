//! Bytes as the choices of a session, taken with an engine of each mode side by side.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaleidoscope_tests::fuzz::sessions(bytes));
