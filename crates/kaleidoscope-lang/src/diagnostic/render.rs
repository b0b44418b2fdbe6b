//! A diagnostic as a person reads it: the line of the text with the place marked.
//!
//! Only the lines concerned are handed to the renderer, and of a very long line only the part around the place, so that
//! the cost does not grow with the text. Control characters of the text never reach the terminal as they are.

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Padding, Renderer, Snippet};

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

/// A line of more bytes than this is cut around the place here; a shorter one by the renderer, to the terminal's width.
const LONG_LINE: usize = 4096;
/// So many bytes of a long line are shown on either side of the place, and at most so many of the place itself.
const CONTEXT: usize = 60;

/// The diagnostic as text of several lines, the last one ended.
pub fn render(diagnostic: &Diagnostic, source: &Source, color: Color) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.as_str());
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(span) = diagnostic.span {
        add_excerpts(diagnostic, span, source, &mut elements);
    }
    if let Some(hint) = &diagnostic.hint {
        elements.push(Level::HELP.message(hint).into());
    }
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let mut text = renderer.render(&[title.elements(elements)]);
    text.push('\n');
    text
}

fn add_excerpts<'a>(
    diagnostic: &'a Diagnostic,
    span: Span,
    source: &'a Source,
    elements: &mut Vec<Element<'a>>,
) {
    let spans = || std::iter::once(span).chain(diagnostic.labels.iter().map(|label| label.span));
    let lines = || spans().map(|span| source.line_span(span.start));
    let first = lines().map(|line| line.start).min().unwrap_or(span.start);
    let last = lines().map(|line| line.end).max().unwrap_or(span.end);
    let is_short = |line: Span| line.range().len() <= LONG_LINE;
    if lines().all(is_short) && ((last - first) as usize) < 4 * LONG_LINE {
        let shown = Span::new(first, last);
        let labels = diagnostic.labels.iter();
        let contexts =
            labels.map(|label| mark(AnnotationKind::Context, label.span, shown, source).label(&label.text));
        let snippet = Snippet::source(source.slice(shown))
            .line_start(source.position(first).line as usize)
            .path(source.name())
            .annotation(mark(AnnotationKind::Primary, span, shown, source))
            .annotations(contexts);
        elements.push(snippet.into());
        return;
    }
    // The renderer would count the columns of the piece, so the place is given on a line of its own.
    for (idx, span) in spans().enumerate() {
        let position = source.position(span.start);
        let origin = Origin::path(source.name()).line(position.line as usize);
        elements.push(origin.char_column(position.column as usize).into());
        elements.push(Padding.into());
        let shown = piece_around(span, source);
        let annotation = match idx.checked_sub(1) {
            None => mark(AnnotationKind::Primary, span, shown, source),
            Some(label_idx) => {
                let label = &diagnostic.labels[label_idx].text;
                mark(AnnotationKind::Context, span, shown, source).label(label)
            }
        };
        let snippet = Snippet::source(source.slice(shown)).line_start(position.line as usize);
        elements.push(snippet.annotation(annotation).into());
    }
}

/// The part of the line around a place.
fn piece_around(span: Span, source: &Source) -> Span {
    let line = source.line_span(span.start).range();
    let start = span.range().start.min(line.end);
    let end = span.range().end.clamp(start, line.end).min(start + CONTEXT);
    let boundary = |idx: usize| source.text().floor_char_boundary(idx) as u32;
    Span::new(
        boundary(start.saturating_sub(CONTEXT).max(line.start)),
        boundary((end + CONTEXT).min(line.end)),
    )
}

/// The mark under a place, up to the end of its first line or of what is shown.
fn mark<'a>(kind: AnnotationKind, span: Span, shown: Span, source: &Source) -> Annotation<'a> {
    let line_end = source.line_span(span.start).end.min(shown.end) as usize;
    let boundary = |idx: u32| source.text().floor_char_boundary(idx as usize);
    let start = boundary(span.start).clamp(shown.range().start, line_end);
    let end = boundary(span.end).clamp(start, line_end);
    kind.span(start - shown.range().start..end - shown.range().start)
}
