//! What is completed, shown and colored, and which entries are complete.

use super::*;
use rustyline::history::DefaultHistory;

fn assistant(text: &str) -> Assistant {
    let engine = Engine::new().unwrap();
    engine.run(text).ok().unwrap();
    let variables = Variables::default();
    variables.declare(&engine, "rate = 1");
    Assistant::new(engine, variables)
}

fn completed(assistant: &Assistant, text: &str) -> Vec<String> {
    let history = DefaultHistory::new();
    let (start, pairs) = assistant.complete(text, text.len(), &Context::new(&history)).unwrap();
    pairs.into_iter().map(|pair| format!("{}{}", &text[..start], pair.replacement)).collect()
}

fn hint(assistant: &Assistant, text: &str) -> Option<String> {
    let history = DefaultHistory::new();
    assistant.hint(text, text.len(), &Context::new(&history)).map(|hint| hint.0)
}

#[test]
fn words_are_completed() {
    let assistant = assistant("def fibonacci(n) n; def binary| 5 (a b) a;");
    assert_eq!(completed(&assistant, "1 + fibo"), ["1 + fibonacci("]);
    assert_eq!(completed(&assistant, "ra"), ["rate"]);
    assert_eq!(completed(&assistant, "def f(length) le"), ["def f(length) length"]);
    assert_eq!(completed(&assistant, "de"), ["def"]);
    assert_eq!(completed(&assistant, ":li"), [":list"]);
    assert_eq!(completed(&assistant, ":list fibo"), [":list fibonacci("]);
    assert_eq!(completed(&assistant, "binary|"), Vec::<String>::new());
    assert_eq!(completed(&assistant, "é fibo"), ["é fibonacci("]);
    assert_eq!(completed(&assistant, "12"), Vec::<String>::new());
}

#[test]
fn parameters_of_an_open_call_are_shown() {
    let assistant = assistant("def area(width height) width * height;");
    assert_eq!(hint(&assistant, "area(").as_deref(), Some("width, height)"));
    assert_eq!(hint(&assistant, "area(1").as_deref(), Some(", height)"));
    assert_eq!(hint(&assistant, "area(1,").as_deref(), Some("height)"));
    assert_eq!(hint(&assistant, "area(1, sin(2").as_deref(), Some(")"));
    assert_eq!(hint(&assistant, "area(1, sin(2)").as_deref(), Some(")"));
    assert_eq!(hint(&assistant, "area(1, 2, "), None);
    assert_eq!(hint(&assistant, "def area("), None);
    assert_eq!(hint(&assistant, "area(1, 2)"), None);
    assert_eq!(hint(&assistant, "nothing("), None);
}

#[test]
fn entries_are_complete_at_the_end_of_an_item() {
    let engine = Engine::new().unwrap();
    let is_complete = |text: &str| engine.is_complete(&text.lines().collect::<Vec<_>>());
    for text in ["", "1 + 2", "def f(x) x", "1 +\n2", "# note", "1;\n2", ")", "def f(x)\n  x + 1"] {
        assert!(is_complete(text), "{text}");
    }
    for text in ["1 +", "def f(x)", "f(1,", "if 1 then 2", "1;\ndef g(", "def binary| 5 (a b) a + b\n1 |"] {
        assert!(!is_complete(text), "{text}");
    }
}

#[test]
fn colors_leave_the_text_as_it_is() {
    let assistant = assistant("def f(x) x;");
    let text = "def g(x) f(x) + 1.5e3 # über\n  @ (2";
    let colored = assistant.highlight(text, 5).into_owned();
    assert!(colored.contains("\x1b[1;34mdef\x1b[0m"), "{colored:?}");
    let mut plain = String::new();
    let mut rest = &colored[..];
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    plain.push_str(rest);
    assert_eq!(plain, text);
}

#[test]
fn brackets_have_counterparts() {
    let counterpart = |text: &str, position| matching_brackets(&tokens(text, false), position);
    assert_eq!(counterpart("(1)", 0), [Some(0), Some(2)]);
    assert_eq!(counterpart("(1)", 3), [Some(2), Some(0)]);
    assert_eq!(counterpart("((1)", 0), [None, None]);
    assert_eq!(counterpart("1", 1), [None, None]);
}
