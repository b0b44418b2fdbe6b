//! Documentation of functions: the comments right above their `def`.

use kaleidoscope::lang::names::declared_name;
use kaleidoscope::lang::token::Keyword;
use kaleidoscope::{ItemOutcome, Source};
use std::collections::BTreeMap;

/// The documentation of each function that has some.
#[derive(Debug, Default)]
pub(super) struct Documentation(BTreeMap<String, String>);

impl Documentation {
    /// Notes the comments above an item, if it is a definition that was accepted.
    pub(super) fn note(&mut self, source: &Source, outcome: &ItemOutcome, has_prelude: bool) {
        let declared = declared_name(source.slice(outcome.span), has_prelude);
        let Some((Keyword::Def, name)) = declared else { return };
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

/// The text of the comments on the lines right above a place. Looks at these lines only: a long
/// text has many definitions.
fn comments_above(text: &str, place: usize) -> Option<String> {
    let mut above = &text[..start_of_line(&text[..place])];
    let mut lines = Vec::new();
    while let Some(before) = above.strip_suffix('\n').or_else(|| above.strip_suffix('\r')) {
        let before = before.strip_suffix('\r').filter(|_| above.ends_with('\n')).unwrap_or(before);
        let start = start_of_line(before);
        let Some(line) = before[start..].trim_start().strip_prefix('#') else { break };
        lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
        above = &before[..start];
    }
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Where the last line of the text begins.
fn start_of_line(text: &str) -> usize {
    text.rfind(['\n', '\r']).map_or(0, |line_end| line_end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_right_above_are_documentation() {
        let text = "# not this\n\n# The area\n#  of a circle.\ndef area(r) r";
        let place = text.find("def").unwrap();
        assert_eq!(comments_above(text, place).as_deref(), Some("The area\n of a circle."));
        let windows = text.replace('\n', "\r\n");
        let place_there = windows.find("def").unwrap();
        assert_eq!(comments_above(&windows, place_there).as_deref(), Some("The area\n of a circle."));
        let text = text.replace('\n', "\r");
        assert_eq!(comments_above(&text, place).as_deref(), Some("The area\n of a circle."));
        assert_eq!(comments_above("1;\ndef f() 1", 3), None);
        assert_eq!(comments_above("def f() 1", 0), None);
    }
}
