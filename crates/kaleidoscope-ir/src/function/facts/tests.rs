//! The facts of functions in text form: loops, assigned sets, calls, counts.

use super::{CallFacts, Facts, MAX_PHIS, OpCounts};
use crate::{Function, FunctionId, HostArray, HostVariable, Local, OpIdx};

fn function(text: &str) -> Function {
    text.parse().expect("the text form is right")
}

/// A loop around a loop, each of which calls functions and host variables.
const NESTED: &str = "
    function f(x.0), locals i.1 j.2
    number 0
    set i.1
    drop
    loop
      get x.0
      call #7/1
      set j.2
      drop
      loop
        get x.0
        get_host #5
        add
        call #7/1
        call #3/1
        set x.0
        drop
        number 1
        get j.2
        get x.0
        less
      next j.2
      number 1
      get_host #2
      set_host #5
    next i.1
    get x.0
    call #7/1
    call #7/1
    number 2
    power
    tail_call";

#[test]
fn loops_know_their_place() {
    let function = function(NESTED);
    let facts = function.facts();
    assert!(facts.has_loops() && facts.has_tail_call && facts.counts.has_branches());
    assert_eq!((facts.loop_depth, facts.loops.len(), function.n_loops()), (2, 2, 2));
    let [outer, inner] = &*facts.loops else { panic!("there are two loops") };
    assert_eq!((outer.outer, outer.bracket, outer.variable), (None, 0, Local::new(1)));
    assert_eq!((inner.outer, inner.bracket, inner.variable), (Some(0), 1, Local::new(2)));
    assert_eq!((inner.header, inner.next, inner.n_ops()), (OpIdx::new(8), OpIdx::new(20), 12));
    assert_eq!(facts.loop_at(OpIdx::new(8)), Some(inner));
    assert_eq!(facts.loop_at(OpIdx::new(9)), None);
    assert_eq!(*inner.variables(&function), [0, 2].map(Local::new));
    assert_eq!(*outer.variables(&function), [0, 1].map(Local::new));
}

#[test]
fn brackets_assign_what_was_set_before_them() {
    let function = function(NESTED);
    let Facts { assigned, n_phis, .. } = function.facts();
    assert_eq!((assigned.len(), assigned.is_empty()), (2, false));
    assert_eq!(assigned[0], [0, 1].map(Local::new));
    assert_eq!(assigned[1], [0, 2].map(Local::new));
    // Those four, and the parameter at the tail call.
    assert_eq!(*n_phis, 5);
}

#[test]
fn a_variable_of_a_branch_is_out_of_scope_behind_it() {
    // Both branches set the variable first, and so does the loop behind them.
    let function = function(
        "function f(x.0), locals a.1\nget x.0\nif\nnumber 1\nset a.1\nelse\nnumber 2\nset a.1\nend\ndrop
        loop\nnumber 1\nset a.1\nnumber 1\nnext x.0\nget x.0",
    );
    let Facts { assigned, loops, n_phis, .. } = function.facts();
    assert_eq!((&assigned[0], &assigned[1]), (&[][..], &[Local::new(0)][..]));
    assert_eq!(*loops[0].variables(&function), [Local::new(0)]);
    assert_eq!(*n_phis, 2);
}

#[test]
fn calls_are_grouped_by_callee_and_loop() {
    let function = function(NESTED);
    let facts = function.facts();
    let [three, seven] = [3, 7].map(FunctionId::new);
    let expected = [(three, Some(1), 1), (seven, None, 2), (seven, Some(0), 1), (seven, Some(1), 1)];
    let expected =
        expected.map(|(callee, innermost_loop, n_calls)| CallFacts { callee, innermost_loop, n_calls });
    assert_eq!(*facts.calls, expected);
    assert_eq!(facts.callees().collect::<Vec<_>>(), [(three, 1), (seven, 4)]);
    assert_eq!(function.callees_in_order().map(FunctionId::index).collect::<Vec<_>>(), [7, 7, 3, 7, 7]);
}

#[test]
fn host_variables_are_read_or_assigned() {
    let function = function(NESTED);
    let facts = function.facts();
    assert_eq!(*facts.host_variables_read, [2, 5].map(HostVariable::new));
    assert_eq!(*facts.host_variables_assigned, [HostVariable::new(5)]);
    assert_eq!(facts.host_variables().count(), 3);
}

#[test]
fn elements_of_arrays_are_read_or_assigned() {
    let function =
        function("function f(i.0)\nget i.0\nget_element #4\nget i.0\nget_element #1\nset_element #4");
    let facts = function.facts();
    assert_eq!(*facts.host_arrays_read, [1, 4].map(HostArray::new));
    assert_eq!(*facts.host_arrays_assigned, [HostArray::new(4)]);
    assert_eq!((facts.host_arrays().count(), facts.counts.element_accesses), (3, 3));
    assert!(facts.assigns_host_memory());
}

#[test]
fn operations_are_counted() {
    let function = function(NESTED);
    let expected = OpCounts {
        calls: 5,
        tail_calls: 1,
        powers: 1,
        comparisons: 1,
        ifs: 0,
        loops: 2,
        host_accesses: 3,
        element_accesses: 0,
        others: 16,
    };
    assert_eq!(function.facts().counts, expected);
    // A `Next` is counted with its `Loop`.
    assert_eq!(function.ops.len(), 5 + 1 + 1 + 1 + 2 * 2 + 3 + 16);
}

#[test]
fn straight_code_has_no_loops() {
    let function = function("function f(x.0)\nget x.0\nset x.0");
    assert!(!function.has_loops());
    let facts = function.facts();
    assert!(!facts.has_loops() && !facts.counts.has_branches() && facts.assigned.is_empty());
    assert!(!function.has_loops());
}

#[test]
fn there_are_no_sets_beyond_the_limit() {
    // All loops around the innermost assign all variables.
    let n = 1_100;
    let variables: Vec<_> = (0..n).map(|idx| format!(".{idx}")).collect();
    let set_all = |text: &mut String| {
        for variable in &variables {
            *text += &format!("\nnumber 0\nset {variable}\ndrop");
        }
    };
    let mut text = format!("function f(), locals {}", variables.join(" "));
    set_all(&mut text);
    text += &"\nloop".repeat(n);
    set_all(&mut text);
    text += &"\nnumber 1\nnumber 0\nnext .0".repeat(n);
    text += "\nnumber 0";
    let function = function(&text);
    let facts = function.facts();
    assert!(facts.n_phis > MAX_PHIS && facts.assigned.is_empty());
    assert_eq!((facts.loops.len(), facts.loop_depth), (n, n));
}

#[test]
fn facts_are_no_part_of_the_value() {
    let function = function(NESTED);
    let copy = function.clone();
    let before = format!("{function:?}");
    let facts: *const Facts = function.facts();
    assert!(std::ptr::eq(facts, function.facts()), "facts are computed once");
    assert_eq!((format!("{function:?}"), &function), (before, &copy));
}
