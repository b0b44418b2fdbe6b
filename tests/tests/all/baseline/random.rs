//! Random programs: compiled code has the results and the output of the interpreter.

use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::number;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_testkit::{Failure, take_output};
use kaleidoscope_tests::function;
use kaleidoscope_tests::generate::Program as Generated;
use kaleidoscope_tests::random::{Random, fresh_seed};

use super::machine::{Machine, Trips, Way, new_oracle};

/// Runs the text as compiled code and in the interpreter, item by item. Returns the trips.
#[track_caller]
pub(super) fn check(text: &str, way: Way) -> Trips {
    let mut oracle = new_oracle();
    let machine = Machine::new(way);
    let mut reader = Reader::new("random");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(&oracle.names) {
        let Some(item) = read.item else { continue };
        let got = machine.run(&item);
        let output = take_output();
        oracle.commit(&item);
        let expected = match &item {
            Item::Expression { function } => Some(oracle.interpret(function, &[])),
            _ => None,
        };
        let shown = |value: Option<Result<f64, Failure>>| value.map(|value| value.map(number::format));
        assert_eq!(shown(got), shown(expected), "{way:?}: {item:?}\n{text}");
        assert_eq!(output, take_output(), "{way:?}: {item:?}\n{text}");
    }
    machine.trips()
}

/// Random programs of these seeds.
fn check_seeds(seeds: impl Iterator<Item = u64>) {
    let mut together = Trips::default();
    for seed in seeds {
        let text = format!("# seed {seed}\n{}", Generated::new(seed).text());
        for way in Way::ALL {
            let Trips { n_entries, n_back_edges, n_left } = check(&text, way);
            together.n_entries += n_entries;
            together.n_back_edges += n_back_edges;
            together.n_left += n_left;
        }
    }
    assert!(together.n_entries > 100 && together.n_back_edges > 100 && together.n_left > 50, "{together:?}");
}

#[test]
fn fixed_seeds_agree() {
    check_seeds(0..100);
}

/// Random functions of the IR without calls, which are compiled in every way.
#[test]
fn functions_agree() {
    let first = fresh_seed();
    for seed in (0..150).chain(first..first + 150) {
        let random = &mut Random::new(seed);
        let function = function::generate(random, "f", &[], 0);
        let args = function::arguments(random, function.n_params);
        let expected = new_oracle().interpret(&function, &args);
        for way in Way::ALL {
            let got = Machine::new(way).call(&function, &args);
            let shown = |value: &Result<f64, Failure>| value.clone().map(number::format);
            assert_eq!(shown(&got), shown(&expected), "seed {seed}, {way:?}: {args:?} {function:?}");
        }
    }
}

#[test]
fn fresh_seeds_agree() {
    let first = fresh_seed();
    check_seeds((0..50).map(|n| first.wrapping_add(n)));
}
