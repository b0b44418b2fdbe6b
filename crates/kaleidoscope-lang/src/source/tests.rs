//! Lines and columns of a text that grows.

use super::{BLOCK, Position, Source, Span};

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
    assert_eq!(source.slice(source.line_span(5)), "çd");
    assert_eq!(source.slice(source.line_span(8)), "");
    assert_eq!(source.slice(source.line_span(9)), "x");
    assert_eq!(source.slice(Span::new(4, 5)), "", "not at the edge of a character");
    assert_eq!(Source::new("empty", "").position(0).to_string(), "1:1");
}

#[test]
fn a_carriage_return_ends_a_line() {
    let text = "a\rb\r\n\rc\n\rd\r";
    let positions = |source: &Source| -> Vec<_> {
        (0..=text.len() as u32).map(|offset| source.position(offset).to_string()).collect()
    };
    let whole = Source::new("name", text);
    let mut pieces = Source::new("name", "");
    text.chars().for_each(|character| pieces.push(character.encode_utf8(&mut [0; 4])));
    let expected = ["1:1", "1:2", "2:1", "2:2", "2:3", "3:1", "4:1", "4:2", "5:1", "6:1", "6:2", "7:1"];
    assert_eq!(positions(&whole), expected);
    assert_eq!(positions(&pieces), expected);
    assert_eq!(whole.slice(whole.line_span(0)), "a");
    assert_eq!(whole.slice(whole.line_span(3)), "b");
    assert_eq!(whole.slice(whole.line_span(5)), "");
    assert_eq!(whole.slice(whole.line_span(9)), "d");
}

/// The columns of a long line are those that counting from its start gives, and few characters are
/// counted for each.
#[test]
fn columns_of_long_lines() {
    for character in ["x", "é", "→", "🦀", "aé→🦀"] {
        let line = character.repeat(2 * BLOCK);
        let text = format!("{line}\n\n{line}\n");
        let mut source = Source::new("name", "");
        text.chars().for_each(|character| source.push(character.encode_utf8(&mut [0; 4])));
        let boundaries = text.char_indices().map(|(idx, _)| idx).chain([text.len()]);
        let (mut line, mut column) = (1, 1);
        for (idx, character) in boundaries.zip(text.chars().map(Some).chain([None])) {
            assert_eq!(source.position(idx as u32), Position { line, column }, "{idx}");
            (line, column) = if character == Some('\n') { (line + 1, 1) } else { (line, column + 1) };
        }
        assert_eq!(source.0.characters_before.len(), text.len().div_ceil(BLOCK));
    }
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
