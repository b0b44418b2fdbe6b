//! Documentation of functions: the comments right above their `def`.

use kaleidoscope::lang::operator::{Sign, binary_name, unary_name};
use kaleidoscope::lang::token::{Keyword, TokenKind};
use kaleidoscope::lang::tokens;
use kaleidoscope::{ItemOutcome, Source};
use std::collections::BTreeMap;

/// The documentation of each function that has some.
#[derive(Debug, Default)]
pub(super) struct Documentation(BTreeMap<String, String>);

impl Documentation {
    /// Notes the comments above an item, if it is a definition that was accepted.
    pub(super) fn note(&mut self, source: &Source, outcome: &ItemOutcome) {
        let Some(name) = defined_name(source.slice(outcome.span)) else { return };
        if outcome.is_error() {
            return;
        }
        match comments_above(source.text(), outcome.span.start as usize) {
            Some(comments) => drop(self.0.insert(name, comments)),
            None => drop(self.0.remove(&name)),
        }
    }

    pub(super) fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The name that an item defines; of operators `unary!` or `binary|`.
fn defined_name(item: &str) -> Option<String> {
    let tokens = tokens(item, false);
    let [def, first, rest @ ..] = &tokens[..] else { return None };
    if def.kind != TokenKind::Keyword(Keyword::Def) {
        return None;
    }
    let sign = || Sign::new(&item[rest.first()?.span.range()]);
    match first.kind {
        TokenKind::Identifier => Some(item[first.span.range()].to_owned()),
        TokenKind::Keyword(Keyword::Unary) => Some(unary_name(sign()?)),
        TokenKind::Keyword(Keyword::Binary) => Some(binary_name(sign()?)),
        _ => None,
    }
}

/// The text of the comments on the lines right above a place.
fn comments_above(text: &str, place: usize) -> Option<String> {
    let above = text[..place].rsplit_once('\n')?.0;
    let comments = above.rsplit('\n').map_while(|line| line.trim_start().strip_prefix('#'));
    let mut lines: Vec<_> = comments.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_have_names() {
        for (item, name) in [
            ("def f(x) x", Some("f")),
            ("def binary| 5 (a b) a", Some("binary|")),
            ("def unary!(x) x", Some("unary!")),
            ("extern sin(x)", None),
            ("1 + 1", None),
            ("def", None),
        ] {
            assert_eq!(defined_name(item).as_deref(), name, "{item}");
        }
    }

    #[test]
    fn comments_right_above_are_documentation() {
        let text = "# not this\n\n# The area\n#  of a circle.\ndef area(r) r";
        let place = text.find("def").unwrap();
        assert_eq!(comments_above(text, place).as_deref(), Some("The area\n of a circle."));
        assert_eq!(comments_above("1;\ndef f() 1", 3), None);
        assert_eq!(comments_above("def f() 1", 0), None);
    }
}
