//! Text that comes in pieces, line by line, or all at once.

use super::Reader;
use crate::lexer::take_work;
use crate::names::Names;
use crate::test_kit::{Dice, Session};

const PROGRAM: &str = "def unary-(v) 0-v; # a comment; with a semicolon
def fib(n) if n < 3 then 1 else fib(n-1)+fib(n-2)
fib(10) 1.5e1 .5 -2^2 2--3
4 + ; 1.2.3 def binary-- (a b) a*b; 2--3; x 5; $ def defx(x) x+1 defx(1) ) # ;
 def; extern sin(x) é 1; 7 def f(a a) a; (1";

fn run_all(pieces: &[&str], is_finished_first: bool) -> String {
    let mut session = Session::new();
    let mut reader = Reader::new("test");
    let mut words = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while !is_finished_first && let Some(read) = reader.read(&session.names) {
            session.take(read, &mut words);
        }
    }
    reader.finish();
    while let Some(read) = reader.read(&session.names) {
        session.take(read, &mut words);
    }
    assert!(!reader.pending());
    words.join(" ")
}

#[test]
fn pieces_make_no_difference() {
    let expected = run_all(&[PROGRAM], true);
    assert_eq!(
        expected,
        "(KLS2012) 55 (KLS2012) 15 (KLS2012) -3.5 5 KLS1001 KLS1004 6 KLS2001 (KLS2012) 5 KLS1005 \
         (KLS2012) 2 KLS1001 KLS1002 KLS1005 7 KLS2006 KLS1003"
    );
    assert_eq!(run_all(&[PROGRAM], false), expected);
    let characters: Vec<String> = PROGRAM.chars().map(String::from).collect();
    let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
    assert_eq!(run_all(&characters, false), expected);
    for (idx, _) in PROGRAM.char_indices() {
        let (start, end) = PROGRAM.split_at(idx);
        assert_eq!(run_all(&[start, end], false), expected, "split at {idx}");
    }
}

#[test]
fn pieces_of_random_text_make_no_difference() {
    const WORDS: &[&str] = &[
        "def",
        "extern",
        "if",
        "then",
        "else",
        "for",
        "in",
        "var",
        "unary",
        "binary",
        "f",
        "x",
        "sin",
        "(",
        ")",
        ",",
        ";",
        "=",
        "<",
        "+",
        "-",
        "^",
        "!",
        "--",
        "@",
        ".",
        "1",
        ".5",
        "1.",
        "3e2",
        "1e",
        "1.2.3",
        "12ab",
        "#c;\n",
        "\n",
        " ",
        "$",
        "é",
        "\0",
        "\u{a0}",
        "def f(x) ",
        "unary-(v) 0-v;",
        "binary@ 30 (a b)",
        "var x = 1 in",
        "f(1)",
        "\r",
    ];
    let mut dice = Dice(3);
    for _ in 0..3000 {
        let text: String = (0..1 + dice.roll(12)).map(|_| dice.pick(WORDS)).collect();
        let (start, end) = text.split_at(text.floor_char_boundary(dice.roll(text.len() + 1)));
        assert_eq!(run_all(&[start, end], false), run_all(&[&text], true), "{start:?} {end:?}");
    }
}

/// Pushes the text and reads what is there, without finishing.
fn open(text: &str) -> (Reader, Session, Vec<String>) {
    let mut reader = Reader::new("test");
    let mut session = Session::new();
    let mut words = Vec::new();
    reader.push(text);
    while let Some(read) = reader.read(&session.names) {
        session.take(read, &mut words);
    }
    (reader, session, words)
}

#[test]
fn an_item_waits_for_its_end() {
    for (text, expected, is_pending) in [
        ("1+2;", "3", false),
        ("1+2", "", true),
        ("1+2\n", "", true),
        ("1+2\n3 ", "3", true),
        ("1+2\ndef f(x) x", "3", true),
        ("1+2 # ;", "", true),
        ("1+2 # ;\n;", "3", false),
        ("def f(x) x;", "", false),
        ("  # nothing\n ; ; ", "", false),
        ("", "", false),
        ("4 + ) 1 2", "KLS1001", false),
        ("4 + ) 1; 2", "KLS1001", true),
        ("4 + ) 1 def f(x) x; f(2);", "KLS1001 2", false),
        ("(1", "", true),
    ] {
        let (reader, _, words) = open(text);
        assert_eq!((&*words.join(" "), reader.pending()), (expected, is_pending), "{text}");
    }
}

#[test]
fn a_line_end_ends_a_complete_item() {
    let mut reader = Reader::new("test");
    let mut session = Session::new();
    let mut line = |reader: &mut Reader, text: &str| {
        let mut words = Vec::new();
        reader.push(text);
        reader.push("\n");
        while let Some(read) = reader.read_line(&session.names) {
            session.take(read, &mut words);
        }
        (words.join(" "), reader.pending())
    };
    assert_eq!(line(&mut reader, "1+2"), ("3".into(), false));
    assert_eq!(line(&mut reader, "1 2; 3"), ("(KLS2012) 1 2 3".into(), false));
    assert_eq!(line(&mut reader, "def f(x)"), ("".into(), true));
    assert_eq!(line(&mut reader, "  if x < 1 then 2"), ("".into(), true));
    assert_eq!(line(&mut reader, "  else 3 # done"), ("".into(), false));
    assert_eq!(line(&mut reader, "f(0) f("), ("(KLS2012) 2".into(), true));
    assert_eq!(line(&mut reader, "1)"), ("3".into(), false));
    // A mistake is reported at once, and the next line begins a new item.
    assert_eq!(line(&mut reader, "4 + ) 1 2"), ("KLS1001".into(), false));
    assert_eq!(line(&mut reader, "5"), ("5".into(), false));
    assert_eq!(line(&mut reader, "1e"), ("KLS1004".into(), false));
    assert_eq!(line(&mut reader, "4 +"), ("".into(), true));
    reader.abandon();
    assert!(!reader.pending());
    assert_eq!(line(&mut reader, "6"), ("6".into(), false));
    reader.push("7 +");
    reader.finish();
    assert_eq!(line(&mut reader, ""), ("KLS1003".into(), false));
}

#[test]
fn spans_and_positions_count_in_the_whole_text() {
    let mut reader = Reader::new("test");
    reader.push("1;\n");
    let names = Names::new();
    assert!(reader.read(&names).is_some());
    reader.push("2 + x;\n");
    let read = reader.read(&names).expect("there is an item");
    assert_eq!(reader.source().slice(read.span), "2 + x");
    let span = read.diagnostics[0].span.expect("it has a place");
    assert_eq!(reader.source().position(span.start).to_string(), "2:5");
}

#[test]
fn a_text_beyond_all_offsets_is_refused() {
    let mut reader = Reader::new("test");
    reader.push("1; 2;");
    // As `push` does at 4 GiB.
    reader.too_long = true;
    reader.finish();
    let mut words = Vec::new();
    let mut session = Session::new();
    while let Some(read) = reader.read(&session.names) {
        session.take(read, &mut words);
    }
    assert_eq!(words, ["KLS4004"]);
}

/// Reads a text in pieces, and returns the bytes that the lexer looked at.
fn work(pieces: impl IntoIterator<Item = String>) -> usize {
    let mut reader = Reader::new("test");
    let mut session = Session::new();
    take_work();
    let mut words = Vec::new();
    for piece in pieces {
        reader.push(&piece);
        while let Some(read) = reader.read(&session.names) {
            session.take(read, &mut words);
        }
        let _ = reader.pending();
    }
    reader.finish();
    while let Some(read) = reader.read(&session.names) {
        session.take(read, &mut words);
    }
    take_work()
}

/// The work is proportional to the text: ten times as many pieces are about ten times the work.
#[test]
fn text_in_pieces_is_not_read_again_for_every_piece() {
    let pieces = |first: &str, piece: &str, n: usize| {
        let pieces = std::iter::repeat_n(piece.to_owned(), n);
        work(std::iter::once(first.to_owned()).chain(pieces).chain(["\n7;".to_owned()]))
    };
    for (first, piece) in [
        // Comments and space between items, and items that are empty.
        ("#", " a comment"),
        ("1; #", " a comment;"),
        ("", "# many comments\n"),
        ("", "   \n"),
        ("", ";"),
        ("", "# comment\n;"),
        // Long items, which contain comments, and long tokens.
        ("1", "+1+1+1+1+1 # ;\n"),
        ("1 + #", " a comment; in an item"),
        ("1 + ", "1234567890"),
        ("f", "name1_"),
        ("1 + ", "%%%%%%%%%"),
        // What is skipped behind a mistake in form.
        ("1 + )", " 1 + 1"),
        ("1 + ) #", " a comment;"),
        ("1 + )", "name1_"),
        ("1 + )", "%%%%%%%%%"),
        // Many items, and many mistakes.
        ("", "1 + 2; "),
        ("", "1 "),
        ("", "1 + ); "),
        ("", "$"),
        ("", "def "),
        ("", "1 > 2\n"),
    ] {
        // Up to 1024 bytes are read again for every piece, so small texts cost more for their size.
        let (small, large) = (pieces(first, piece, 400), pieces(first, piece, 4_000));
        assert!(large <= 25 * small, "{first:?}, {piece:?} …: {small} and {large} bytes");
        let n_bytes = first.len() + 4_000 * piece.len();
        assert!(large <= 2_000 * n_bytes, "{first:?}, {piece:?} …: {large} bytes of {n_bytes}");
    }
}

/// The same in chunks as large as those of a pipe: no byte is looked at more than a few times.
#[test]
fn large_chunks_are_read_a_few_times() {
    for piece in [" a comment;", "x # comment\n+", "1+", "name", "%", " "] {
        let chunk = piece.repeat((16 << 10) / piece.len());
        for first in ["#", "1 + ", "1 + ) #", "1 + ) "] {
            let chunks = std::iter::repeat_n(chunk.clone(), 40);
            let n_bytes = 40 * chunk.len();
            let n_looked_at = work(std::iter::once(first.to_owned()).chain(chunks));
            assert!(n_looked_at <= 6 * n_bytes, "{first:?}, {piece:?} …: {n_looked_at} of {n_bytes}");
        }
    }
}

/// Whether an item is too long does not depend on where its text is cut.
#[test]
fn the_limit_of_items_counts_alike_in_pieces() {
    let read = |text: &str, cut: usize, limit: usize| {
        let mut reader = Reader::new("test");
        reader.limit_items(limit);
        let mut session = Session::new();
        let (mut words, mut spans) = (Vec::new(), Vec::new());
        for piece in [Some(&text[..cut]), Some(&text[cut..]), None] {
            match piece {
                Some(piece) => reader.push(piece),
                None => reader.finish(),
            }
            while let Some(read) = reader.read(&session.names) {
                spans.push(read.span);
                session.take(read, &mut words);
            }
        }
        (words, spans)
    };
    let check = |text: &str| {
        for limit in 1..text.len() + 1 {
            let whole = read(text, 0, limit);
            for cut in 1..text.len() {
                assert_eq!(read(text, cut, limit), whole, "{text:?} cut at {cut}, limit {limit}");
            }
        }
    };
    check("2.2259036290000000000=>.7976");
    check("1 .5; 1+.5; 1.5.; f.5");
    check("extern binary.. (a b); 1 .. 2; 1...5");
    check("extern unary.(v); 1 .2; 1 ..2; 1 + ..5 .x");
    const WORDS: &[&str] = &[
        "1",
        "12",
        "1.5",
        "1e",
        "1e5",
        "x",
        "sqrt",
        "def",
        "de",
        "extern",
        "f(x)",
        "(",
        ")",
        ",",
        ";",
        ".",
        "..",
        ".5",
        "+",
        "-",
        "=",
        "=>",
        "<",
        "%",
        "!",
        "#c",
        "\n",
        " ",
        " ",
        "$",
        "unary.(v)",
        "binary.- (a b)",
    ];
    let mut dice = Dice(7);
    for _ in 0..400 {
        let text: String = (0..1 + dice.roll(10)).map(|_| dice.pick(WORDS)).collect();
        check(&text);
    }
}

/// Tokens longer than an item may be: what is said, and where reading goes on, is the same
/// wherever they are cut.
#[test]
fn long_tokens_are_refused_as_a_whole() {
    for (text, expected) in [
        ("a12345678901def f(x) 1; 2", &["KLS4008", "2"][..]),
        ("1234567890123p4; def f(x) 1; 3", &["KLS4008", "3"]),
        ("1 + abcdefghijk; 4", &["KLS4008", "4"]),
        // The point belongs to the number as a digit follows.
        ("1b3456789012.5; 5", &["KLS4008", "5"]),
    ] {
        let read_in_pieces = |n_bytes| {
            let mut reader = Reader::new("test");
            reader.limit_items(10);
            let mut session = Session::new();
            let (mut words, mut spans) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(n_bytes).map(Some).chain([None]) {
                match piece {
                    Some(piece) => reader.push(std::str::from_utf8(piece).expect("the text is ASCII")),
                    None => reader.finish(),
                }
                while let Some(read) = reader.read(&session.names) {
                    spans.push(read.span);
                    session.take(read, &mut words);
                }
            }
            (words, spans)
        };
        let whole = read_in_pieces(text.len());
        assert_eq!(whole.0, expected, "{text}");
        for n_bytes in 1..text.len() {
            assert_eq!(read_in_pieces(n_bytes), whole, "{text} in pieces of {n_bytes}");
        }
    }
}
