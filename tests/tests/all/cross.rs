//! Programs that are built for other machines do what they do here.
//!
//! Bits are the same where operations are exact. Results of the maths library of the machine are at
//! most 2 units in the last place apart.

use kaleidoscope::Optimization;
use kaleidoscope_tests::build::Machine;
use kaleidoscope_tests::{folder, programs};

use crate::built::check_files;

#[test]
fn examples_for_aarch64() {
    let levels = &[Optimization::None, Optimization::Aggressive];
    check_files(Machine::Aarch64, levels, &programs(folder("examples")), true, 16);
}

#[test]
fn case_files_for_aarch64() {
    let levels = &[Optimization::Default];
    check_files(Machine::Aarch64, levels, &programs(folder("tests/cases")), true, 150);
}

#[test]
fn examples_for_webassembly() {
    let levels = &[Optimization::None, Optimization::Aggressive];
    check_files(Machine::WebAssembly, levels, &programs(folder("examples")), false, 12);
}

#[test]
fn case_files_for_webassembly() {
    let levels = &[Optimization::Default];
    check_files(Machine::WebAssembly, levels, &programs(folder("tests/cases")), false, 120);
}
