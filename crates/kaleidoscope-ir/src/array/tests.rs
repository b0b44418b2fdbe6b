//! Indices: which of them mean an element, and the message about those that do not.

use super::{BadIndex, element_at};

#[test]
fn an_index_is_truncated_toward_zero() {
    let cases = [(0.0, 0), (-0.0, 0), (0.999, 0), (-0.999, 0), (1.0, 1), (2.5, 2), (2.999_999, 2)];
    for (index, element) in cases {
        assert_eq!(element_at(index, 3), Some(element), "{index}");
    }
}

#[test]
fn other_indices_mean_no_element() {
    let bad = [3.0, 3.5, -1.0, -1.5, 1e300, -1e300, 18_446_744_073_709_551_616.0, f64::INFINITY, f64::NAN];
    for index in bad.into_iter().chain([f64::NEG_INFINITY, -f64::NAN, 9_223_372_036_854_775_808.0]) {
        assert_eq!(element_at(index, 3), None, "{index}");
    }
    assert_eq!(element_at(0.0, 0), None);
    assert_eq!(element_at(-0.5, 0), None);
}

#[test]
fn the_message_has_name_length_and_index() {
    let shown = |index, len| BadIndex { array: "u".into(), index, len }.to_string();
    assert_eq!(shown(10.0, 10), "`u` has 10 elements, the index is 10");
    assert_eq!(shown(-1.5, 1), "`u` has 1 element, the index is -1.5");
    assert_eq!(shown(f64::NAN, 0), "`u` has 0 elements, the index is nan");
}
