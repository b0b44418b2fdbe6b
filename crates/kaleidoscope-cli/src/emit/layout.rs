//! Where the nodes of a picture are.
//!
//! Both shapes are nested, so each part is laid out within its own rectangle: no two nodes overlap,
//! in time proportional to the graph.

use super::graph::{Graph, Shape};
use kaleidoscope::ir::flow::Part;
use std::collections::BTreeMap;

/// The width of a character and the height of a line, in pixels.
const CHARACTER: f64 = 7.9;
pub(super) const LINE: f64 = 17.0;

/// The room between the text of a node and its border.
pub(super) const PADDING: f64 = 8.0;

/// The room between nodes beside and above each other.
const BESIDE: f64 = 14.0;
pub(super) const BELOW: f64 = 34.0;

/// The room beside a loop for the line back to its header.
pub(super) const LANE: f64 = 22.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Place {
    pub(super) fn middle(self) -> f64 {
        self.x + self.width / 2.0
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

/// A graph with the places of its nodes.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    /// For the header of each loop: how far left the loop begins.
    pub(super) loops: BTreeMap<usize, f64>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The width of a line of text.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// Lays a graph out. The graph has few nodes: its depth is a depth of recursion.
pub(super) fn layout(graph: &Graph) -> Layout {
    let places = graph.nodes.iter().map(|lines| Place {
        x: 0.0,
        y: 0.0,
        width: lines.iter().map(|line| width_of(line)).fold(0.0, f64::max) + 2.0 * PADDING,
        height: lines.len().max(1) as f64 * LINE + 2.0 * PADDING,
    });
    let places = places.collect();
    let mut layout = Layout { places, loops: BTreeMap::new(), width: 0.0, height: 0.0 };
    match &graph.shape {
        Shape::Tree(parts) => layout.tree(parts),
        Shape::Flow(parts) => layout.flow(parts),
    }
    layout.height = layout.places.iter().map(|place| place.bottom()).fold(0.0, f64::max);
    layout
}

impl Layout {
    fn tree(&mut self, parts: &[Vec<usize>]) {
        // Parts follow their node, so the widths are known from the end.
        let mut widths = vec![0.0; parts.len()];
        for node in (0..parts.len()).rev() {
            widths[node] = row(&parts[node], &widths).max(self.places[node].width);
        }
        self.width = widths.first().copied().unwrap_or_default();
        let mut lefts = vec![0.0; parts.len()];
        for node in 0..parts.len() {
            self.places[node].x = lefts[node] + (widths[node] - self.places[node].width) / 2.0;
            let mut left = lefts[node] + (widths[node] - row(&parts[node], &widths)) / 2.0;
            let y = self.places[node].bottom() + BELOW;
            for &part in &parts[node] {
                (lefts[part], self.places[part].y) = (left, y);
                left += widths[part] + BESIDE;
            }
        }
    }

    fn flow(&mut self, parts: &[Part]) {
        let (width, _) = self.size(parts);
        // Room for the lines of tail calls.
        self.width = width + 2.0 * LANE;
        self.put(parts, 0.0, width, 0.0);
    }

    /// The size of parts below each other.
    fn size(&self, parts: &[Part]) -> (f64, f64) {
        let sizes = parts.iter().map(|part| self.size_of(part));
        sizes.fold((0.0, 0.0), |(width, height), (more_width, more_height)| {
            let gap = if height > 0.0 { BELOW } else { 0.0 };
            (f64::max(width, more_width), height + gap + more_height)
        })
    }

    fn size_of(&self, part: &Part) -> (f64, f64) {
        match part {
            Part::Block(block) => (self.places[*block].width, self.places[*block].height),
            Part::Loop(parts) => {
                let (width, height) = self.size(parts);
                // On both sides, so that blocks around the loop are centered.
                (width + 2.0 * LANE, height)
            }
            Part::Branches(then, otherwise) => {
                let (then, otherwise) = (self.size(then), self.size(otherwise));
                (then.0 + BESIDE + otherwise.0, f64::max(then.1, otherwise.1))
            }
        }
    }

    /// Puts parts below each other, centered. Returns where they end.
    fn put(&mut self, parts: &[Part], x: f64, width: f64, y: f64) -> f64 {
        let mut top = y;
        for part in parts {
            let own = self.size_of(part);
            let left = x + (width - own.0) / 2.0;
            match part {
                Part::Block(block) => (self.places[*block].x, self.places[*block].y) = (left, top),
                Part::Loop(parts) => {
                    if let Some(Part::Block(header)) = parts.first() {
                        self.loops.insert(*header, left);
                    }
                    self.put(parts, left + LANE, own.0 - 2.0 * LANE, top);
                }
                Part::Branches(then, otherwise) => {
                    let (of_then, of_otherwise) = (self.size(then).0, self.size(otherwise).0);
                    self.put(then, left, of_then, top);
                    self.put(otherwise, left + of_then + BESIDE, of_otherwise, top);
                }
            }
            top += own.1 + BELOW;
        }
        top
    }
}

/// The width of nodes beside each other.
fn row(nodes: &[usize], widths: &[f64]) -> f64 {
    let gaps = BESIDE * nodes.len().saturating_sub(1) as f64;
    nodes.iter().map(|&node| widths[node]).sum::<f64>() + gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::graph::Graph;
    use kaleidoscope::ir::flow::Flow;
    use kaleidoscope::lang::names::Names;
    use kaleidoscope::lang::reader::Reader;
    use kaleidoscope::lang::{item::Item, syntax};

    /// The layouts of an expression's tree and control flow.
    fn layouts(text: &str) -> [Layout; 2] {
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        let read = reader.read(&Names::new()).unwrap();
        let Some(Item::Expression { function }) = read.item else { panic!("{:?}", read.diagnostics) };
        let (tree, item) = reader.syntax().unwrap();
        let tree = Graph::of_tree("test", syntax::diagram(item, tree));
        let flow = Graph::of_flow("test", Flow::of(&function), &vec!["operation"; function.ops.len()]);
        [layout(&tree), layout(&flow)]
    }

    #[test]
    fn nodes_lie_inside_and_do_not_overlap() {
        let text = "for i = 1, i < 9 in if i < 3 then (for j = i, j < 9 in if j then 1 else if 2 then 3 else 4) \
                    else sin(i) + atan2(1, i * i)";
        for layout in layouts(text) {
            for (index, a) in layout.places.iter().enumerate() {
                assert!(a.x >= 0.0 && a.y >= 0.0 && a.x + a.width <= layout.width, "{a:?} of {layout:?}");
                for b in &layout.places[index + 1..] {
                    let is_beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
                    assert!(is_beside || a.bottom() <= b.y || b.bottom() <= a.y, "{a:?} and {b:?}");
                }
            }
            for (&header, &left) in &layout.loops {
                assert!(left + LANE <= layout.places[header].x, "{layout:?}");
            }
        }
    }
}
