//! The meaning of programs: results of small texts for every corner of the language.

use crate::test_kit::{Session, check};
use kaleidoscope_ir::interpreter::StackLimit;

#[test]
fn corner_cases() {
    check("3-2-1", "0");
    check("2^3^2", "512");
    check("1<2<3", "1");
    check("1+2*3-4/5^6", "6.999744");
    check("0/0 < 1", "1");
    check("if 0/0 then 1 else 2", "2");
    check("var a,b in a = b = 3", "3");
    check("def unary-(v) 0-v; -1+2", "1");
    check("def unary-(v) 0-v; -2^2; 2^-1", "-4 0.5");
    check("def unary!(v) if v then 0 else 1; !1+1", "1");
    check("def binary% (a b) a*10+b; 1+2%3", "24");
    check("def f(x) (var x = 2 in x) + x; f(10)", "12");
    check("def f(x) var a = x, b = a in b; f(1)", "1");
    check("1e5", "100000");
    check("1 2 3;", "1 2 3");
    check("def cos(x) 42; cos(0)", "42");
    check("def f(x) x; def f(x) x+1; f(1)", "2");
    check("def f(x) g(x); def g(x) x+1; f(1)", "(KLS2003) 2");
    check("4+; 7", "KLS1001 7");
    check("1 = 2; 7", "KLS2005 7");
    check("x; 7", "KLS2001 7");
    check("foo(1); 7", "KLS2002 7");
    check("var a = a in a; 7", "KLS2001 7");
    check("def f(a a) a; 7", "KLS2006 7");
    check("def f(x) x; f(1,2); 7", "KLS2004 7");
}

#[test]
fn arithmetic_and_order() {
    check("1/0 0-1/0 0/0 0*(0-1)", "inf -inf nan -0");
    check("0.1+0.2", "0.30000000000000004");
    check("1e308*10", "inf");
    check("1<0/0 0/0<0/0 1<1 2<1 1<2", "1 1 0 0 1");
    check("3^2 0^0 2^0.5", "9 1 1.4142135623730951");
    // The left operand is read before the right one assigns.
    check("var a = 1 in a + (a = 5)", "6");
    check("var a = 1 in (a = 5) + a", "10");
    check("def f(x y) x*10+y; var a = 1 in f(a = 2, a)", "22");
    check("def binary & (a b) a*10+b; var a = 1 in (a = 2) & a", "22");
    check("def binary: 1 (x y) y; var a in (a = 3) : a + 1", "4");
}

#[test]
fn conditions_are_ordered_and_not_zero() {
    check("if 0 then 1 else 2", "2");
    check("if 0*(0-1) then 1 else 2", "2");
    check("if 0-1 then 1 else 2", "1");
    check("if 5e-324 then 1 else 2", "1");
    check("if 1/0 then 1 else 2", "1");
    check("def f(x) if x then 1 else 2; f(0/0)", "2");
}

#[test]
fn loops() {
    // The body runs at least once; the condition sees the variable before the step.
    check("var n in (for i = 1, i < 5 in n = n + 1) + n", "5");
    check("var n in (for i = 9, 0 in n = n + 1) + n", "1");
    check("var n in (for i = 1, i < 2, 0.25 in n = n + 1) + n", "5");
    check("for i = 1, i < 3 in i", "0");
    check("for i, i < 3 in i", "0");
    // The body may assign the variable: the step reads it again.
    check("var n in (for i = 1, i < 10 in (var k = (i = i + 1) in n = n + 1)) + n", "5");
    // The step is evaluated in each iteration, before the condition.
    check("var s = 1, n in (for i = 1, i < 20, s = s * 2 in n = n + 1) + n", "5");
    check("var s = 0 in (for i = 0, s < 1, s = s + 1 in 0) + s", "1");
    // The start does not see the variable, an outer one of that name it does.
    check("var i = 5, n in (for i = i, i < 6 in n = i) + n", "6");
    check("for i = i, 0 in 0", "KLS2001");
    check("(for i = 1, 0 in 0) + i", "KLS2001");
    check("for i = 1, 0/0 in 0", "0");
}

#[test]
fn scopes() {
    check("var x = 1 in (var x = 2 in x) + x", "3");
    check("var a = 1, a in a", "0");
    check("var a = 1, a = a + 1 in a", "2");
    check("def f(x) (x = 7) + x; f(1)", "14");
    check("def f(x) (((x))) = 3; f(1)", "3");
    check("var a, b in ((a)) = (b) = 4", "4");
    check("def f(x) x; var f = 3 in f(f)", "3");
    check("def x(x) x; x(4)", "4");
}

#[test]
fn redefined_functions() {
    check("def f(x) g(x); f(1)", "(KLS2003) KLS3001");
    check("extern g(x); def f(x) g(x); f(1)", "KLS3003");
    check("extern g(x); def f(x) g(x); def g(x) x+1; f(1)", "2");
    check("def g(x) x; def f(x) g(x); def g(x y) x+y; f(1)", "KLS3002");
    check("def g(x) x; def f(x) g(x); def g(x y) x+y; def g(x) x*5; f(1)", "5");
    check("def f(x) g(x)+g(x,x); def g(x y) 1; f(1)", "(KLS2003) (KLS2003) KLS3002");
    check("def h(x) cos(x); def cos(x) 42; h(0)", "42");
    check("extern cos(x); cos(0) sqrt(16)", "1 4");
    check("def f(x y) if x < 1 then y else f(x-1); 7", "KLS2004 7");
    check("def f(x) x; def f(x y) if x < 1 then y else f(x-1, y+1); f(3, 0)", "3");
    check(
        "def even(n) if n < 1 then 1 else odd(n-1); def odd(n) if n < 1 then 0 else even(n-1); even(10) odd(10)",
        "(KLS2003) 1 0",
    );
}

#[test]
fn redefined_operators() {
    check("def unary-(v) 0-v; 2--3; def binary-- (a b) a*b; 2--3", "5 6");
    check("def binary% 5 (a b) a*10+b; 1+2%3; def binary% 50 (a b) a*10+b; 1+2%3", "33 24");
    // Its own body cannot use it; the body of a redefinition means itself by it.
    check("def unary!(v) !v; 7", "KLS1006 7");
    check("def unary!(v) v; def unary!(v) if v < 100 then !(v*2) else v; !3", "192");
    check("extern binary% 50 (a b); 1+2%3; def binary% (a b) a*10+b; 2*2%3", "KLS3003 43");
    check("extern unary~(v); ~1; def unary~(v) v+1; ~1", "KLS3003 2");
    check("1 !2; def unary!(v) v+1; 1 !2; (1 !2); 4", "KLS2011 1 3 KLS1002 4");
    check("def binary _ (a b) a*10+b; def binary_(a b) a+b; 1_2 binary_(1, 2)", "12 3");
}

#[test]
fn tail_calls_use_no_stack() {
    check("def f(n acc) if n < 1 then acc else f(n-1, acc+n); f(100000, 0)", "5000050000");
    check("def f(n) var a = n-1 in (if a < 0 then a else (f(a))); f(100000)", "-1");
    check("def f(a b) if a < 1 then b else f(b - 1, a); f(100000, 100000)", "1");
    check("def f(n) if n < 1 then 0 else 1 + f(n-1); f(100000)", "KLS3004");
    check("def f(n) if n < 1 then 0 else 1 + f(n-1); f(1000)", "1000");
    check("def f(n) g(n); def g(n) f(n); f(1)", "(KLS2003) KLS3004");
    check("def binary | (a b) a; def binary | (a b) if a < 1 then b else (a-1)|(b+1); 100000|0", "100000");
}

#[test]
fn the_limit_counts_frames() {
    let mut session = Session::new();
    session.run("def f(n) if n < 1 then 0 else 1 + f(n-1)");
    session.limit = StackLimit { bytes: 100_000 };
    assert_eq!(session.run("f(100) f(10000) f(100)"), "100 KLS3004 100");
    session.limit = StackLimit { bytes: 0 };
    assert_eq!(session.run("1"), "KLS3004");
}
