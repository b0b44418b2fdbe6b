//! Tables between marks.

use super::replace_table;

#[test]
fn the_table_between_its_marks_is_replaced() {
    let text = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n";
    let replaced = replace_table(text, "one", "| new |\n").unwrap();
    assert_eq!(
        replaced,
        "a\n<!-- one -->\n\n| new |\n\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n"
    );
    assert_eq!(replace_table(&replaced, "one", "| new |\n").unwrap(), replaced);
    assert!(replace_table(text, "three", "").unwrap_err().contains("three"));
}
