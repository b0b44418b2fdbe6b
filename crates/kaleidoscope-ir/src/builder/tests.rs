//! Functions made by the builder, and what the builder refuses.

use super::*;

/// A function of each kind of bracket, nested.
fn nested() -> FunctionBuilder {
    let mut builder = FunctionBuilder::new("f");
    let (x, i) = (builder.param("x"), builder.local("i"));
    builder.number(0.0).set(i).drop_top();
    builder.begin_loop();
    builder.get(i).begin_if().get(x).begin_else().number(1.0).end_if().drop_top();
    builder.number(1.0).get(i).get(x).arithmetic(Arithmetic::Less).end_loop(i);
    builder.get(i);
    builder
}

#[test]
fn targets_and_stack_height_follow_from_the_operations() {
    let function = nested().finish().unwrap();
    let text = "function f(x.0), locals i.1, stack 3\nnumber 0\nset i.1\ndrop\nloop\nget i.1\n\
                if\nget x.0\nelse\nnumber 1\nend\ndrop\nnumber 1\nget i.1\nget x.0\nless\nnext i.1\nget i.1\n";
    assert_eq!(function, text.parse().unwrap());
}

#[test]
fn broken_promises_are_errors() {
    for (op, expected) in [
        (Op::End, "operation 17: is an `End` without an `Else`"),
        (Op::Else { end: UNKNOWN }, "operation 17: is an `Else` without an `If`"),
        (Op::Loop, "the bracket that begins at operation 17 has no end"),
        (Op::Drop, "it ends with 0 values on the stack, not one"),
        (Op::Get(Local::new(2)), "operation 17: names variable 2, there are 2"),
    ] {
        let mut builder = nested();
        builder.op(op);
        assert_eq!(builder.finish().unwrap_err().to_string(), expected);
    }
}

#[test]
fn parameters_come_first() {
    let mut builder = FunctionBuilder::new("f");
    builder.local("i");
    let added = std::panic::catch_unwind(move || builder.param("x"));
    assert!(added.is_err());
}
