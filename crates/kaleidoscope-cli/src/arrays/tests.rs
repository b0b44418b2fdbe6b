//! Arguments and files of numbers.

use super::{ArrayArgument, Elements, numbers};

#[test]
fn an_argument_has_a_name_and_a_length_or_a_file() {
    let parse = |text: &str| text.parse::<ArrayArgument>().map(|array| (array.name, array.elements));
    let ok = |name: &str, elements| Ok((name.to_owned(), elements));
    assert_eq!(parse("u=100"), ok("u", Elements::Zeros(100)));
    assert_eq!(parse("u_2=0"), ok("u_2", Elements::Zeros(0)));
    assert_eq!(parse("u=a=b.csv"), ok("u", Elements::OfFile("a=b.csv".into())));
    assert_eq!(parse("u=./100"), ok("u", Elements::OfFile("./100".into())));
    assert_eq!(parse("u"), Err("expected NAME=LENGTH or NAME=FILE".to_owned()));
    assert_eq!(parse("2u=1"), Err("`2u` is not a name".to_owned()));
    assert_eq!(parse("def=1"), Err("`def` is not a name".to_owned()));
    assert!(parse("u=99999999999999999999").unwrap_err().contains("memory"));
}

#[test]
fn numbers_are_on_lines_or_between_commas() {
    assert_eq!(numbers("1\n2.5\r\n\n-3e2\n"), Ok(vec![1.0, 2.5, -300.0]));
    assert_eq!(numbers("1, 2,3\n4 , inf"), Ok(vec![1.0, 2.0, 3.0, 4.0, f64::INFINITY]));
    assert_eq!(numbers(""), Ok(Vec::new()));
    assert_eq!(numbers("1\n\n2,x"), Err("line 3: `x` is not a number".to_owned()));
    assert_eq!(numbers("1,"), Err("line 1: `` is not a number".to_owned()));
}
