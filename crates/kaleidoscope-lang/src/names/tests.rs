//! What ids, names and states are after items come and go.

use super::nearest::n_slips;
use super::{NameState, Names, declared_name};
use crate::item::Item;
use crate::operator::Sign;
use crate::reader::Reader;
use crate::token::Keyword;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::MathsFunction;

/// Reads and commits all items of a text without mistakes.
fn commit(names: &mut Names, text: &str) {
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(names) {
        names.commit(&read.item.expect("the text is right"));
    }
}

fn id(names: &Names, name: &str, arity: u32) -> FunctionId {
    names.find(name, arity).expect("the function has an id")
}

#[test]
fn maths_functions_exist_at_the_start() {
    let names = Names::new();
    assert_eq!(names.n_functions(), MathsFunction::ALL.len());
    for &maths in MathsFunction::ALL {
        let id = names.current(maths.name()).expect("it is known");
        assert_eq!(names.state(id), NameState::Maths(maths));
        assert_eq!(names.signature(id).arity, maths.arity());
    }
    assert_eq!(names.current("putchard"), None);
}

#[test]
fn host_functions() {
    let mut names = Names::new();
    let putchard = names.declare_host("putchard", 1);
    assert_eq!((names.current("putchard"), names.state(putchard)), (Some(putchard), NameState::Host));
    assert_eq!(names.declare_host("putchard", 1), putchard);
    commit(&mut names, "def cos(x) x");
    let cos = names.declare_host("cos", 2);
    assert_eq!(names.current("cos"), Some(cos));
    assert_eq!(names.state(id(&names, "cos", 1)), NameState::Replaced);
}

#[test]
fn an_id_belongs_to_name_and_arity() {
    let mut names = Names::new();
    commit(&mut names, "def h(x) f(x) + f(x, x)");
    let (one, two) = (id(&names, "f", 1), id(&names, "f", 2));
    assert_ne!(one, two);
    assert_eq!((names.state(one), names.state(two)), (NameState::Undefined, NameState::Undefined));
    assert_eq!(names.current("f"), None);
    commit(&mut names, "def f(x y) x");
    assert_eq!((names.state(one), names.state(two)), (NameState::Replaced, NameState::Defined));
    assert_eq!(names.current("f"), Some(two));
    commit(&mut names, "def f(x) x");
    assert_eq!((names.state(one), names.state(two)), (NameState::Defined, NameState::Replaced));
    commit(&mut names, "def f() 1 def f(x y) x");
    assert_eq!((names.state(one), names.state(two)), (NameState::Replaced, NameState::Defined));
    assert_eq!(names.state(id(&names, "f", 0)), NameState::Replaced);
}

#[test]
fn externs() {
    let mut names = Names::new();
    commit(&mut names, "extern f(x) extern sin(x) extern binary@ 60 (a b)");
    assert_eq!(names.state(id(&names, "f", 1)), NameState::Declared);
    assert_eq!(names.state(id(&names, "sin", 1)), NameState::Maths(MathsFunction::Sin));
    assert_eq!(names.state(id(&names, "binary@", 2)), NameState::Declared);
    commit(&mut names, "def f(x) x def binary@ 20 (a b) a extern f(y) extern binary@ 60 (a b)");
    assert_eq!(names.state(id(&names, "f", 1)), NameState::Defined);
    let sign = crate::operator::Sign::new("@").expect("a sign");
    assert_eq!(names.binary_operator(sign).map(|operator| operator.precedence), Some(20));
    crate::test_kit::check("def f(x) x; extern f(x y); f(3)", "KLS2009 3");
    crate::test_kit::check("extern f(x); extern f(x y); def f(x y) y; f(3, 4)", "KLS2009 4");
    crate::test_kit::check("extern sin(x y); cos(0)", "KLS2009 1");
    crate::test_kit::check("extern putchard(); putchard(0)", "KLS2009 0");
}

#[test]
fn a_failed_item_changes_nothing() {
    let mut names = Names::new();
    for text in [
        "def f(x) y + g(1)",
        "def binary@ 101 (a b) a",
        "def f(x) (",
        "extern f(a a)",
        "g(1)",
        "def unary!(v) w",
    ] {
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        let read = reader.read(&names).expect("there is an item");
        assert!(read.item.is_none(), "{text}");
    }
    assert_eq!(names.n_functions(), Names::new().n_functions());
    commit(&mut names, "def f(x) x");
    assert_eq!(names.n_functions(), Names::new().n_functions() + 1);
}

#[test]
fn expressions_are_numbered() {
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push("1 2");
    reader.finish();
    for expected in ["$expr1", "$expr2"] {
        let item = reader.read(&names).and_then(|read| read.item).expect("an expression");
        names.commit(&item);
        let Item::Expression { function } = item else { panic!("an expression") };
        assert_eq!(&*function.name, expected);
    }
}

#[test]
fn near_names_are_one_or_two_mistakes_away() {
    let few =
        [("fibb", "fib"), ("fib", "fibb"), ("fbi", "fib"), ("fob", "fib"), ("Fib", "fIB"), ("sqr", "sqrt")];
    for (a, b) in few {
        assert_eq!(n_slips(a, b), Some(1), "{a} {b}");
    }
    for (a, b) in [("calcualte_sm", "calculate_sum"), ("abcdef", "badcef"), ("ffibonaci", "fibonacci")] {
        assert_eq!(n_slips(a, b), Some(2), "{a} {b}");
    }
    for (a, b) in [
        ("fib", "fib"),
        ("f", "g"),
        ("f", "fg"),
        ("fib", "fibonacci"),
        ("abcd", "badc"),
        ("", "a"),
        ("f12", "f13"),
    ] {
        assert_eq!(n_slips(a, b), None, "{a} {b}");
    }
}

#[test]
fn the_nearest_name_is_one_that_can_be_called() {
    let mut names = Names::new();
    commit(&mut names, "def mandel(x) x");
    assert_eq!(names.nearest_function("mandle"), Some("mandel"));
    assert_eq!(names.nearest_function("sprt"), Some("sqrt"));
    assert_eq!(names.nearest_function("mandelbrot"), None);
    commit(&mut names, "def caller(x) callme(x)");
    assert_eq!(names.nearest_function("calme"), None);
}

#[test]
fn a_removed_name_means_nothing() {
    let mut names = Names::new();
    commit(&mut names, "def unary!(x) x; def binary% 30 (a b) a;");
    for name in ["unary!", "binary%"] {
        names.remove(names.current(name).unwrap());
    }
    let (not, rest) = (Sign::new("!").unwrap(), Sign::new("%").unwrap());
    assert_eq!((names.prefix_operator(not), names.binary_operator(rest)), (None, None));

    // Whatever number of parameters it had, the name can be declared again.
    commit(&mut names, "def f(x) x; def f(x y) x;");
    names.remove(names.current("f").unwrap());
    commit(&mut names, "extern f(x);");
    assert_eq!(names.current("f"), Some(id(&names, "f", 1)));

    let sin = names.current("sin").unwrap();
    names.remove(sin);
    assert_eq!((names.current("sin"), names.state(sin)), (None, NameState::Undefined));
    assert!(names.known().all(|id| id != sin));
    assert_eq!(names.known().count() + 4, names.n_functions());
}

#[test]
fn definitions_and_declarations_have_names() {
    for (item, name) in [
        ("def f(x) x", Some((Keyword::Def, "f"))),
        ("def f(x) +", Some((Keyword::Def, "f"))),
        ("def binary| 5 (a b) a", Some((Keyword::Def, "binary|"))),
        ("def unary!(x) x", Some((Keyword::Def, "unary!"))),
        ("def unary_(x) x", Some((Keyword::Def, "unary_"))),
        ("extern sin(x)", Some((Keyword::Extern, "sin"))),
        ("1 + 1", None),
        ("def", None),
        ("def 1", None),
        ("def if(x) x", None),
    ] {
        let name = name.map(|(keyword, name)| (keyword, name.to_owned()));
        assert_eq!(declared_name(item, false), name, "{item}");
    }
    assert_eq!(declared_name("def and(a b) a", true), None);
}

#[test]
fn few_failures_are_remembered() {
    let mut names = Names::new();
    for n in 0..1000 {
        let text = format!("def f{n}(x x) x");
        let mut reader = Reader::new("test");
        reader.push(&text);
        reader.finish();
        let read = reader.read(&names).unwrap();
        names.note_failure(&read, &text, || format!("test:{n}"));
    }
    assert_eq!(names.failure("f999").map(|failure| &**failure), Some("its definition at test:999 failed"));
    assert_eq!(names.failure("f700"), None);
    commit(&mut names, "def f999(x) x");
    assert_eq!(names.failure("f999"), None);
    assert!(names.failure("f998").is_some());
}

/// What a program means with the language of a chapter.
#[track_caller]
fn check_chapter(chapter: u8, text: &str, expected: &str) {
    let mut session = crate::test_kit::Session::new();
    session.names.use_chapter(chapter);
    assert_eq!(session.run(text), expected, "{text}");
}

#[test]
fn keywords_of_later_chapters_are_names() {
    let all = "def if(then) then + 1; def for(in) in; def unary(var) var; def binary(x) x; \
               if(1) + for(2) + unary(3) + binary(4)";
    for chapter in [2, 3, 4] {
        check_chapter(chapter, all, "11");
    }
    check_chapter(5, "def unary(var) var; unary(3) + if 1 then 2 else 3; for i = 1, i < 3 in i", "5 0");
    check_chapter(6, "def unary-(var) 0 - var; -3", "-3");
    check_chapter(7, "var x = 1 in x = 2", "2");
    check_chapter(4, "def f(x) x = 1; 7", "KLS2011 7");
    check_chapter(2, "def f(x) if x; 7", "KLS2001 KLS2001 7");
    check_chapter(6, "var x = 1 in x", "KLS2001 KLS2001 KLS2011 KLS1001");
}

#[test]
fn a_later_keyword_is_explained() {
    let mut names = Names::new();
    names.use_chapter(4);
    let mut reader = Reader::new("test");
    reader.push("if; then(1); 1 = 2;");
    let mut hints = Vec::new();
    while let Some(read) = reader.read(&names) {
        hints.extend(read.diagnostics.into_iter().filter_map(|diagnostic| diagnostic.hint));
    }
    assert_eq!(
        hints,
        [
            "`if` is a keyword from chapter 5 on",
            "`then` is a keyword from chapter 5 on",
            "assignment is part of the language from chapter 7 on",
        ]
    );
    assert!(!names.is_keyword("if") && names.is_keyword("def"));
}
