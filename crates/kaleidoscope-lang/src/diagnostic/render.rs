//! Rendering: a diagnostic as text for a person, with the line of the source and a mark.
//!
//! The renderer gets only the lines concerned, and of a very long line only the part around the
//! place, so the cost does not grow with the text. Control characters of the source are escaped.

use std::borrow::Cow;

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Padding, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Whether a rendered diagnostic has colors for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escape sequences.
    Always,
}

/// The longest line, in bytes, that the renderer gets whole and cuts to the terminal's width.
/// Longer lines are cut around the place first.
const LONG_LINE: usize = 4096;
/// The number of bytes of a long line to show on each side of the place, and the most of the place.
const CONTEXT: usize = 60;

/// The diagnostic as text of several lines. The text ends with a line end.
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
        let excerpt = Excerpt::new(source, Span::new(first, last));
        let labels = diagnostic.labels.iter();
        let contexts =
            labels.map(|label| excerpt.mark(AnnotationKind::Context, label.span).label(&label.text));
        let snippet = Snippet::source(excerpt.text())
            .line_start(source.position(first).line as usize)
            .path(source.name())
            .annotation(excerpt.mark(AnnotationKind::Primary, span))
            .annotations(contexts);
        elements.push(snippet.into());
        return;
    }
    // The renderer would count columns from the start of the part, so the position gets its own
    // line.
    for (idx, span) in spans().enumerate() {
        let position = source.position(span.start);
        let origin = Origin::path(source.name()).line(position.line as usize);
        elements.push(origin.char_column(position.column as usize).into());
        elements.push(Padding.into());
        let excerpt = Excerpt::new(source, piece_around(span, source));
        let annotation = match idx.checked_sub(1) {
            None => excerpt.mark(AnnotationKind::Primary, span),
            Some(label_idx) => {
                let label = &diagnostic.labels[label_idx].text;
                excerpt.mark(AnnotationKind::Context, span).label(label)
            }
        };
        let snippet = Snippet::source(excerpt.text()).line_start(position.line as usize);
        elements.push(snippet.annotation(annotation).into());
    }
}

/// The part of a line around a place.
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

/// The part of the source that a diagnostic shows.
struct Excerpt<'s> {
    source: &'s Source,
    shown: Span,
}

impl<'s> Excerpt<'s> {
    fn new(source: &'s Source, shown: Span) -> Self {
        Self { source, shown }
    }

    /// The text. All line ends become those of Unix, which the renderer knows.
    fn text(&self) -> Cow<'s, str> {
        let text = self.source.slice(self.shown);
        if text.contains('\r') { text.replace(CRLF, "\n").replace('\r', "\n").into() } else { text.into() }
    }

    /// The mark under a place, up to the end of the place's first line or of the part shown.
    fn mark(&self, kind: AnnotationKind, span: Span) -> Annotation<'s> {
        let Self { source, shown } = *self;
        let line_end = source.line_span(span.start).end.min(shown.end) as usize;
        let boundary = |idx: u32| source.text().floor_char_boundary(idx as usize);
        let start = boundary(span.start).clamp(shown.range().start, line_end);
        let end = boundary(span.end).clamp(start, line_end);
        kind.span(self.offset_in_text(start)..self.offset_in_text(end))
    }

    fn offset_in_text(&self, offset: usize) -> usize {
        let before = &self.source.text()[self.shown.range().start..offset];
        before.len() - before.matches(CRLF).count()
    }
}

const CRLF: &str = "\r\n";
