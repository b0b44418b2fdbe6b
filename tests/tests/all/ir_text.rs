//! IR text form: the printed functions of all case files and examples parse to the same functions.
//!
//! The functions also satisfy the IR verifier.

use std::fs;

use kaleidoscope::lang::item::Item;
use kaleidoscope::{Array, Engine, Mode};
use kaleidoscope_ir::Function;
use kaleidoscope_ir::verify::verify;
use kaleidoscope_tests::generate::HOST_ARRAYS;
use kaleidoscope_tests::run::{add_prelude, arrays_of};
use kaleidoscope_tests::{folder, programs};

#[test]
fn the_text_form_parses_to_the_same_function() {
    let mut n_functions = 0;
    for path in programs(folder("tests/cases")).into_iter().chain(programs(folder("examples"))) {
        let text = fs::read_to_string(&path).expect("a program is readable text");
        let builder = Engine::builder().mode(Mode::Off);
        let builder = HOST_ARRAYS
            .iter()
            .copied()
            .chain(arrays_of(&text))
            .fold(builder, |builder, (name, len)| builder.bind_array(name, &Array::new(len)));
        let engine = builder.build().expect("an engine can be made");
        add_prelude(&engine, &text);
        let mut script = engine.script("program");
        script.push(&text);
        script.finish();
        while let Some(read) = script.read_next() {
            let Some(item) = read.item else { continue };
            let Some(printed) = engine.ir_text(&item) else { continue };
            let (Item::Definition { function, .. } | Item::Expression { function, .. }) = &item else {
                panic!("{}: an item without a function has a text form", path.display());
            };
            // By the text, which has the bits of each number: a NaN is not equal to itself.
            let parsed = printed.parse().map(|parsed: Function| parsed.to_string());
            assert_eq!(parsed, Ok(function.to_string()), "{}:\n{printed}", path.display());
            assert_eq!(verify(function), Ok(()), "{}:\n{printed}", path.display());
            n_functions += 1;
        }
    }
    assert!(n_functions > 500, "the programs have only {n_functions} functions");
}
