//! Printing and parsing: every operation, number, name and mistake.

use super::{IdNames, WithNames, parse};
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op};
use std::collections::BTreeSet;

const EVERYTHING: &str = "\
function f(x.0), locals x.1 i.2, stack 3
    0  get x.0
    1  number 1
    2  less
    3  if (else 6)
    4    get x.0
    5    call sqrt#15/1
    6  else (end 32)
    7    get x.0
    8    square
    9    set x.1
   10    drop
   11    number 1
   12    set i.2
   13    drop
   14    loop
   15      get x.1
   16      number 1
   17      subtract
   18      set x.1
   19      drop
   20      number 1
   21      get i.2
   22      get x.1
   23      less
   24    next i.2 (loop 14)
   25    number 0
   26    get x.1
   27    get_host \"a b\"#7
   28    set_host \"a b\"#7
   29    add
   30    call #36/1
   31    add
   32  end
";

/// The operations that `EVERYTHING` lacks.
const OTHERS: &str = "\
function g(x.0), stack 2
    0  get x.0
    1  number 2
    2  multiply
    3  number 3
    4  divide
    5  number 4
    6  power
    7  get_element u#3
    8  get x.0
    9  set_element #4
   10  tail_call
";

/// A number for each kind of operation, below `N_KINDS`. A new operation gets the next number, a
/// line in one of the texts above, and a word in the parser.
fn kind(op: Op) -> usize {
    match op {
        Op::Number(_) => 0,
        Op::Get(_) => 1,
        Op::Set(_) => 2,
        Op::GetHost(_) => 3,
        Op::SetHost(_) => 4,
        Op::Drop => 5,
        Op::Arithmetic(Arithmetic::Add) => 6,
        Op::Arithmetic(Arithmetic::Subtract) => 7,
        Op::Arithmetic(Arithmetic::Multiply) => 8,
        Op::Arithmetic(Arithmetic::Divide) => 9,
        Op::Arithmetic(Arithmetic::Power) => 10,
        Op::Arithmetic(Arithmetic::Less) => 11,
        Op::Square => 12,
        Op::Call { .. } => 13,
        Op::TailCall => 14,
        Op::If { .. } => 15,
        Op::Else { .. } => 16,
        Op::End => 17,
        Op::Loop => 18,
        Op::Next { .. } => 19,
        Op::GetElement(_) => 20,
        Op::SetElement(_) => 21,
    }
}

const N_KINDS: usize = 22;

struct SomeNames;

impl IdNames for SomeNames {
    fn function(&self, id: FunctionId) -> Option<&str> {
        (id == FunctionId::new(15)).then_some("sqrt")
    }

    fn host_variable(&self, id: HostVariable) -> Option<&str> {
        (id == HostVariable::new(7)).then_some("a b")
    }

    fn host_array(&self, id: HostArray) -> Option<&str> {
        (id == HostArray::new(3)).then_some("u")
    }
}

#[test]
fn every_operation_prints_and_parses() {
    let function: Function = EVERYTHING.parse().unwrap();
    assert_eq!(WithNames::new(&function, &SomeNames).to_string(), EVERYTHING);
    let without_names = EVERYTHING.replace("sqrt#", "#").replace("\"a b\"#", "#");
    assert_eq!(function.to_string(), without_names);
    assert_eq!(without_names.parse().as_ref(), Ok(&function));
    let others: Function = OTHERS.parse().unwrap();
    assert_eq!(WithNames::new(&others, &SomeNames).to_string(), OTHERS);
    let kinds: BTreeSet<_> = function.ops.iter().chain(&others.ops).map(|&op| kind(op)).collect();
    assert!(kinds.into_iter().eq(0..N_KINDS), "an operation is missing in the texts above");
}

#[test]
fn positions_targets_and_heights_are_optional() {
    let function: Function = EVERYTHING.parse().unwrap();
    let short = "
        ; a comment
        function f(x.0), locals x.1 i.2
        get x.0; number 1 follows
        number 1\nless\nif\nget .0\ncall #15/1\nelse\nget x.0\nsquare\nset x.1\ndrop\nnumber 1\nset i.2
        drop\nloop\nget x.1\nnumber 1\nsubtract\nset x.1\ndrop\nnumber 1\nget i.2\nget x.1\nless\nnext i.2
        number 0\nget x.1\nget_host #7\nset_host #7\nadd\ncall #36/1\nadd\nend";
    assert_eq!(short.parse(), Ok(function));
}

/// Checks that a printed function parses to the same function, down to the bits of its numbers.
#[track_caller]
fn check_round_trip(function: &Function) {
    let text = function.to_string();
    let again: Function = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(
        (&again.name, again.n_params, &again.locals, again.n_results),
        (&function.name, function.n_params, &function.locals, function.n_results)
    );
    assert_eq!((again.ops.len(), again.max_stack), (function.ops.len(), function.max_stack));
    for (one, other) in again.ops.iter().zip(&function.ops) {
        match (one, other) {
            (Op::Number(one), Op::Number(other)) => assert_eq!(one.to_bits(), other.to_bits(), "{text}"),
            _ => assert_eq!(one, other, "{text}"),
        }
    }
}

#[test]
fn numbers_keep_their_bits() {
    let bits = [
        0x7ff8_0000_0000_0000,
        0x7ff8_0000_0000_0001,
        0xfff8_0000_0000_0000,
        0x7ff4_0000_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x8000_0000_0000_0000,
        1,
        0x000f_ffff_ffff_ffff,
        0x7fef_ffff_ffff_ffff,
        0x3fb9_9999_9999_999a,
        0x4341_c379_37e0_8000,
    ];
    for number in bits.map(f64::from_bits) {
        check_round_trip(&Function::new("$expr1", 0, [], [Op::Number(number)], 1));
    }
}

#[test]
fn names_are_whatever_they_are() {
    let names = [
        "f",
        "unary!",
        "binary|",
        "binary<<",
        "$expr12",
        "function",
        "stack",
        "a.b",
        "a b",
        "",
        "x;",
        "\"",
        "\\",
        "#1",
        "a/b",
        "tab\there",
        "new\nline",
        "größe",
        "1",
    ];
    for name in names {
        let ops = [Op::Get(Local::new(0)), Op::Set(Local::new(1)), Op::Get(Local::new(2)), Op::Drop];
        check_round_trip(&Function::new(name, 2, [name.into(), name.into(), name.into()], ops, 2));
    }
}

#[test]
fn broken_functions_print_and_parse() {
    // Reports of mistakes in a front end show such functions.
    let text =
        "function f(), stack 9\n    0  get .7\n    1  end\n    2  next .0 (loop 40)\n    3  if (else 0)\n";
    check_round_trip(&text.parse().unwrap());
}

#[test]
fn mistakes_have_a_line_and_a_reason() {
    let cases = [
        ("get x.0", "line 1: expected `function`"),
        ("function f", "line 1: expected `(`"),
        ("function f(x)", "line 1: expected `.`"),
        ("function f(x.1)", "line 1: expected variable number 0, found 1"),
        ("function f(), local x.0", "line 1: expected `locals`, `stack` or `results`"),
        ("function f() x", "line 1: expected the end of the line, found `x`"),
        ("function \"f()", "line 1: a name has no closing quote"),
        ("function \"\\n\"()", "line 1: expected `\\\"`, `\\\\` or `\\u{…}` in a name"),
        ("function f()\n\nnumber one", "line 3: `one` is not a number"),
        ("function f()\nnumber nan:3ff0000000000000", "line 2: `nan:3ff0000000000000` is not a number"),
        ("function f()\n1 number 1", "line 2: expected position 0, found 1"),
        ("function f(x.0)\nget y.0", "line 2: variable 0 is `x`, not `y`"),
        ("function f()\njump", "line 2: there is no operation `jump`"),
        ("function f()\ncall 1/1", "line 2: expected `#`"),
        ("function f()\ncall #1", "line 2: expected `/`"),
        (
            "function f()\ncall #99999999999/1",
            "line 2: expected a number up to 4294967295, found `99999999999`",
        ),
        ("function f()\nif (end 1)", "line 2: expected `else`"),
        ("function f()\ndrop drop", "line 2: expected the end of the line, found `drop`"),
        ("function f(x.0)\nnext x.0", "line 1: the brackets do not match"),
        ("function f()\nnumber 1\nif\nnumber 1\nelse\nnumber 1", "line 1: the brackets do not match"),
        ("function f()\ndrop", "line 1: operation 0: takes 1 values from the stack, which has 0"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    assert_eq!("".parse::<Function>().unwrap_err().to_string(), "line 1: expected one function, found 0");
    assert_eq!(parse("function f()\nnumber 1\nfunction g()\nnumber 2").unwrap().len(), 2);
}
