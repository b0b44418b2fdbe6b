//! The grammar by outlines of trees, mistakes and what is skipped after them, and the limits.

use crate::MAX_NESTING;
use crate::names::Names;
use crate::print;
use crate::reader::Reader;
use crate::syntax;
use crate::test_kit::{Session, check, on_small_stack};

/// Compares the outlines of all items of the text with the expected lines.
#[track_caller]
fn check_outline(text: &str, expected: &str) {
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let mut outlines = String::new();
    while let Some(read) = reader.read(&names) {
        if let Some((tree, item)) = reader.syntax() {
            outlines.push_str(&syntax::outline(item, tree));
        }
        if let Some(item) = &read.item {
            names.commit(item);
        }
    }
    assert_eq!(outlines.trim_end(), expected, "{text}");
}

#[test]
fn precedence_and_association() {
    check_outline("1+2*3-4", "(- (+ 1 (* 2 3)) 4)");
    check_outline("1-2-3 2^3^4 1=2=3", "(- (- 1 2) 3)\n(^ 2 (^ 3 4))\n(= 1 (= 2 3))");
    check_outline("1<2+3*4^5", "(< 1 (+ 2 (* 3 (^ 4 5))))");
    check_outline("(1+2)*3", "(* (+ 1 2) 3)");
    check_outline("1*2^3*4", "(* (* 1 (^ 2 3)) 4)");
    check_outline("var a in a = 1 < 2 = 3", "(var (a) (= a (= (< 1 2) 3)))");
}

#[test]
fn prefix_operators() {
    let define = |text: &str| format!("extern unary-(v) extern unary!(v) extern unary-!(v); {text}");
    let externs = "(extern unary - (v))\n(extern unary ! (v))\n(extern unary -! (v))\n";
    let check_with =
        |text: &str, expected: &str| check_outline(&define(text), &format!("{externs}{expected}"));
    check_with("-1+2", "(+ (unary - 1) 2)");
    check_with("-2^2", "(unary - (^ 2 2))");
    check_with("2^-1^2", "(^ 2 (unary - (^ 1 2)))");
    check_with("-!1", "(unary -! 1)");
    check_with("- !1", "(unary - (unary ! 1))");
    check_with("!-!-1", "(unary ! (unary -! (unary - 1)))");
    check_with("1--!2*3", "(- 1 (* (unary -! 2) 3))");
    check_with("-if 1 then 2 else 3+4", "(unary - (if 1 2 (+ 3 4)))");
    check_with("1 !2", "1\n(unary ! 2)");
    // Only `^` binds tighter, another operator of its precedence or a higher one does not.
    check_with("extern binary@ 60 (a b); -1@2", "(extern binary @ 60 (a b))\n(@ (unary - 1) 2)");
    check_with("extern binary@ 60 (a b); -1^2@3", "(extern binary @ 60 (a b))\n(unary - (^ 1 (@ 2 3)))");
}

#[test]
fn the_longest_operator_that_exists() {
    check_outline("1+*2", "");
    check_outline("extern binary+* (a b); 1+*2", "(extern binary +* (a b))\n(+* 1 2)");
    check_outline("extern unary*(v); 1+*2", "(extern unary * (v))\n(+ 1 (unary * 2))");
    check_outline(
        "extern unary*(v); extern binary+* (a b); 1+*2 1+**2",
        "(extern unary * (v))\n(extern binary +* (a b))\n(+* 1 2)\n(+* 1 (unary * 2))",
    );
    // A new operator is there for what follows, without a `;` between.
    check_outline("extern binary+* (a b) 1+*2", "(extern binary +* (a b))\n(+* 1 2)");
    // The `=` of a `for` or `var` is no operator.
    check_outline(
        "extern unary-(v); extern binary=- (a b); var a=-1 in a",
        "(extern unary - (v))\n(extern binary =- (a b))\n(var (a (unary - 1)) a)",
    );
}

#[test]
fn open_ended_forms_reach_far_right() {
    check_outline("1 + if 1 then 2 else 3 + 4", "(+ 1 (if 1 2 (+ 3 4)))");
    check_outline("1 * var a = 2 in a + 3", "(* 1 (var (a 2) (+ a 3)))");
    check_outline("for i = 1, i < 2, 3 in i + 4", "(for (i 1) (< i 2) 3 (+ i 4))");
    check_outline("for i, 1 in 2", "(for (i) 1 2)");
    check_outline("if if 1 then 2 else 3 then 4 else if 5 then 6 else 7", "(if (if 1 2 3) 4 (if 5 6 7))");
}

#[test]
fn prototypes() {
    check_outline("def f() 1", "(def f () 1)");
    check_outline("def f(a b,c , d,) a", "(def f (a b c d) a)");
    check_outline("def unary ! (v) v", "(def unary ! (v) v)");
    check_outline("def binary | 5 (a b) a", "(def binary | 5 (a b) a)");
    check_outline("def binary|005(a,b) a", "(def binary | 5 (a b) a)");
    check("def binary| 100 (a b) a; 1|2", "1");
    check("def binary| 1e2 (a b) a; 1|2", "1");
    for text in ["0", "101", "1.5", "1e999"] {
        let expected = if text == "1e999" { "(KLS2010) KLS2007 7" } else { "KLS2007 7" };
        check(&format!("def binary| {text} (a b) a; 7"), expected);
    }
    for sign in ["=", "<", "+", "-", "*", "/", "^"] {
        check(&format!("def binary{sign} (a b) a; 7"), "(KLS2008) 7");
        check(&format!("extern binary{sign} (a b); 7"), "(KLS2008) 7");
        check(&format!("def unary{sign}(v) v+1; {sign} 7"), "8");
    }
    check("def binary<<< (a b) a; 7", "KLS1007 7");
    for text in [
        "def f(,a) a",
        "def f(a,,b) a",
        "def f a",
        "def (a) a",
        "def 1(a) a",
        "def if(a) a",
        "def f(1) 1",
        "def unary(v) v",
        "def unary!(a b) a",
        "def unary!() 1",
        "def binary| (a) a",
        "def binary| (a b c) a",
        "def binary| (a,b,) a",
        "extern f",
        "def binary| x (a b) a",
        "def $f(x) x",
    ] {
        let result = crate::test_kit::Session::new().run(&format!("{text}; 7"));
        assert!(matches!(&*result, "KLS1002 7" | "KLS1005 7"), "{text}: {result}");
    }
}

#[test]
fn mistakes_in_expressions() {
    for text in [
        "4+",
        "(1",
        "f(1,)",
        "f(,1)",
        "()",
        "if 1 then 2",
        "if 1 else 2",
        "for i = 1 in 2",
        "for i in 2",
        "for 1, 2 in 3",
        "var in 1",
        "var a = in 1",
        "var a, in a",
        "var a b in a",
        "then",
        ")",
        ",",
    ] {
        let result = crate::test_kit::Session::new().run(&format!("{text}; 7"));
        assert!(matches!(&*result, "KLS1001 7" | "KLS1002 7"), "{text}: {result}");
        let result = crate::test_kit::Session::new().run(text);
        assert!(result.starts_with("KLS100") && result.len() == 7, "{text}: {result}");
    }
}

#[test]
fn reading_continues_after_a_mistake() {
    // In form: up to and including the next `;`, or up to the next `def` or `extern`.
    check("1 + ) 2 3; 4", "KLS1001 4");
    check("1 + ) # ;\n 2; 4", "KLS1001 4");
    check("4 + def f(x) x+1; f(1)", "KLS1001 2");
    check("4 + extern sin(x); 5", "KLS1001 5");
    check("4 + ) define; 5", "KLS1001 5");
    check("def def f(x) x; f(3)", "KLS1002 3");
    check("def f(x) extern sin(x) 5", "KLS1001 5");
    check("1; 4+; 2", "1 KLS1001 2");
    check("1 ) 2; 3", "1 KLS1001 3");
    check("1 2.3.4 5; 6", "1 KLS1004 6");
    check("4+", "KLS1003");
    check("def f(x", "KLS1003");
    // In meaning: the item is read to its end.
    check("x 5;", "KLS2001 5");
    check("x + y + 1 5;", "KLS2001 KLS2001 5");
    check("def f(a a) a + nonsense(1) 5", "KLS2006 5");
    check("def binary+ (a b) a*b + x 5", "(KLS2008) KLS2001 5");
    // Nothing stays behind.
    check("def f(x) 1 + ; f(1)", "KLS1001 KLS2002");
    check("def f(x) y; f(1)", "KLS2001 KLS2002");
    check("def binary| (a b) y; 1|2", "KLS2001 KLS2011");
    check("def f(x) y + g(x); def h(x) g(x, 1)", "KLS2001 (KLS2003) (KLS2003)");
    check(";;; 1;; 2;", "1 2");
    check("", "");
    check("# only\n", "");
}

/// An operator that does not exist is an error in meaning: the item is read to its end, and other
/// mistakes in it are found.
#[test]
fn a_missing_operator_ends_no_item() {
    check("3 > 2\n4", "KLS2011 4");
    check("1 > 2 + x\n4", "KLS2011 KLS2001 4");
    check("def f(a b) a % b\nf(7, 3)", "KLS2011 KLS2002");
    check("def f(x) -x\n5", "KLS1006 5");
    check("1 > (2 4) 5; 6", "KLS2011 KLS1002 6");
    check("1 > 2 > 3 * 4 >\n5\n6", "KLS2011 KLS2011 KLS2011 6");
    check("1 >; 2", "KLS2011 KLS1001 2");
    check("5 * + 6 7", "KLS1006 7");
    check("var a = +1 in a\n8", "KLS1006 8");
    let many = "1 > ".repeat(100_000);
    check(&format!("{many}1\n9"), &format!("{}9", "KLS2011 ".repeat(20)));
    let many = "- ".repeat(100);
    check(&format!("{many}1\n9"), &format!("{}9", "KLS1006 ".repeat(20)));
}

/// The characters that a missing operator takes from a run: all but the prefix operators behind it.
#[test]
fn the_sign_of_a_missing_operator() {
    let signs = |text: &str| {
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        let read = reader.read(&Names::new()).expect("there is an item");
        let signs = read.diagnostics.iter().map(|diagnostic| {
            let span = diagnostic.span.expect("it has a place");
            format!("{} {}", diagnostic.code, reader.slice(span))
        });
        signs.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(signs("1 > 2"), "KLS2011 >");
    assert_eq!(signs("1 == 2"), "KLS2011 ==");
    assert_eq!(signs("1 <= 2"), "KLS2011 <=");
    assert_eq!(signs("1 // 2"), "KLS2011 //");
    assert_eq!(signs("1 <=> 2"), "KLS2011 <=>");
    assert_eq!(signs("1 >-2"), "KLS2011 > KLS1006 -");
    assert_eq!(signs("1 ==-2"), "KLS2011 == KLS1006 -");
    assert_eq!(signs("1 != 2"), "KLS2011 !=");
    // What exists is taken first.
    assert_eq!(signs("1 --2"), "KLS1006 -");
    assert_eq!(signs("1 *-2"), "KLS1006 -");
    assert_eq!(signs("1 <!2"), "KLS1006 !");
    check("extern unary@(v); 1*@2; 1@2\n1>@2", "KLS3003 1 KLS3003 KLS2011");
    // However long the run is, it is looked at once.
    let run = "%".repeat(1_000_000);
    assert_eq!(signs(&format!("1 {run} 2")), format!("KLS2011 {run}"));
    assert_eq!(signs(&format!("{run} 2")), "KLS1006 %");
    let nested = "(1 + ".repeat(4_000);
    assert!(signs(&format!("{nested} 1 {run} 2")).starts_with("KLS2011 %%"));
}

/// The outlines of texts that are read with the conventions of the prelude.
#[test]
fn words_and_forms_of_the_prelude() {
    let outline = |text: &str| {
        let mut session = Session::new();
        session.run("def unary!(v) v; def unary-(v) v; def binary== 9 (a b) a");
        session.names.use_conventions(&[]);
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        let read = reader.read(&session.names).expect("there is an item");
        assert!(read.diagnostics.is_empty(), "{text}: {:?}", read.diagnostics);
        let (tree, item) = reader.syntax().expect("it is right in form");
        let printed = print::item(item, tree);
        let outline = syntax::outline(item, tree).trim_end().to_owned();
        // What is printed reads as the same tree.
        let mut reader = Reader::new("test");
        reader.push(&printed);
        reader.finish();
        reader.read(&session.names);
        let (tree, item) = reader.syntax().expect("it is right in form");
        assert_eq!(syntax::outline(item, tree).trim_end(), outline, "{text}: {printed}");
        outline
    };
    assert_eq!(outline("1 and 2 or 3"), "(|| (&& 1 2) 3)");
    assert_eq!(outline("1 or 2 and 3"), "(|| 1 (&& 2 3))");
    assert_eq!(outline("not 1 == 2 and 3"), "(&& (unary ! (== 1 2)) 3)");
    assert_eq!(outline("1 + not 2 + 3 or 4"), "(|| (+ 1 (unary ! (+ 2 3))) 4)");
    assert_eq!(outline("-not 1 ^ 2"), "(unary - (unary ! (^ 1 2)))");
    assert_eq!(outline("2 ** 3 ** 4"), "(^ 2 (^ 3 4))");
    assert_eq!(outline("-2 ** -2"), "(unary - (^ 2 (unary - 2)))");
    assert_eq!(outline("1 + while 2 in 3 + 4"), "(+ 1 (while 2 (+ 3 4)))");
    assert_eq!(outline("(while 2 in 3) + 4"), "(+ (while 2 3) 4)");
}

/// `and` means the operator `&&`, which a program can define and remove.
#[test]
fn words_mean_operators_that_exist() {
    let mut session = Session::new();
    session.names.use_conventions(&[]);
    assert_eq!(session.run("1 and 0; 0 or 2; not 1"), "0 1 KLS1006");
    assert_eq!(session.run("def binary&& 1 (a b) a*10+b; 1 and 2"), "12");
    let and = session.names.current("binary&&").expect("it is defined");
    session.names.remove(and);
    assert_eq!(session.run("1 and 2; 7"), "KLS2011 7");
}

/// Two expressions on one line are two items, with a warning at the second.
#[test]
fn expressions_side_by_side() {
    let warnings = |text: &str| {
        let (mut names, mut reader) = (Names::new(), Reader::new("test"));
        reader.push(text);
        reader.finish();
        let mut warnings = Vec::new();
        while let Some(read) = reader.read(&names) {
            for diagnostic in &read.diagnostics {
                let span = diagnostic.span.expect("it has a place");
                let hint = diagnostic.hint.as_deref().unwrap_or_default();
                warnings.push(format!("{} {} {hint}", diagnostic.code, reader.slice(span)));
            }
            if let Some(item) = &read.item {
                names.commit(item);
            }
        }
        warnings.join("; ")
    };
    assert_eq!(warnings("2(3+4)"), "KLS2012 ( to multiply, write `*`");
    assert_eq!(warnings("1 2 3"), "KLS2012 2 ; KLS2012 3 ");
    assert_eq!(warnings("1 sin(2)"), "KLS2012 sin ");
    assert_eq!(warnings("def f(x) x f(1)"), "KLS2012 f ");
    assert_eq!(warnings("extern unary!(v); 1 !2"), "KLS2012 ! ");
    assert_eq!(
        warnings("def f(a b) a and"),
        "KLS2012 and the prelude (`--prelude`) has `and`, which is `&&`; \
         KLS2001 and the prelude (`--prelude`) has `and`, which is `&&`"
    );
    for text in
        ["1\n2", "1; 2", "1 # 2\n 3", "1\r\n2", "1 def f(x) x", "1 if 2 then 3 else 4", "extern f(x) 1"]
    {
        assert_eq!(warnings(text), "", "{text}");
    }
}

#[test]
fn nesting_is_limited_and_never_by_the_stack() {
    on_small_stack(|| {
        let forms = [
            ("(", "1", ")"),
            ("(", "", ""),
            ("sqrt(", "1", ")"),
            ("sqrt(", "", ""),
            ("if 1 then ", "1", " else 2"),
            ("if 1 then 1 else ", "1", ""),
            ("if ", "1", " then 1 else 2"),
            ("- ", "1", ""),
            ("-", "1", ""),
            ("for i = 1, 0 in ", "1", ""),
            ("for i = ", "1", ", 0 in 1"),
            ("var a in ", "1", ""),
            ("var a = ", "1", " in a"),
            ("v = ", "1", ""),
            ("2^", "1", ""),
            ("1+(", "1", ")"),
            ("1@", "1", ""),
        ];
        for (open, middle, close) in forms {
            let nested = |n: usize| {
                let mut session = crate::test_kit::Session::new();
                session.run("def unary-(v) 0-v; extern binary@ (a b)");
                let text = format!("var v in {}{middle}{}; 7", open.repeat(n), close.repeat(n));
                session.run(&text)
            };
            let deep = nested(200_000);
            match open {
                // A left chain is no nesting.
                "1@" => assert_eq!(deep, "KLS3003 7"),
                _ => assert_eq!(deep, "KLS4001 7", "{open}"),
            }
            if !middle.is_empty() {
                let allowed = nested(MAX_NESTING as usize / 2 - 2);
                assert!(allowed.ends_with(" 7") && !allowed.contains("KLS4"), "{open}: {allowed}");
            }
        }
    });
}

#[test]
fn long_chains_are_fine() {
    on_small_stack(|| {
        check(&format!("1{}", "+1".repeat(999_999)), "1000000");
        check(&format!("def f(x) x{}; f(2)", "-x".repeat(99_999)), "-199996");
        check(&format!("def f(x) x{}; f(2)", "*x".repeat(9_999)), "inf");
        let sum = format!("x{}", "+x".repeat(99_999));
        check(&sum, "KLS2001");
        check(&format!("1{}; 7", "+1".repeat(4_300_000)), "KLS4002 7");
        let bindings = (0..100_000).map(|idx| format!("v{idx} = {idx}")).collect::<Vec<_>>().join(", ");
        check(&format!("var {bindings} in v99999"), "99999");
        let args = vec!["1"; 10_001].join(",");
        check(&format!("sqrt({args}); 7"), "KLS4003 7");
        let parameters = (0..10_001).map(|idx| format!("p{idx} ")).collect::<String>();
        check(&format!("def f({parameters}) 1; 7"), "KLS4003 7");
    });
}

#[test]
fn unknown_characters_are_named() {
    check("1 $ 2; 3", "1 KLS1005 3");
    check("1 + \0; 3", "KLS1005 3");
    check("1 + \u{7}; 3", "KLS1005 3");
    check("é; 3", "KLS1005 3");
    check("\"text\"; 3", "KLS1005 3");
    check("{1}; 3", "KLS1005 3");
    check("\u{feff}3", "3");
}

#[test]
fn numbers_out_of_range_are_warnings() {
    check("1e999", "(KLS2010) inf");
    check("1e-999 0e999 0.000e-999", "(KLS2010) 0 0 0");
    check(&format!("1{}", "0".repeat(400)), "(KLS2010) inf");
    check(&format!("0.{}1", "0".repeat(100)), "1e-101");
    check("1.7976931348623157e308 4.9e-324", "1.7976931348623157e308 5e-324");
}
