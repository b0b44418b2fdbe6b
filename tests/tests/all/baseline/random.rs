//! Random programs: what the compiler makes of them gives the values and writes the output that the evaluator does.

use kaleidoscope_lang::number;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_tests::generate::Program as Generated;
use kaleidoscope_tests::random::fresh_seed;

use super::machine::{Machine, Reports, Way};
use super::program::{Failure, Program};

/// Runs the text by the compiler and by the evaluator, item by item. Gives what was reported.
#[track_caller]
pub(super) fn check(text: &str, way: Way) -> Reports {
    let mut oracle = Program::new();
    let machine = Machine::new(way);
    let mut reader = Reader::new("random");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(&oracle.names) {
        let Some(item) = read.item else { continue };
        let got = machine.run(&item);
        oracle.commit(&item);
        let expected = match &item {
            kaleidoscope_lang::item::Item::Expression { function } => Some(oracle.interpret(function, &[])),
            _ => None,
        };
        let shown = |value: Option<Result<f64, Failure>>| value.map(|value| value.map(number::format));
        assert_eq!(shown(got), shown(expected), "{way:?}: {item:?}\n{text}");
        assert_eq!(machine.program().take_output(), oracle.take_output(), "{way:?}: {item:?}\n{text}");
    }
    machine.reports()
}

/// Random programs of these seeds.
fn check_seeds(seeds: impl Iterator<Item = u64>) {
    let mut together = Reports::default();
    for seed in seeds {
        let text = format!("# seed {seed}\n{}", Generated::new(seed).text());
        for way in Way::ALL {
            let Reports { n_entries, n_turns, n_left } = check(&text, way);
            together.n_entries += n_entries;
            together.n_turns += n_turns;
            together.n_left += n_left;
        }
    }
    assert!(together.n_entries > 100 && together.n_turns > 100 && together.n_left > 50, "{together:?}");
}

#[test]
fn the_same_every_time() {
    check_seeds(0..100);
}

#[test]
fn others_every_time() {
    let first = fresh_seed();
    check_seeds((0..50).map(|n| first.wrapping_add(n)));
}
