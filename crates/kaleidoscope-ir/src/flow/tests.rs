//! Blocks, edges and nesting.

use super::{EdgeKind, Flow, Part};
use crate::Function;

/// The flow of a function. Each block is written as its range and its edges.
fn flow(text: &str) -> (Vec<String>, Vec<Part>) {
    let function: Function = text.parse().unwrap();
    let Flow { blocks, parts } = Flow::of(&function);
    let write = |block: &super::Block| {
        let edges = block.edges.iter().map(|edge| {
            let kind = match edge.kind {
                EdgeKind::Always => "",
                EdgeKind::Holds => "+",
                EdgeKind::Otherwise => "-",
                EdgeKind::TailCall => "tail",
            };
            format!(" {kind}{}", edge.to)
        });
        format!("{}..{}{}", block.ops.start, block.ops.end, edges.collect::<String>())
    };
    (blocks.iter().map(write).collect(), parts)
}

#[test]
fn straight_code_is_a_block() {
    assert_eq!(flow("function f(x.0)\nget x.0\nsquare"), (vec!["0..2".to_owned()], vec![Part::Block(0)]));
}

#[test]
fn branches_meet_and_loops_return() {
    let (blocks, parts) = flow(
        "function f(x.0), locals i.1
            get x.0
            if
              number 1
              set i.1
              drop
              loop
                number 1
                get x.0
              next i.1
              number 2
            else
              get x.0
              tail_call
            end",
    );
    assert_eq!(blocks, ["0..2 +1 -4", "2..5 2", "5..9 +2 -3", "9..11 5", "11..13 tail0", "13..14"]);
    let then = vec![Part::Block(1), Part::Loop(vec![Part::Block(2)]), Part::Block(3)];
    assert_eq!(parts, [Part::Block(0), Part::Branches(then, vec![Part::Block(4)]), Part::Block(5)]);
}
