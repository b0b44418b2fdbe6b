//! Texts and their layout.

use super::*;

#[track_caller]
fn formatted(text: &str) -> String {
    let formatted =
        format("text", text, Names::new()).unwrap_or_else(|error| panic!("{:?}", error.diagnostics));
    assert_eq!(
        format("text", &formatted, Names::new()).unwrap(),
        formatted,
        "formatting again changes nothing"
    );
    formatted
}

#[test]
fn all_line_ends_become_those_of_unix() {
    let formatted = format("text", "# a\r1+2\r\n# b\r\r3", Names::new()).unwrap();
    assert_eq!(formatted, "# a\n1 + 2\n# b\n\n3\n");
}

#[test]
fn space_between_tokens() {
    for (text, expected) in [
        ("1+2*3", "1 + 2*3\n"),
        ("1+2 *3/ 4", "1 + 2 * 3/4\n"),
        ("f ( 1,2 )", "f(1, 2)\n"),
        ("2 * x ^ 2", "2 * x^2\n"),
        ("( 1+2 )* 3 ;4;", "(1 + 2)*3; 4;\n"),
        ("def f( x,y )x", "def f(x, y) x\n"),
        ("def f(x   y) x", "def f(x y) x\n"),
        ("def binary | 5( a b )a;1|2", "def binary| 5 (a b) a; 1 | 2\n"),
        ("def binary% 50 (a b) a; 1%2", "def binary% 50 (a b) a; 1%2\n"),
        ("def unary ! ( x )x;! 1;!!1; ! !1", "def unary!(x) x; !1; !!1; ! !1\n"),
        ("def unary-(x) 0-x; 2 - - 3; (-2)", "def unary-(x) 0 - x; 2 - -3; (-2)\n"),
        ("for i=1,i<3 in i", "for i = 1, i < 3 in i\n"),
        ("var a=1,b in a+b", "var a = 1, b in a + b\n"),
        ("", ""),
        ("\n\n", ""),
        (" 1", "1\n"),
    ] {
        assert_eq!(formatted(text), expected, "{text}");
    }
}

#[test]
fn lines_are_indented_by_what_is_around_them() {
    let text = "\
def collatz(n)
var steps = 0 in
(for i = 0, 1 < n in
if even(n) then
n = n / 2
else
n = 3 * n + 1) +
steps;
print(
1,
2
);
def f(x) if x then
1
else
2;
";
    let expected = "\
def collatz(n)
  var steps = 0 in
    (for i = 0, 1 < n in
      if even(n) then
        n = n / 2
      else
        n = 3 * n + 1) +
    steps;
print(
  1,
  2
);
def f(x) if x then
  1
  else
  2;
";
    assert_eq!(formatted(text), expected);
}

#[test]
fn a_chain_of_conditions_is_aligned() {
    let text = "def f(x)\nif x < 1 then 1\nelse if x < 2 then\n2\nelse\n3;\nif 1 then 2\nelse 3;";
    let expected =
        "def f(x)\n  if x < 1 then 1\n  else if x < 2 then\n    2\n  else\n    3;\nif 1 then 2\n  else 3;\n";
    assert_eq!(formatted(text), expected);
}

#[test]
fn comments_and_blank_lines_are_kept() {
    let text = "#!/usr/bin/env kaleidoscope\n\n\n# one\n1;   # two\n\n\n   # three\ndef f(x)# four\n# five\nx;\n\n# six";
    let expected = "#!/usr/bin/env kaleidoscope\n\n# one\n1;   # two\n\n# three\ndef f(x) # four\n  # five\n  x;\n\n# six\n";
    assert_eq!(formatted(text), expected);
}

#[test]
fn mistakes_in_form_are_errors_and_unknown_names_are_not() {
    assert!(format("text", "def f(", Names::new()).is_err());
    assert!(format("text", "1 + ;", Names::new()).is_err());
    assert_eq!(formatted("g( y )"), "g(y)\n");
}
