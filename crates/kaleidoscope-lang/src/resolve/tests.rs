//! Tail calls, variables, mistakes in meaning, and the promises of the IR.

use crate::item::Item;
use crate::reader::Reader;
use crate::test_kit::{Dice, Session, check, rendered};
use kaleidoscope_ir::verify::verify;
use kaleidoscope_ir::{Arithmetic, Function, Op};

/// The function of the only definition or expression in the text.
#[track_caller]
fn function(session: &Session, text: &str) -> Function {
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let read = reader.read(&session.names).expect("there is an item");
    match read.item {
        Some(Item::Definition { function, .. } | Item::Expression { function }) => (*function).clone(),
        other => panic!("{text}: {other:?} {:?}", read.diagnostics),
    }
}

#[track_caller]
fn check_tail(text: &str, is_tail: bool) {
    let function = function(&Session::new(), text);
    let has_tail = function.ops.contains(&Op::TailCall);
    let has_call = function.ops.iter().any(|op| matches!(op, Op::Call { .. }));
    assert_eq!((has_tail, has_call), (is_tail, !is_tail), "{text}");
}

#[test]
fn tail_position() {
    check_tail("def f(x) f(x)", true);
    check_tail("def f(x) (((f(x))))", true);
    check_tail("def f(x) if x then f(x) else 1", true);
    check_tail("def f(x) if x then 1 else if x then 2 else f(x)", true);
    check_tail("def f(x) var a = 1 in f(a)", true);
    check_tail("def f() f()", true);
    check_tail("def f(x) f(x) + 1", false);
    check_tail("def f(x) x = f(x)", false);
    check_tail("def f(x) if f(x) then 1 else 2", false);
    check_tail("def f(x) var a = f(x) in a", false);
    check_tail("def f(x) for i = 1, i < 2 in f(i)", false);
    check_tail("def f(x) g(x)", false);
    check_tail("def f(x) f(x)^2", false);
}

#[test]
fn an_older_version_of_an_operator_is_itself() {
    let mut session = Session::new();
    session.run("def unary!(v) v; def binary| (a b) a");
    assert!(function(&session, "def unary!(v) !v").ops.contains(&Op::TailCall));
    assert!(function(&session, "def binary| (a b) b|a").ops.contains(&Op::TailCall));
    assert!(!function(&session, "def binary| (a b) !(b|a)").ops.contains(&Op::TailCall));
    assert!(!function(&session, "def f(a) !a").ops.contains(&Op::TailCall));
    // A top-level expression has no self.
    session.run("def f(x) x");
    assert!(!function(&session, "f(1)").ops.contains(&Op::TailCall));
}

#[test]
fn small_literal_exponents_multiply() {
    let session = Session::new();
    let power = Op::Arithmetic(Arithmetic::Power);
    for text in ["3^2", "3^2.0", "3^(2)", "2^2", "2^3", "(1+2)^3e0"] {
        let function = function(&session, text);
        assert!(function.ops.contains(&Op::Square) && !function.ops.contains(&power), "{text}");
    }
    for text in ["3^0", "3^1", "(3^1)^0"] {
        assert!(!function(&session, text).ops.contains(&power), "{text}");
    }
    for text in ["3^2.5", "2^4", "3^(1+1)", "3^(0-2)", "def f(x n) x^n"] {
        assert!(function(&session, text).ops.contains(&power), "{text}");
    }
    // Reading a variable again is cheaper than storing its value, but the host may change it.
    assert_eq!(function(&session, "def f(x) x^3").locals.len(), 1);
    assert_eq!(function(&session, "def f(x) (x+1)^3").locals.len(), 2);
    let mut session = Session::new();
    session.bind("speed", 2.0);
    assert_eq!(function(&session, "speed^3").locals.len(), 1);
}

#[test]
fn each_variable_has_its_own_number() {
    let text = "def f(x y) (var x = 1, x = 2 in for x = 3, 0 in x) + (var x in x)";
    let function = function(&Session::new(), text);
    let names: Vec<_> = function.locals.iter().map(|name| &**name).collect();
    assert_eq!((names, function.n_params), (vec!["x", "y", "x", "x", "x", "x"], 2));
}

#[test]
fn arity() {
    check("def f(x) x; f(); f(1, 2); f(3)", "KLS2004 KLS2004 3");
    check("sin(); sin(1, 2); atan2(1)", "KLS2004 KLS2004 KLS2004");
    check("def f(x) f(); 7", "KLS2004 7");
    check("def f() 5; f()", "5");
    check("def f(a b c d e g h i j k) a+k; f(1,2,3,4,5,6,7,8,9,10)", "11");
}

#[test]
fn assignments() {
    for text in ["1 = 2", "(1+2) = 3", "sin(1) = 2", "(var a in a) = 1", "(if 1 then 2 else 3) = 4"] {
        check(&format!("{text}; 7"), "KLS2005 7");
    }
    check("var a in a + 1 = 2; 7", "KLS2005 7");
    check("y = 1; 7", "KLS2001 7");
    check("var a in (a = 1) = 2; 7", "KLS2005 7");
}

#[test]
fn mistakes_are_all_reported_each_name_once() {
    check(
        "x + x + y + sin() + (1 = z) + nil(1) + nil(1); 7",
        "KLS2001 KLS2001 KLS2004 KLS2005 KLS2001 KLS2002 7",
    );
    let many: String = (0..100).map(|idx| format!("v{idx} + ")).collect();
    check(&format!("{many} 1; 7"), &format!("{}7", "KLS2001 ".repeat(20)));
    let calls: String = (0..100).map(|idx| format!("g{idx}(1) + ")).collect();
    check(&format!("def f(x) {calls} y; 7"), &format!("{}KLS2001 7", "(KLS2003) ".repeat(20)));
}

#[test]
fn hints() {
    let hint = |text: &str| {
        let rendered = rendered(text);
        rendered.split_once("help: ").map(|(_, hint)| hint.trim().to_owned()).unwrap_or_default()
    };
    assert_eq!(hint("sqr(2)"), "there is one named `sqrt`");
    assert_eq!(hint("def fib(n) n; def f(x) fbi(x)"), "there is one named `fib`");
    assert_eq!(hint("def f(count) coutn"), "there is one named `count`");
    assert_eq!(hint("def f(x) f"), "`f` is a function: call it with `f(…)`");
    assert_eq!(hint("cos"), "`cos` is a function: call it with `cos(…)`");
    assert_eq!(
        hint("-1"),
        "none is built in: define it with `def unary-(v) 0-v`, or use the prelude (`--prelude`)"
    );
    assert_eq!(hint("nothing(1)"), "");
}

/// What people from other languages type gets a hint.
#[test]
fn hints_for_words_of_other_languages() {
    let hint = |text: &str| {
        let rendered = rendered(text);
        rendered.split_once("help: ").map(|(_, hint)| hint.lines().next().unwrap_or_default().to_owned())
    };
    for (text, expected) in [
        ("ln(2)", "the natural logarithm is `log`; the prelude (`--prelude`) has `ln`"),
        ("def f(x) ln(x)", "the natural logarithm is `log`; the prelude (`--prelude`) has `ln`"),
        ("abs(2)", "the absolute value is `fabs`; the prelude (`--prelude`) has `abs`"),
        ("mod(2, 3)", "the remainder is `fmod(a, b)`; the prelude (`--prelude`) has `mod`"),
        ("min(2, 3)", "the prelude (`--prelude`) has one"),
        ("2 * pi", "the prelude (`--prelude`) has this constant"),
        ("1 == 2", "the prelude (`--prelude`) has one"),
        ("1 === 2", "the prelude (`--prelude`) has `==`"),
        ("3 > 2", "the prelude (`--prelude`) has one"),
        ("!1", "the prelude (`--prelude`) has one"),
        ("5 % 3", "the prelude (`--prelude`) has one; without it, the remainder is `fmod(a, b)`"),
        ("5 ** 3", "the power is `^`"),
        ("1 and 2", "the prelude (`--prelude`) has `and`, which is `&&`"),
        ("not 2", "the prelude (`--prelude`) has `not`, which is `!`"),
        ("not(2)", "the prelude (`--prelude`) has `not`, which is `!`"),
        ("1 // 2", "a comment begins with `#`; `floor(a / b)` divides and rounds down"),
        ("// 2", "a comment begins with `#`"),
        ("/* 2 */", "a comment begins with `#`"),
        ("printd(\"x\")", "there are no strings: every value is a number"),
        ("printd('x')", "there are no strings: every value is a number"),
        ("def f(x) return x", "leave it out: a function's value is that of its expression"),
        ("def f(x) return(x)", "leave it out: a function's value is that of its expression"),
        ("let x = 1", "a variable is `var name = value in expression`"),
        ("true", "there are only numbers: true is 1"),
        ("if false then 1 else 2", "there are only numbers: false is 0"),
        ("def f(x) { x }", "a body is one expression; `(` and `)` group"),
        ("2x", "to multiply, write `2 * x`"),
        ("3.5rate_2 + 1", "to multiply, write `3.5 * rate_2`"),
        ("2 ? 3 : 4", "a choice is `if a then b else c`"),
        ("while 1 in 2", "the prelude (`--prelude`) has `while … in …`"),
    ] {
        assert_eq!(hint(text).as_deref(), Some(expected), "{text}");
    }
    // Nothing certain is known of these.
    for text in ["2e", "1.2.3x", "2exp", "$"] {
        assert_eq!(hint(text), None, "{text}");
    }
    // A word that is a variable is no mistake.
    assert_eq!(hint("def f(let) let; def g(pi) pi"), None);
}

#[test]
fn random_functions_keep_the_promises_of_the_ir() {
    let mut session = Session::new();
    session.run("def unary!(v) v; def binary| (a b) a; def g(x) x");
    let mut dice = Dice(7);
    for _ in 0..3000 {
        let text = format!("def f(x y) {}", expression(&mut dice, 5));
        let function = function(&session, &text);
        assert_eq!(verify(&function), Ok(()), "{text}\n{function}");
    }
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    let kind = if depth == 0 { dice.roll(2) } else { dice.roll(12) };
    let mut part = || expression(dice, depth - 1);
    match kind {
        0 => "1.5".to_owned(),
        1 => "x".to_owned(),
        2 => format!("f({}, {})", part(), part()),
        3 => format!("g({})", part()),
        4 => format!("!({})", part()),
        5 => format!("(({}) | ({}))", part(), part()),
        6 => format!("(({}) + ({}))", part(), part()),
        7 => format!("({})^2", part()),
        8 => format!("(if {} then {} else {})", part(), part(), part()),
        9 => format!("(for x = {}, {}, {} in {})", part(), part(), part(), part()),
        10 => format!("(var x = {}, y in {})", part(), part()),
        _ => format!("(y = {})", part()),
    }
}

#[test]
fn variables_of_the_program_hide_host_variables() {
    let mut session = Session::new();
    session.bind("t", 5.0);
    assert_eq!(session.run("t; t = t + 1; t; (t) = 2; t"), "5 6 6 2 2");
    assert_eq!(session.run("def f(t) t = t + 1; f(10); t"), "11 2");
    assert_eq!(session.run("(var t = t, t = t + 1 in t = t * 2); t; (for t = t, t < 4 in 0); t"), "6 2 0 2");
    assert_eq!(session.run("def g(x) (var t = x in t) + t; g(7); (var a = t = 3 in a) + t"), "9 6");
    // Left before right, and what an assignment is worth is its right side.
    assert_eq!(session.run("t + (t = 10) * t; (t = 1) + (t = t + 1) + t; t = t = 4; t"), "103 5 4 4");
    // A function has another name space.
    assert_eq!(session.run("def t(x) x + t; t(1); t = t(t); t"), "5 8 8");
    assert_eq!(session.run("for i = 0, i < 5 in t = t + i; t"), "0 23");
}

#[test]
fn a_name_means_the_variable_that_it_was_given_last() {
    let mut session = Session::new();
    let first = session.bind("t", 1.0);
    assert_eq!(session.run("def f() t = t + 1; f()"), "2");
    session.bind("t", 10.0);
    assert_eq!(session.run("f(); t; def g() t; g()"), "3 10 10");
    session.names.use_variable(first);
    assert_eq!(session.run("t; g()"), "3 10");
}

#[test]
fn unknown_names_are_compared_with_host_variables() {
    let mut session = Session::new();
    session.bind("speed", 1.0);
    let mut reader = Reader::new("test");
    reader.push("sped + 1");
    reader.finish();
    let read = reader.read(&session.names).expect("there is an item");
    assert_eq!(read.diagnostics[0].hint.as_deref(), Some("there is one named `speed`"));
}

#[test]
fn elements_of_arrays() {
    let mut session = Session::new();
    session.bind_array("u", &[1.0, 10.0, 100.0]);
    for (text, expected) in [
        ("u(1)", "10"),
        ("u(1) = 2; u(1)", "2 2"),
        ("(u(0)) = 3; u(0) + 1", "3 4"),
        ("u(0) = u(1) = 7; u(0) + u(1)", "7 14"),
        ("def f(u) u(u) + u; f(2)", "102"),
        ("u(u(0) = 2)", "100"),
        ("u(3); u(0 - 1) = 1; u(0/0)", "KLS3014 KLS3014 KLS3014"),
        ("u(); u(1, 2); u(1, 2) = 3; u() = 3", "KLS2004 KLS2004 KLS2004 KLS2004"),
        ("def u(x) x; extern u(x); def u() 1; u(2)", "KLS2013 KLS2013 KLS2013 100"),
        ("u = 1; u + 1; u(0) + 1 = 2; f(1) = 2", "KLS2001 KLS2001 KLS2005 KLS2005"),
        ("def g(x) v(x) = x; v(1) = 2", "KLS2005 KLS2005"),
        ("u(x) = y; u(1) = ", "KLS2001 KLS2001 KLS1003"),
    ] {
        assert_eq!(session.run(text), expected, "{text}");
    }
}

#[test]
fn an_element_is_no_tail_call() {
    let mut session = Session::new();
    session.bind_array("u", &[1.0]);
    let ops = function(&session, "def f(x) if x then u(x) else u(x) = f(x)").ops;
    assert!(!ops.contains(&Op::TailCall));
    assert_eq!(ops.iter().filter(|op| matches!(op, Op::Call { .. })).count(), 1);
}
