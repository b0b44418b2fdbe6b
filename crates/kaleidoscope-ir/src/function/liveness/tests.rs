//! Live variables of small functions in text form.

use crate::{Function, OpIdx};

/// The names of the live variables at a point.
fn live(text: &str, point: u32) -> Vec<String> {
    let function: Function = text.parse().expect("the text form is right");
    let live = function.liveness().expect("the function is small").at(OpIdx::new(point));
    live.iter().map(|variable| function.locals[variable.index()].to_string()).collect()
}

#[test]
fn what_is_read_later_is_live_behind_a_call() {
    let text = "function f(a.0 b.1)\nget a.0\ncall g#1/1\nget b.1\nadd";
    assert_eq!(live(text, 0), ["a", "b"]);
    assert_eq!(live(text, 2), ["b"]);
}

#[test]
fn what_is_assigned_first_is_dead() {
    let text = "function f(a.0 b.1)\ncall g#1/0\nset a.0\ndrop\ncall g#1/0\nget a.0\nadd";
    assert_eq!(live(text, 0), [""; 0]);
    assert_eq!(live(text, 1), [""; 0]);
    assert_eq!(live(text, 4), ["a"]);
}

#[test]
fn branches_are_joined() {
    let text = "function f(a.0 b.1 c.2)\ncall g#1/0\nif\nget a.0\nelse\nget b.1\nend\nget c.2\nadd";
    assert_eq!(live(text, 1), ["a", "b", "c"]);
    let assigned =
        "function f(a.0 b.1)\ncall g#1/0\nif\nget b.1\nset a.0\nelse\nget b.1\nset a.0\nend\nget a.0\nadd";
    assert_eq!(live(assigned, 1), ["b"]);
    let one = "function f(a.0 b.1)\ncall g#1/0\nif\nget b.1\nset a.0\nelse\nget b.1\nend\nget a.0\nadd";
    assert_eq!(live(one, 1), ["a", "b"]);
}

#[test]
fn what_the_next_iteration_reads_is_live() {
    // a is read at the loop's start and assigned at its end; b is assigned at its start and read
    // behind the call; c is read behind the loop.
    let text = "function f(a.0 b.1 c.2 i.3)\nloop\nget a.0\nset b.1\ndrop\ncall g#1/0\nset a.0\ndrop\n\
                get b.1\ndrop\nnumber 1\nget i.3\nnext i.3\nget c.2";
    assert_eq!(live(text, 0), ["a", "c", "i"]);
    assert_eq!(live(text, 1), ["a", "c", "i"]);
    assert_eq!(live(text, 5), ["b", "c", "i"]);
}

#[test]
fn nested_loops_keep_what_the_outer_iteration_reads() {
    let text = "function f(a.0 i.1 j.2)\nloop\nget a.0\ndrop\nloop\ncall g#1/0\ndrop\nnumber 1\nget j.2\nnext j.2\n\
                number 1\nget i.1\nnext i.1\nnumber 0";
    assert_eq!(live(text, 5), ["a", "i", "j"]);
    assert_eq!(live(text, 4), ["a", "i", "j"]);
}

#[test]
fn nothing_is_live_behind_a_tail_call() {
    let text = "function f(a.0 b.1)\nget a.0\nif\ncall g#1/0\nget b.1\ntail_call\nelse\ncall g#1/0\nend";
    assert_eq!(live(text, 3), ["b"]);
    assert_eq!(live(text, 7), [""; 0]);
}
