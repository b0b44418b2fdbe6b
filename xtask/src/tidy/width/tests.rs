//! What is too wide and what is exempt.

use crate::tidy::Source;

fn n_complaints(path: &str, text: &str) -> usize {
    super::check(&[Source::new(path, text)]).len()
}

#[test]
fn comments_and_markdown_have_a_width() {
    let (fits, wide) = ("x".repeat(96), "x".repeat(101));
    assert_eq!(n_complaints("a.rs", &format!("//! {fits}\n")), 0);
    assert_eq!(n_complaints("a.rs", &format!("    /// {fits}\n")), 1);
    assert_eq!(n_complaints("a.rs", &format!("let text = \"{wide}\";\n")), 0, "code has a width of its own");
    assert_eq!(n_complaints("a.md", &format!("{wide}\n\n{wide}")), 2);
    assert_eq!(n_complaints("a.toml", &format!("# {wide}\nx = \"{wide}\"\n")), 1);
    assert_eq!(n_complaints("a.h", &format!("// {wide}\nint {wide};\n")), 1);
}

#[test]
fn what_cannot_be_broken_is_exempt() {
    let wide = "x".repeat(101);
    for text in [
        format!("| {wide} |"),
        format!("```text\n{wide}\n```"),
        format!("[text]({wide})"),
        format!("<https://{wide}>"),
    ] {
        assert_eq!(n_complaints("a.md", &text), 0, "{text}");
        let comment: String = text.lines().map(|line| format!("//! {line}\n")).collect();
        assert_eq!(n_complaints("a.rs", &comment), 0, "{comment}");
    }
    assert_eq!(n_complaints("a.md", &format!("```text\n```\n{wide} [text](x)")), 1);
}
