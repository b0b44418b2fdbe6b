//! Patterns that name every operation, and patterns that hide some.

use crate::tidy::Source;

fn n_complaints(body: &str) -> usize {
    let text = format!("fn f() {{ {body} }}");
    super::check(&[Source::new("crates/a/src/b.rs", text)]).len()
}

#[test]
fn a_match_on_operations_has_no_catch_all() {
    assert_eq!(n_complaints("match op { Op::Add => 1, Op::Call { .. } | Op::Loop(_) => 2 }"), 0);
    for body in [
        "match op { Op::Add => 1, _ => 2 }",
        "match op { ir::Op::Add => 1, _ if late => 2, Op::Call => 3 }",
        "match op { Op::Add => 1, other => 2 }",
        "match op { Op::Add => 1, Op::Call | _ => 2 }",
        "match op { Some(Op::Add) => 1, Some(_) => 2, None => 3 }",
        "match (op, n) { (Op::Add, 1) => 1, (_, _) => 2 }",
        "g(match *op { Op::Add => 1, _ => 2 })",
        "matches!(op, Op::Add | Op::Call { .. })",
        "if !matches!(ops.last(), Some(Op::Add) if late) {}",
    ] {
        assert_eq!(n_complaints(body), 1, "{body}");
    }
}

#[test]
fn other_matches_may() {
    for body in [
        "match op { Operator::Add => 1, _ => 2 }",
        "match op { Op::Add => match n { 1 => 1, _ => 2 }, Op::Call => 3 }",
        "matches!(kind, Kind::Op)",
    ] {
        assert_eq!(n_complaints(body), 0, "{body}");
    }
    assert_eq!(n_complaints("} #[cfg(test)] mod tests { fn g() { matches!(op, Op::Add) }"), 0);
}
