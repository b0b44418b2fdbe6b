//! Graphs as an SVG document, which needs no other program.
//!
//! All text of a program goes through [`escaped`], so no name is markup, and no document has
//! scripts, links or styles of its own.

use super::graph::{Edge, Graph, condition};
use super::layout::{BELOW, LANE, LINE, Layout, PADDING, layout, width_of};
use kaleidoscope::ir::flow::EdgeKind;
use std::fmt::Write as _;

/// The most nodes of a picture. A person sees nothing in a larger one.
pub(super) const MOST_NODES: usize = 5_000;

/// The room around each graph.
const MARGIN: f64 = 20.0;

/// All graphs as one document, below each other.
pub(super) fn document(graphs: &[Graph]) -> String {
    let layouts: Vec<_> = graphs.iter().map(layout).collect();
    let titles = graphs.iter().map(|graph| width_of(&graph.title));
    let width = layouts.iter().map(|layout| layout.width).chain(titles).fold(0.0, f64::max) + 2.0 * MARGIN;
    let height: f64 = layouts.iter().map(|layout| layout.height + LINE + 2.0 * MARGIN).sum();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#555\"/></marker></defs>\n"
    );
    let mut top = MARGIN;
    for (graph, layout) in graphs.iter().zip(&layouts) {
        text.push_str(&picture(graph, layout, top));
        top += layout.height + LINE + 2.0 * MARGIN;
    }
    text.push_str("</svg>\n");
    text
}

fn picture(graph: &Graph, layout: &Layout, top: f64) -> String {
    let mut text = format!("<g transform=\"translate({MARGIN:.1} {top:.1})\">\n");
    push_text(&mut text, 0.0, 0.0, "font-weight=\"bold\"", &graph.title);
    text.push_str(&format!("<g transform=\"translate(0 {LINE:.1})\">\n"));
    for edge in &graph.edges {
        push_edge(&mut text, *edge, layout);
    }
    for (lines, place) in graph.nodes.iter().zip(&layout.places) {
        push(
            &mut text,
            format_args!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\" fill=\"#eef3fb\" \
                 stroke=\"#4a6fa5\"/>",
                place.x, place.y, place.width, place.height
            ),
        );
        for (number, line) in lines.iter().enumerate() {
            let y = place.y + PADDING + (number as f64 + 0.75) * LINE;
            push_text(&mut text, place.x + PADDING, y, "", line);
        }
    }
    text.push_str("</g>\n</g>\n");
    text
}

/// A line from the bottom of a node to the top of another one. A line to a node above goes around.
fn push_edge(text: &mut String, edge: Edge, layout: &Layout) {
    let (from, to) = (layout.places[edge.from], layout.places[edge.to]);
    let is_back = to.y <= from.y;
    let path = match (edge.kind, is_back) {
        (EdgeKind::TailCall, _) => {
            let y = from.y + from.height / 2.0;
            let right = layout.width - LANE / 2.0;
            format!(
                "M{:.1} {y:.1} H{right:.1} V{:.1} H{:.1}",
                from.x + from.width,
                to.y + LINE,
                to.x + to.width
            )
        }
        (_, true) => {
            let left = layout.loops.get(&edge.to).copied().unwrap_or_default() + LANE / 2.0;
            let y = from.y + from.height - LINE;
            format!("M{:.1} {y:.1} H{left:.1} V{:.1} H{:.1}", from.x, to.y + LINE, to.x)
        }
        (_, false) => {
            let bend = to.y - BELOW / 2.0;
            format!("M{:.1} {:.1} V{bend:.1} H{:.1} V{:.1}", from.middle(), from.bottom(), to.middle(), to.y)
        }
    };
    let dashes = if edge.kind == EdgeKind::TailCall { " stroke-dasharray=\"4 3\"" } else { "" };
    push(
        text,
        format_args!("<path d=\"{path}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#arrow)\"{dashes}/>"),
    );
    if !is_back && edge.kind != EdgeKind::Always {
        let word = condition(edge.kind);
        push_text(text, to.middle() + 4.0, to.y - 5.0, "font-size=\"11\" fill=\"#555\"", word);
    }
}

fn push_text(text: &mut String, x: f64, y: f64, attributes: &str, content: &str) {
    // Two spaces are two spaces.
    let content = escaped(content);
    push(
        text,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" xml:space=\"preserve\" {attributes}>{content}</text>"),
    );
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("strings take all text");
}

/// The text as content of an element or an attribute. What XML cannot have is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            _ if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::graph::Shape;

    #[test]
    fn texts_are_no_markup() {
        let hostile = "<script>alert('&\"\u{1b}]0;\u{ffff}')</script>";
        let graph = Graph {
            title: hostile.to_owned(),
            nodes: vec![vec![hostile.to_owned()]],
            edges: Vec::new(),
            shape: Shape::Tree(vec![Vec::new()]),
        };
        let text = document(&[graph]);
        assert!(!text.contains("<script") && !text.contains(['\u{1b}', '\u{ffff}', '\'']), "{text}");
        assert_eq!(text.matches("&lt;script&gt;alert(&#39;&amp;&quot;").count(), 2, "{text}");
    }
}
