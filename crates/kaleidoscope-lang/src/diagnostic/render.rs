//! A diagnostic as a person reads it: the line of the text with the place marked.
//!
//! Only the lines concerned are handed to the renderer, and of a very long line only the part around the place, so that
//! the cost does not grow with the text. Control characters of the text never reach the terminal as they are.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Whether the text carries colours for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escape sequences.
    Always,
}

/// How many bytes of a line are shown on either side of a place.
const CONTEXT_BYTES: usize = 100;

/// The diagnostic as text of several lines, the last one ended.
pub fn render(diagnostic: &Diagnostic, source: &Source, color: Color) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.as_str());
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(span) = diagnostic.span {
        let position = source.position(span.start);
        let origin =
            Origin::path(source.name()).line(position.line as usize).char_column(position.column as usize);
        elements.push(origin.into());
        elements.push(excerpt(source, span, AnnotationKind::Primary, None).into());
    }
    for label in &diagnostic.labels {
        elements.push(excerpt(source, label.span, AnnotationKind::Context, Some(&label.text)).into());
    }
    if let Some(hint) = &diagnostic.hint {
        elements.push(Level::HELP.message(hint).into());
    }
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let group: Group<'_> = title.elements(elements);
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

/// The first line of `span`, cut where it is long, with the place marked.
fn excerpt<'a>(
    source: &'a Source,
    span: Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let line = source.line_span(span.start).range();
    let start = span.range().start.min(line.end);
    let end = span.range().end.clamp(start, line.end).min(start + CONTEXT_BYTES);
    let text = source.text();
    let shown = floor_boundary(text, line.start.max(start.saturating_sub(CONTEXT_BYTES)))
        ..floor_boundary(text, line.end.min(end + CONTEXT_BYTES));
    let place: Range<usize> = start - shown.start..floor_boundary(text, end) - shown.start;
    let annotation = kind.span(place).label(label);
    Snippet::source(&text[shown]).line_start(source.position(span.start).line as usize).annotation(annotation)
}

/// The start of the character that holds the byte at `idx`.
fn floor_boundary(text: &str, idx: usize) -> usize {
    text.floor_char_boundary(idx)
}
