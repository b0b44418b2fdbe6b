//! Case files: parsing, comparing and blessing expectations.

use super::Case;
use crate::run::{Effect, ItemRun, Run};

/// Makes a run with one item per line.
fn run(items: &[(&[Effect], &str, &[&str])]) -> Run {
    let items = items.iter().zip(1..);
    let (items, compiled) = items
        .map(|(&(effects, output, compiled), line)| {
            let effects = effects.iter().map(|effect| (effect.clone(), line)).collect();
            let item = ItemRun { effects, output: output.to_owned(), line };
            (item, compiled.iter().map(|&name| name.to_owned()).collect())
        })
        .unzip();
    Run { items, compiled }
}

fn value(text: &str) -> Effect {
    Effect::Value(text.to_owned())
}

fn error(code: &str) -> Effect {
    Effect::Error(code.to_owned())
}

/// Checks that the text matches the run and that blessing does not change it.
fn check_match(text: &str, run: &Run) {
    let case = Case::parse(text);
    assert_eq!(case.check(run, true), Ok(()), "{text}");
    assert_eq!(case.bless(text, run), text);
}

/// Checks that the text does not match the run and that blessing turns it into `blessed`.
fn check_mismatch(text: &str, run: &Run, blessed: &str) {
    let case = Case::parse(text);
    assert!(case.check(run, true).is_err(), "{text}");
    assert_eq!(case.bless(text, run), blessed);
    assert_eq!(Case::parse(blessed).check(run, true), Ok(()), "{blessed}");
}

#[test]
fn expectations_belong_to_their_line_or_the_one_before() {
    let two = run(&[(&[value("1"), value("2")], "", &[]), (&[error("KLS1001")], "", &[])]);
    check_match("1 2; # => 1 2\n4+; # error: KLS1001\n", &two);
    check_match(
        "1 2; # => 1\n4+; # error: KLS1001\n",
        &run(&[(&[value("1")], "", &[]), (&[error("KLS1001")], "", &[])]),
    );
    check_match("1 2; # said first # => 1 # => 2\n4+;\n# error: KLS1001\n", &two);
    check_mismatch("1 2; # => 1\n4+; # hm\n", &two, "1 2; # => 1 2\n4+; # hm # error: KLS1001\n");
    check_mismatch(
        "1 2; # hm # => 1 # => 2\n4+; # hm # error: ?\n",
        &two,
        "1 2; # hm # => 1 # => 2\n4+; # hm # error: KLS1001\n",
    );
}

#[test]
fn output_extends_to_the_end_of_its_line() {
    let one = run(&[(&[value("0")], "a # b\nc\n", &[])]);
    check_match("f(1); # output: a # b\n# output: c\n# => 0\n", &one);
    check_mismatch(
        "f(1); # => 0\n# and a word\n",
        &one,
        "f(1); # output: a # b\n# output: c\n# => 0\n# and a word\n",
    );
}

#[test]
fn compiles_is_checked_where_it_is_written() {
    let one = run(&[(&[value("1")], "", &["f", "g"])]);
    check_match("f(1); # => 1\n", &one);
    check_match("f(1); # => 1 # compiles: f g\n", &one);
    check_mismatch("f(1); # => 1 # compiles: nothing\n", &one, "f(1); # => 1 # compiles: f g\n");
    assert_eq!(Case::parse("f(1); # => 1 # compiles: x\n").check(&one, false), Ok(()));
}

#[test]
fn a_file_can_name_its_modes() {
    let everywhere = Case::parse("# A rule.\n1;\n");
    assert!(everywhere.runs_in("lazy"));
    let restricted = Case::parse("# A rule.\n# modes: off eager\n1;\n");
    assert!(restricted.runs_in("off") && restricted.runs_in("eager") && !restricted.runs_in("lazy"));
}
