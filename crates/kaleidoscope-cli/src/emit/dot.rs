//! Graphs in the language of Graphviz.

use super::graph::{Graph, Shape, condition};

/// All graphs as one document.
pub(super) fn document(graphs: &[Graph]) -> String {
    let mut text = "digraph {\n  node [shape=box, style=rounded, fontname=monospace]\n".to_owned();
    for (number, graph) in graphs.iter().enumerate() {
        text.push_str(&format!("  subgraph cluster_{number} {{\n    label={}\n", quoted(&graph.title)));
        // Blocks have lines, which begin at the left.
        let line_end = if matches!(graph.shape, Shape::Flow(_)) { "\\l" } else { "" };
        for (id, lines) in graph.nodes.iter().enumerate() {
            let label: String = lines.iter().map(|line| escaped(line) + line_end).collect();
            text.push_str(&format!("    n{number}_{id} [label=\"{label}\"]\n"));
        }
        for edge in &graph.edges {
            let label = match condition(edge.kind) {
                "" => String::new(),
                condition => format!(" [label={}]", quoted(condition)),
            };
            text.push_str(&format!("    n{number}_{} -> n{number}_{}{label}\n", edge.from, edge.to));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The text for a string in quotes, in which a backslash and a quote have a meaning.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            _ if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"]\\\n"), "\"a\\\"]\\\\\u{fffd}\"");
    }
}
