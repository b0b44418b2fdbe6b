//! What is code, what is comment, what is string.

use super::cut;

/// The three parts with the blanks squeezed.
fn check(text: &str, code: &str, comments: &str, strings: &str) {
    let parts = cut(text);
    let squeezed = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&parts.code), code, "code of {text}");
    assert_eq!(squeezed(&parts.comments), comments, "comments of {text}");
    assert_eq!(squeezed(&parts.strings), strings, "strings of {text}");
}

#[test]
fn parts_of_a_text() {
    check("a // b\nc", "a c", "// b", "");
    check("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */", "");
    check(r#"a "b \" // c" d"#, "a d", "", r#""b \" // c""#);
    check("a r#\"b \" c\"# d", "a d", "", "r#\"b \" c\"#");
    check("a '\"' b '\\'' c '\\u{41}' d", "a b c d", "", "'\"' '\\'' '\\u{41}'");
    check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}", "", "");
}

#[test]
fn lines_stay() {
    let text = "a\n// b\n\"c\nd\"\ne";
    let parts = cut(text);
    for part in [&parts.code, &parts.comments, &parts.strings] {
        assert_eq!(part.lines().count(), text.lines().count());
    }
}
