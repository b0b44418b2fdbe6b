//! Reducing a program to the items that a failure needs.

use super::reduce;

#[test]
fn reducing_keeps_the_needed_items() {
    let items: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let needed = |items: &[String]| ["3", "17"].iter().all(|needed| items.iter().any(|item| item == needed));
    assert_eq!(reduce(&items, needed), ["3", "17"]);
}
