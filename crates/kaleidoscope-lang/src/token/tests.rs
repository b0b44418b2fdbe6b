//! The listing of tokens.

use super::listing;
use crate::lexer::is_name;
use crate::names::Names;
use crate::reader::Reader;

#[test]
fn the_listing_has_the_operators_as_they_were_taken() {
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push("extern unary-(v)\n2--3; 4 $");
    reader.finish();
    reader.keep_tokens();
    let mut text = String::new();
    while let Some(read) = reader.read(&names) {
        text.push_str(&listing(reader.tokens(), &reader.source()));
        text.push('\n');
        if let Some(item) = &read.item {
            names.commit(item);
        }
    }
    let expected = "     1:1  keyword      extern
     1:8  keyword      unary
    1:13  operator     -
    1:14  punctuation  (
    1:15  identifier   v
    1:16  punctuation  )

     2:1  number       2
     2:2  operator     -
     2:3  operator     -
     2:4  number       3
     2:5  punctuation  ;

     2:7  number       4


";
    assert_eq!(text, expected);
}

#[test]
fn names_are_identifiers() {
    assert!(["x", "x_1", "Def"].into_iter().all(is_name));
    assert!(!["", "1x", "_x", "x y", "def", "x#", "$x", "x ", " x"].into_iter().any(is_name));
}
