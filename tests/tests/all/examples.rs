//! Example programs: each writes its expected output in every mode.

use std::fs;

use kaleidoscope_tests::run::{Setting, run};
use kaleidoscope_tests::{folder, programs};

#[test]
fn examples_write_the_expected_output() {
    for path in programs(folder("examples")) {
        let name = path.file_stem().expect("a program has a name").to_string_lossy().into_owned();
        let expected_path = folder("examples/expected").join(format!("{name}.out"));
        let text = fs::read_to_string(&path).expect("an example is readable text");
        if crate::bless() {
            let setting = Setting::every_mode().next().expect("there are modes");
            let written = run(&text, setting).standard_output();
            fs::write(&expected_path, written).expect("an expectation can be written");
        }
        let expected = fs::read_to_string(&expected_path)
            .unwrap_or_else(|error| panic!("{}: {error}", expected_path.display()));
        for setting in Setting::every_mode() {
            let written = run(&text, setting).standard_output();
            assert!(
                written == expected,
                "{name}, mode {}: expected\n{expected}\ngot\n{written}",
                setting.mode.name()
            );
        }
    }
}
