//! Each promise of a function, broken.

use super::{verify, verify_calls};
use crate::{Function, FunctionId, OpIdx};

/// Verifies a function in text form.
fn verified(text: &str) -> Result<(), String> {
    let function: Function = text.parse().expect("the text form is right");
    verify(&function).map_err(|error| error.to_string())
}

/// Checks what the verifier says of operations, in a function of two parameters and two other
/// variables.
#[track_caller]
fn check(ops: &str, expected: &str) {
    let text = format!("function f(x.0 y.1), locals a.2 b.3, stack 2\n{}", ops.replace(", ", "\n"));
    assert_eq!(verified(&text).expect_err(ops), expected, "{ops}");
}

#[test]
fn good_functions_pass() {
    let texts = [
        "function f()\nnumber 1",
        "function f(x.0)\nget x.0\nif\nget x.0\nelse\nget x.0\ntail_call\nend",
        "function f(x.0)\nget x.0\nif\nget x.0\ntail_call\nelse\nget x.0\ntail_call\nend",
        "function f(x.0)\nget x.0\ntail_call",
        // Tail calls in both branches of a branch.
        "function f(x.0)\nget x.0\nif\nget x.0\nif\nget x.0\ntail_call\nelse\nget x.0\ntail_call\nend\nelse\nget x.0\nend",
        "function f(), locals i.0\nnumber 0\nset i.0\ndrop\nloop\nnumber 1\nget i.0\nnext i.0\nget i.0",
        // A variable of both branches.
        "function f(x.0), locals a.1\nget x.0\nif\nget x.0\nset a.1\nelse\nnumber 2\nset a.1\ndrop\nget a.1\nend",
        "function f(x.0)\nnumber 7\nget x.0\nif\nnumber 1\nelse\nnumber 2\nend\nadd",
    ];
    for text in texts {
        assert_eq!(verified(text), Ok(()), "{text}");
    }
}

#[test]
fn brackets_match() {
    check("number 1, else (end 1)", "operation 1: is an `Else` without an `If`");
    check("number 1, end", "operation 1: is an `End` without an `Else`");
    check("number 1, if (else 2), end", "operation 2: is an `End` without an `Else`");
    check("number 1, number 1, next x.0 (loop 0)", "operation 2: is a `Next` without a `Loop`");
    check("loop, number 1, else (end 3)", "operation 2: is an `Else` without an `If`");
    check(
        "number 1, if (else 3), number 1, else (end 6), number 1, else (end 6), end",
        "operation 5: is an `Else` without an `If`",
    );
    check("number 1, if (else 9)", "the bracket that begins at operation 1 has no end");
    check("number 1, loop", "the bracket that begins at operation 1 has no end");
    check(
        "number 1, if (else 4), number 1, else (end 5), number 1, end",
        "operation 3: ends the first branch of the `If` at 1, which names 4",
    );
    check(
        "number 1, if (else 3), number 1, else (end 6), number 1, end",
        "operation 5: ends the `Else` at 3, which names 6",
    );
    check("loop, number 1, number 1, next x.0 (loop 1)", "operation 3: ends the `Loop` at 0 and names 1");
}

#[test]
fn operations_find_their_operands() {
    check("drop", "operation 0: takes 1 values from the stack, which has 0");
    check("number 1, add", "operation 1: takes 2 values from the stack, which has 1");
    check("number 1, call #0/2", "operation 1: takes 2 values from the stack, which has 1");
    check("number 1, tail_call", "operation 1: takes 2 values from the stack, which has 1");
    // Values below a bracket are out of its reach.
    check("number 1, number 1, if (else 9), drop", "operation 3: takes 1 values from the stack, which has 0");
    check(
        "number 1, loop, number 1, next x.0 (loop 1)",
        "operation 3: takes 2 values from the stack, which has 1",
    );
}

#[test]
fn heights_are_fixed() {
    check("number 1, number 2", "it ends with 2 values on the stack, not one");
    check("number 1, drop", "it ends with 0 values on the stack, not one");
    check("number 1, if, else, number 1, end", "operation 2: ends a branch that leaves 0 values, not one");
    check(
        "number 1, if, number 1, else, number 1, number 2, end",
        "operation 6: ends a branch that leaves 2 values, not one",
    );
    check(
        "loop, number 1, number 1, number 1, next x.0",
        "operation 4: ends a loop that leaves 1 values on the stack",
    );
    check("number 1", "the stack has up to 1 values, `max_stack` says 2");
}

#[test]
fn tail_calls_end_their_branch() {
    check(
        "get x.0, get y.0, tail_call, number 1".replace("y.0", "y.1").as_str(),
        "operation 3: follows a tail call and is not `Else` or `End`",
    );
    check(
        "number 1, if, get x.0, get y.1, tail_call, else, get x.0, get y.1, tail_call, end, drop",
        "operation 10: follows a tail call and is not `Else` or `End`",
    );
    check(
        "number 1, number 1, number 1, tail_call",
        "operation 3: is a tail call that leaves 1 values on the stack",
    );
    check("loop, number 1, number 1, tail_call", "operation 3: is a tail call in a loop");
}

#[test]
fn variables_are_set_before_they_are_read() {
    check("get .4", "operation 0: names variable 4, there are 4");
    check("number 1, set .4", "operation 1: names variable 4, there are 4");
    check("get a.2", "operation 0: reads variable 2, which is not set there");
    check("loop, number 1, number 1, next a.2", "operation 3: reads variable 2, which is not set there");
    // Set in one branch, read in the other or behind.
    check(
        "number 1, if, number 1, set a.2, else, get a.2, end",
        "operation 5: reads variable 2, which is not set there",
    );
    check(
        "number 1, if, number 1, set a.2, else, number 1, set a.2, end, drop, get a.2",
        "operation 9: reads variable 2, which is not set there",
    );
    // Set in a loop, read behind it or stepped by it.
    check(
        "loop, number 1, set a.2, drop, number 1, number 0, next x.0, get a.2",
        "operation 7: reads variable 2, which is not set there",
    );
    check(
        "loop, number 1, set a.2, drop, number 1, number 0, next a.2",
        "operation 6: reads variable 2, which is not set there",
    );
}

#[test]
fn there_are_variables_for_the_parameters() {
    let function = Function::new("f", 1, [], [], 0);
    assert_eq!(verify(&function).unwrap_err().to_string(), "it has 1 parameters and only 0 variables");
}

#[test]
fn the_end_leaves_the_results() {
    let verify_text = |text: &str| verify(&text.parse().unwrap()).map_err(|error| error.to_string());
    assert_eq!(verify_text("function f(x.0), results 2, stack 2\nget x.0\nnumber 1"), Ok(()));
    let refused = |message: &str| Err(message.to_owned());
    assert_eq!(
        verify_text("function f(x.0), results 2, stack 1\nget x.0"),
        refused("it ends with 1 values on the stack, not 2")
    );
    assert_eq!(verify_text("function f(x.0), results 0, stack 0"), refused("it has no result"));
    assert_eq!(
        verify_text("function f(x.0), stack 2\nget x.0\nget x.0"),
        refused("it ends with 2 values on the stack, not one")
    );
}

#[test]
fn a_function_of_calls_keeps_the_promises() {
    for (n_params, n_callees) in [(0, 1), (0, 3), (1, 2), (3, 1), (3, 4)] {
        let parameters = vec!["x".into(); n_params];
        let callees: Vec<_> = (0..n_callees).map(FunctionId::new).collect();
        let function = Function::of_calls("all", parameters, &callees);
        assert_eq!(verify(&function), Ok(()), "{function}");
        assert_eq!(function.n_results, n_callees);
    }
}

#[test]
fn calls_have_as_many_arguments_as_parameters() {
    let function: Function = "function f()\nnumber 1\ncall #3/1\ncall #4/1".parse().unwrap();
    let arity_of = |id: FunctionId| if id == FunctionId::new(4) { Some(2) } else { None };
    let error = verify_calls(&function, arity_of).unwrap_err();
    assert_eq!(error.to_string(), "operation 2: calls function #4 with 1 arguments, it has 2 parameters");
    assert_eq!(error.at(), Some(OpIdx::new(2)));
    assert_eq!(verify_calls(&function, |_| Some(1)), Ok(()));
}
