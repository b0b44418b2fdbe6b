//! Outlines, equality, and the names that a tree keeps.

use super::{Item, Tree, diagram, outline, same_structure};
use crate::names::Names;
use crate::reader::Reader;

/// The tree of the only item in the text.
fn tree(text: &str) -> (Tree, Item) {
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    reader.read(&Names::new());
    let (tree, item) = reader.syntax().expect("the form is right");
    (tree.clone(), item.clone())
}

#[test]
fn long_outlines_have_one_part_per_line() {
    let (tree, item) = tree(
        "def long(x) if x < 1 then long(x-1)*long(x-2) else for i = 1, i < x, 2 in var a = i, b in sin(a*b)+cos(a*b)",
    );
    let expected = "(def long (x)
  (if
    (< x 1)
    (* (call long (- x 1)) (call long (- x 2)))
    (for (i 1) (< i x) 2 (var (a i) (b) (+ (call sin (* a b)) (call cos (* a b)))))))
";
    assert_eq!(outline(&item, &tree), expected);
}

#[test]
fn equality_compares_structure() {
    let same = |a: &str, b: &str| {
        let ((tree, item), (other_tree, other)) = (tree(a), tree(b));
        same_structure(&item, &tree, &other, &other_tree)
    };
    for (a, b) in [
        ("1+2*3", " (1) + ((2*3)) # the same"),
        ("def f(a b) a", "def f(a, b) a"),
        ("extern binary@ 05 (a b)", "extern binary @5(a,b)"),
        ("for i, i < 1 in f(i)", "for i , (i<1) in (f(i))"),
    ] {
        assert!(same(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("1", "2"),
        ("a", "b"),
        ("1+2", "1-2"),
        ("1", "a"),
        ("f(1)", "g(1)"),
        ("f(1)", "f(1, 1)"),
        ("f()", "f"),
        ("1+2+3", "1+(2+3)"),
        ("def f(a) a", "def f(b) b"),
        ("def f(a) a", "extern f(a)"),
        ("extern binary@ 5 (a b)", "extern binary@ (a b)"),
        ("extern unary@(a)", "extern unary!(a)"),
        ("for i, 1 in 2", "for i = 0, 1 in 2"),
        ("for i, 1 in 2", "for i, 1, 1 in 2"),
        ("for i, 1 in 2", "for j, 1 in 2"),
        ("var a in 1", "var a, b in 1"),
        ("var a in 1", "var a = 1 in 1"),
        ("var a in 1", "var b in 1"),
        ("if 1 then 2 else 3", "if 1 then 2 else 4"),
    ] {
        assert!(!same(a, b), "{a} {b}");
    }
}

#[test]
fn many_names_are_removed_with_the_tree() {
    let mut tree = Tree::new();
    for idx in 0..super::MAX_KEPT + 1 {
        tree.symbols.intern(&format!("name{idx}"));
    }
    tree.clear();
    assert!(tree.symbols.is_empty());
    let symbol = tree.symbols.intern("a");
    tree.clear();
    assert_eq!(&**tree.symbols.name(symbol), "a");
    assert_eq!(tree.symbols.len(), 1);
}

#[test]
fn a_diagram_has_every_node_with_its_parts() {
    let text = "def f(n) for i = 1, i < n in g(-i, 2)";
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push("def unary-(x) 0-x; def g(a b) a;");
    while let Some(read) = reader.read(&names) {
        names.commit(&read.item.unwrap());
    }
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    reader.read(&names).unwrap();
    let (tree, item) = reader.syntax().unwrap();
    let nodes = diagram(item, tree);
    let shown: Vec<_> = nodes.iter().map(|node| (node.kind, &*node.text, &node.parts[..])).collect();
    assert_eq!(
        shown,
        [
            ("definition", "f (n)", &[1][..]),
            ("for", "for", &[2, 4, 7]),
            ("binding", "i", &[3]),
            ("number", "1", &[]),
            ("binary", "<", &[5, 6]),
            ("variable", "i", &[]),
            ("variable", "n", &[]),
            ("call", "g", &[8, 10]),
            ("prefix", "-", &[9]),
            ("variable", "i", &[]),
            ("number", "2", &[]),
        ]
    );
    assert_eq!(&text[nodes[7].span.unwrap().range()], "g(-i, 2)");
}
