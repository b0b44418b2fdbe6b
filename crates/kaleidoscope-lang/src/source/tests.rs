//! Lines and columns of a text that grows.

use super::{Source, Span};

#[test]
fn positions() {
    let source = Source::new("name", "ab\nçd\r\n\nx");
    let at = |offset| source.position(offset).to_string();
    assert_eq!(at(0), "1:1");
    assert_eq!(at(2), "1:3");
    assert_eq!(at(3), "2:1");
    assert_eq!(at(5), "2:2");
    assert_eq!(at(8), "3:1");
    assert_eq!(at(9), "4:1");
    assert_eq!(at(10), "4:2");
    assert_eq!(at(99), "4:2");
    assert_eq!(source.slice(source.line_span(5)), "çd\r");
    assert_eq!(source.slice(source.line_span(8)), "");
    assert_eq!(source.slice(source.line_span(9)), "x");
    assert_eq!(source.slice(Span::new(4, 5)), "", "not at the edge of a character");
    assert_eq!(Source::new("empty", "").position(0).to_string(), "1:1");
}

#[test]
fn clones_do_not_change_when_the_source_grows() {
    let mut source = Source::new("name", "1;");
    let older = source.clone();
    source.push(" # ;\n;2");
    assert_eq!(older.text(), "1;");
    assert_eq!(source.text(), "1; # ;\n;2");
    assert_eq!(source.last_semicolon(), Some(7));
    source.push(" # ");
    source.push(";");
    assert_eq!(source.last_semicolon(), Some(7), "it is in a comment that began before");
    source.push("\r;");
    assert_eq!(source.last_semicolon(), Some(14));
}

#[test]
fn sources_are_shared_between_threads() {
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Source>();
}
