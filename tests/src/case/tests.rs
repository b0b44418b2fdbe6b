//! Reading answers, comparing them, writing them anew.

use super::Case;
use crate::run::{Effect, ItemRun, Run};

/// A run of one item per line, from 1 on.
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

/// The text is right for the run, and what blessing makes of it is the text itself.
fn check_right(text: &str, run: &Run) {
    let case = Case::parse(text);
    assert_eq!(case.check(run, true), Ok(()), "{text}");
    assert_eq!(case.bless(text, run), text);
}

/// The text is wrong for the run, and blessing makes the other text of it.
fn check_wrong(text: &str, run: &Run, blessed: &str) {
    let case = Case::parse(text);
    assert!(case.check(run, true).is_err(), "{text}");
    assert_eq!(case.bless(text, run), blessed);
    assert_eq!(Case::parse(blessed).check(run, true), Ok(()), "{blessed}");
}

#[test]
fn answers_on_the_line_and_after_it() {
    let two = run(&[(&[value("1"), value("2")], "", &[]), (&[error("KLS1001")], "", &[])]);
    check_right("1 2; # => 1 2\n4+; # error: KLS1001\n", &two);
    check_right(
        "1 2; # => 1\n4+; # error: KLS1001\n",
        &run(&[(&[value("1")], "", &[]), (&[error("KLS1001")], "", &[])]),
    );
    check_right("1 2; # said first # => 1 # => 2\n4+;\n# error: KLS1001\n", &two);
    check_wrong("1 2; # => 1\n4+; # hm\n", &two, "1 2; # => 1 2\n4+; # hm # error: KLS1001\n");
    check_wrong(
        "1 2; # hm # => 1 # => 2\n4+; # hm # error: ?\n",
        &two,
        "1 2; # hm # => 1 # => 2\n4+; # hm # error: KLS1001\n",
    );
}

#[test]
fn output_goes_to_the_end_of_its_line() {
    let one = run(&[(&[value("0")], "a # b\nc\n", &[])]);
    check_right("f(1); # output: a # b\n# output: c\n# => 0\n", &one);
    check_wrong(
        "f(1); # => 0\n# and a word\n",
        &one,
        "f(1); # output: a # b\n# output: c\n# => 0\n# and a word\n",
    );
}

#[test]
fn compilations_where_they_are_asked() {
    let one = run(&[(&[value("1")], "", &["f", "g"])]);
    check_right("f(1); # => 1\n", &one);
    check_right("f(1); # => 1 # compiles: f g\n", &one);
    check_wrong("f(1); # => 1 # compiles: nothing\n", &one, "f(1); # => 1 # compiles: f g\n");
    assert_eq!(Case::parse("f(1); # => 1 # compiles: x\n").check(&one, false), Ok(()));
}

#[test]
fn modes() {
    let everywhere = Case::parse("# A rule.\n1;\n");
    assert!(everywhere.runs_in("lazy"));
    let restricted = Case::parse("# A rule.\n# modes: off eager\n1;\n");
    assert!(restricted.runs_in("off") && restricted.runs_in("eager") && !restricted.runs_in("lazy"));
}
