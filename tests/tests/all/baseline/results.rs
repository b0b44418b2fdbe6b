//! Corners of the language and of the ABI, and frames larger than the guard of the stack.

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_testkit::Failure;

use super::machine::{Way, machine};
use super::random;

fn check(text: &str) {
    for way in Way::ALL {
        random::check(text, way);
    }
}

#[test]
fn constructs_in_every_position() {
    check(
        "def numbers(x) 1 + 0.1 * 1e300 - x / 0 ^ 2 ^ x; numbers(0.3); numbers(0-2);
        def truth(x y) (x < y) + (if x < y then x < 1 else y < 1) + (if 1 < (x < y) then 2 else 3);
        truth(1, 2); truth(2, 1); truth(0/0, 1);
        def set(x) var a = x < 1 in (x = a = x + 1) + a + x; set(4);
        def shadow(x) (var x = x + 1 in var x = x * 2 in x) + x; shadow(3);
        def nested(x) if if x then x < 1 else 0 then (if x then 1 else x = 2) else (if x < 3 then x = 4 else x);
        nested(0); nested(0.5); nested(2); nested(7); nested(0/0);
        def loops(n) (for i = 0, i < n in for j = i, j < n, 2 in (if j < i then n = n - 1 else i = i + 1)) + n;
        loops(20);
        def branch(n) if n then (for i, 0 in n = i) else for i = n, n < i, 0 - 1 in n; branch(0); branch(3);
        def held(n) n + (for i = n, i < 9 in n = n + 1) + n; held(1);
        def sum(n s) if n < 1 then s else sum(n - 1, s + n); sum(100, 0);
        def both(x y) if x < 20 then both(y + 1, x + 1) else x * 100 + y; both(0, 3);
        def first(x y) if x < 9 then first(x + 2, x) else (y = 2) + x; first(1, 2);
        def second(x y) if 9 < x then (y = x) + y else second(x + y, y + 1); second(1, 1);
        def third(x) if x < 1 then x else if x < 2 then third(x - 2) else (if 0 < x then third(x - 3) else third(1));
        third(11); third(0);
        def inner(x) var y = x in if 1 < y then inner(y - 1) + inner(y - 2) else inner2(y = 3); def inner2(x) x;
        inner(9);
        def sides(n) (for i = 0, i < n in printd(i)) + putchard(65) * n; sides(5);",
    );
}

#[test]
fn arguments_beyond_the_registers() {
    for n in [7, 8, 9, 10, 17, 100] {
        let parameters: Vec<_> = (0..n).map(|k| format!("p{k}")).collect();
        let all = parameters.join(", ");
        let rotated = [&parameters[1..], &parameters[..1]].concat().join(", ");
        let stepped = [&parameters[1..], &["p0 + 100 + p1".to_owned()]].concat().join(", ");
        let digest = parameters.iter().fold("0".to_owned(), |so_far, p| format!("({so_far} * 3 + {p})"));
        let args: Vec<_> = (0..n).map(|k| (k * k).to_string()).collect();
        let args = args.join(", ");
        check(&format!(
            "def digest({all}) {digest};
            def turn({all}) digest({rotated}) + digest({all}); turn({args});
            def tail({all}) if 500 < p0 then {digest} else tail({stepped}); tail({args});
            def deep({all}) if 500 < p0 then {digest} else 1 + deep({stepped}); deep({args});"
        ));
    }
}

#[test]
fn maths_functions_give_the_bits_of_the_library() {
    let values = "0 (0*(0-1)) 1 (0-1) 0.5 (0-0.5) 1.5 2.5 (0-2.5) 0.49999999999999994 4503599627370497.5 1e308 5e-324 \
                  (1/0) (0-1/0) (0/0) 700 3";
    let values: Vec<_> = values.split(' ').collect();
    let mut text = String::new();
    for function in MathsFunction::ALL {
        let name = function.name();
        if function.arity() == 1 {
            text += &format!("def my{name}(x) {name}(x);");
            text.extend(values.iter().map(|x| format!("my{name}({x}); {name}({x});")));
        } else {
            text += &format!("def my{name}(x y) {name}(x, y) * 2;");
            let pairs = values.iter().flat_map(|x| values[..8].iter().map(move |y| (x, y)));
            text.extend(pairs.map(|(x, y)| format!("my{name}({x}, {y});")));
        }
    }
    text += "def power(x y) x ^ y; def square(x) x ^ 2; ";
    text.extend(values.iter().map(|x| format!("power({x}, 3); power(2, {x}); square({x});")));
    random::check(&text, Way::Plain);
}

#[test]
fn tail_calls_take_no_stack() {
    let text = "def count(n) if n < 1 then 7 else count(n - 1); def f(n) count(n);";
    let (machine, f) = machine(text, Way::Plain);
    assert_eq!(machine.call(&f, &[3e7]), Ok(7.0));
}

#[test]
fn deep_recursion_ends_in_an_error() {
    let overflow = Err(Failure("StackOverflow".to_owned()));
    let (first, f) = machine("def down(n) 1 + down(n + 1); def f(n) down(n);", Way::Counting);
    assert_eq!(first.call(&f, &[0.0]), overflow);

    // Each frame is larger than the guard, which none may step over.
    let parameters: String = (0..9_999).map(|k| format!("p{k} ")).collect();
    let args = (1..9_999).map(|k| format!("p{k}, ")).collect::<String>() + "p0";
    let text = format!("def down({parameters}) 1 + down({args}); def f(n) down(n{});", ", 2".repeat(9_998));
    let (second, f) = machine(&text, Way::Plain);
    assert_eq!(second.call(&f, &[0.0]), overflow);
}
