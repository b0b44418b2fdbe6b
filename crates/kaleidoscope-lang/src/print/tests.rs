//! Trees made at random print as text that reads as the same tree.

use crate::lexer::Lexer;
use crate::names::Names;
use crate::operator::Sign;
use crate::parser::Parser;
use crate::reader::Reader;
use crate::source::Span;
use crate::syntax::{Binding, For, Item, Node, NodeId, Tree, same_structure};
use crate::test_kit::{Dice, on_small_stack};

/// Operators that get in each other's way: with one character and two, at and around the
/// precedence of `^`.
const EXTERNS: &str = "extern unary-(v) extern unary--(v) extern unary!(v) extern unary _(v) extern unary.(v)
    extern binary-- 20 (a b) extern binary@ 49 (a b) extern binary@@ 50 (a b) extern binary** 51 (a b)
    extern binary. 100 (a b) extern binary: 1 (a b) extern binary _ 2 (a b) extern binary=- 2 (a b)";
const PREFIXES: &[&str] = &["-", "--", "!", "_", "."];
const BINARIES: &[&str] =
    &["=", "<", "+", "-", "*", "/", "^", "^", "--", "@", "@@", "**", ".", ":", "_", "=-", "&&", "||"];

fn names() -> Names {
    let mut names = Names::new();
    names.use_conventions(&[]);
    let mut reader = Reader::new("operators");
    reader.push(EXTERNS);
    reader.finish();
    while let Some(read) = reader.read(&names) {
        names.commit(&read.item.expect("the text is right"));
    }
    names
}

struct Generator<'n> {
    dice: Dice,
    names: &'n Names,
    tree: Tree,
}

impl Generator<'_> {
    fn add(&mut self, node: Node) -> NodeId {
        self.tree.add(node, Span::new(0, 0))
    }

    fn name(&mut self) -> crate::syntax::Symbol {
        let name = self.dice.pick(&["a", "b", "x_1", "f", "defx"]);
        self.tree.symbols.intern(name)
    }

    fn perhaps(&mut self, depth: usize) -> Option<NodeId> {
        (self.dice.roll(2) == 0).then(|| self.expression(depth))
    }

    fn expression(&mut self, depth: usize) -> NodeId {
        let span = Span::new(0, 0);
        let kind = if depth == 0 { self.dice.roll(2) } else { self.dice.roll(15) };
        match kind {
            0 => {
                let value = self.dice.pick(&[0.0, 2.0, 0.5, 1e300, 5e-324, 1e16, f64::INFINITY, 12.25]);
                self.add(Node::Number(value))
            }
            1 => {
                let name = self.name();
                self.add(Node::Variable(name))
            }
            2 => {
                let callee = self.name();
                let arguments: Vec<_> = (0..self.dice.roll(4)).map(|_| self.expression(depth - 1)).collect();
                self.tree.add_call(callee, &arguments, span)
            }
            3..=5 => {
                let sign = Sign::new(self.dice.pick(PREFIXES)).expect("a sign");
                let operand = self.expression(depth - 1);
                self.add(Node::Prefix { sign, operand })
            }
            6..=10 => {
                let sign = Sign::new(self.dice.pick(BINARIES)).expect("a sign");
                let precedence = self.names.binary_operator(sign).expect("it is declared").precedence;
                let (left, right) = (self.expression(depth - 1), self.expression(depth - 1));
                self.add(Node::Binary { sign, precedence, left, right })
            }
            11 => {
                let [condition, then, otherwise] = [0; 3].map(|_| self.expression(depth - 1));
                self.add(Node::If { condition, then, otherwise })
            }
            12 => {
                let variable = self.name();
                let (start, step) = (self.perhaps(depth - 1), self.perhaps(depth - 1));
                let [condition, body] = [0; 2].map(|_| self.expression(depth - 1));
                self.tree.add_for(For { variable, start, condition, step, body }, span)
            }
            13 => {
                let [condition, body] = [0; 2].map(|_| self.expression(depth - 1));
                self.add(Node::While { condition, body })
            }
            _ => {
                let n_bindings = 1 + self.dice.roll(3);
                let bindings: Vec<_> = (0..n_bindings)
                    .map(|_| Binding { name: self.name(), initial: self.perhaps(depth - 1) })
                    .collect();
                let body = self.expression(depth - 1);
                self.tree.add_var(&bindings, body, span)
            }
        }
    }
}

/// The text parses, and as one item, to the same tree.
#[track_caller]
fn check_reads_as(text: &str, names: &Names, item: &Item, tree: &Tree) {
    let mut read_tree = Tree::new();
    let mut parser = Parser::new(Lexer::new(text, 0), names, &mut read_tree, None);
    let read = parser.expect_item();
    let end = parser.taken_to() as usize;
    let read = read.unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
    assert_eq!(&text[end..], ";", "{text}");
    assert!(same_structure(item, tree, &read, &read_tree), "{text}");
}

#[test]
fn every_tree_prints_as_text_that_reads_as_the_same_tree() {
    let names = names();
    for seed in 1..20_000 {
        let mut generator = Generator { dice: Dice(seed), names: &names, tree: Tree::new() };
        let depth = 1 + seed as usize % 5;
        let item = Item::Expression(generator.expression(depth));
        check_reads_as(&super::item(&item, &generator.tree), &names, &item, &generator.tree);
    }
}

#[test]
fn no_needless_parentheses() {
    let names = names();
    let same = [
        "1 + 2 * 3 - 4;",
        "-2 ^ 2 ^ -1;",
        "(-2) ^ 2;",
        "- -1;",
        "2 * (3 + 4);",
        "1 + if a then b else c;",
        "1 + while a in b;",
        "(while a in b) && c;",
        "a || b && c;",
        "(if a then b else c) + 1;",
        "f(a = b = 1, (1 < 2) < 3, 1 < (2 < 3));",
        "a @@ b ^ c;",
        "(a ^ b) @@ c;",
        "a ^ b @@ c;",
        "-a ** b;",
        "-(a ** b);",
        "(-a ^ b) ** c;",
        "def f(a b) for i = 1, i < a, 2 in b;",
        "def unary !(v) v;",
        "def binary @ 49 (a b) a;",
        "extern f(x y);",
        "var a, b = 2 in a = b;",
        "-(1 + 2);",
        ". 5;",
        "1e999;",
        "def binary _(a b) a;",
    ];
    for text in same {
        let text = text.replace("(-a ^ b) ** c", "(-(a ^ b)) ** c").replace("(1 < 2) < 3", "1 < 2 < 3");
        let mut reader = Reader::new("test");
        reader.push(&text);
        reader.finish();
        reader.read(&names);
        let (tree, item) = reader.syntax().unwrap_or_else(|| panic!("{text} has the right form"));
        let printed = super::item(item, tree);
        check_reads_as(&printed, &names, item, tree);
        assert!(printed.len() <= text.len(), "{text} became {printed}");
    }
}

#[test]
fn deep_and_long_trees() {
    on_small_stack(|| {
        let names = names();
        let deep = [
            format!("1{};", " + 1".repeat(300_000)),
            format!("{}1;", "2 ^ ".repeat(9_000)),
            format!("{}-1;", "- ".repeat(9_000)),
            format!("{}1;", "2 ^ -".repeat(4_900)),
            format!("{}1;", "1 + if 1 then 2 else ".repeat(9_000)),
            format!("{}1{};", "2 * (1 + ".repeat(4_900), ")".repeat(4_900)),
        ];
        for text in deep {
            let mut reader = Reader::new("test");
            reader.push(&text);
            reader.finish();
            reader.read(&names);
            let (tree, item) = reader.syntax().expect("the form is right");
            let printed = super::item(item, tree);
            assert_eq!(printed.len(), text.len(), "{}", &text[..40]);
            check_reads_as(&printed, &names, item, tree);
            assert!(crate::syntax::outline(item, tree).len() < 200 * text.len());
        }
    });
}
