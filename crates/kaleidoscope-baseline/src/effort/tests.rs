//! The limits, at shapes that Cranelift is slow for.

use super::*;
use kaleidoscope_testkit::Program;

/// How the function that the text defines is compiled, without counters and with.
#[track_caller]
fn check(text: &str, plain: Option<Effort>, counting: Option<Effort>) {
    let program = Program::read(text);
    let function = program.last();
    let found = |counts| effort(function, counts, 0);
    assert_eq!((found(false), found(true)), (plain, counting), "{} operations", function.ops.len());
}

/// Parts that differ by a number.
fn parts(n: usize, part: impl Fn(usize) -> String) -> String {
    (0..n).map(part).collect()
}

#[test]
fn what_people_write_is_compiled_in_full() {
    check(&format!("def f(x) x{}", "+x".repeat(1_000)), Some(Effort::Full), Some(Effort::Full));
    check(&format!("def f(x) x{}", "^x".repeat(500)), Some(Effort::Full), Some(Effort::Full));
    check("def f(x) if x < 1 then x else f(x - 1)", Some(Effort::Full), Some(Effort::Full));
    let loops = "for i = 0, i < x in ".repeat(20);
    check(&format!("def f(x) {loops} x"), Some(Effort::Full), Some(Effort::Full));
    let ifs = "+(if x < 1 then x = 2 else 3)".repeat(100);
    check(&format!("def f(x) x{ifs}"), Some(Effort::Full), Some(Effort::Full));
}

#[test]
fn long_functions_are_compiled_quickly() {
    check(&format!("def f(x) x{}", "+x".repeat(10_000)), Some(Effort::Quick), Some(Effort::Quick));
    let loops = "+(for i = 0, i < x in x = i)".repeat(300);
    check(&format!("def f(x) x{loops}"), Some(Effort::Quick), Some(Effort::Quick));
}

#[test]
fn endless_functions_are_refused() {
    let calls = "+f(x)".repeat(150_000);
    check(&format!("def f(x) x{calls}"), None, None);
    let loops = "+(for i = 0, i < x in x = i)".repeat(6_000);
    check(&format!("def f(x) x{loops}"), None, None);
}

#[test]
fn variables_assigned_in_depth_count_at_each_level() {
    let deep = |n| {
        let loops = parts(n, |k| format!("for i{k} = 0, i{k} < x in "));
        format!("def f(x) {loops} 0{}", parts(n, |k| format!("+(i{k}=x)")))
    };
    check(&deep(200), Some(Effort::Quick), Some(Effort::Quick));
    // Counting weighs more.
    check(&deep(800), Some(Effort::Quick), None);
    check(&deep(2_000), None, None);
}

#[test]
fn checks_count_as_branches() {
    let program = Program::read(&format!("def f(x) x{}", "+sqrt(x)".repeat(400)));
    let function = program.last();
    assert_eq!(effort(function, false, 0), Some(Effort::Full));
    assert_eq!(effort(function, false, 400), Some(Effort::Quick));
}

#[test]
fn values_that_live_through_many_blocks_count_in_each() {
    let wide = |n| {
        let variables = parts(n, |k| format!("var v{k} = x * {k} in "));
        format!("def f(x) {variables} 0{}", parts(n, |k| format!("+(if x < v{k} then v{k} else x)")))
    };
    check(&wide(2_000), Some(Effort::Quick), Some(Effort::Quick));
    check(&wide(9_000), None, None);
}
