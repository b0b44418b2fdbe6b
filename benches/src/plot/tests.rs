//! Charts have what they are made of, at its place.

use super::{Axis, Chart, Line, svg};

#[test]
fn places_follow_the_logarithm() {
    let axis = Axis { low: 0.0, high: 2.0, begin: 100.0, end: 300.0 };
    assert_eq!([1.0, 10.0, 100.0].map(|value| axis.place(value)), [100.0, 200.0, 300.0]);
    assert_eq!(axis.marks(), [1.0, 10.0, 100.0]);
}

#[test]
fn a_narrow_axis_has_marks_between_powers_of_ten() {
    let axis = Axis::around([0.9, 1.6].into_iter(), 0.0, 1.0);
    assert_eq!(axis.marks(), [1.0, 1.5]);
}

#[test]
fn every_line_and_the_bound_are_drawn() {
    let line = |name| Line { name, points: vec![(1.0, 2.0), (10.0, 0.5)] };
    let lines = vec![line("one"), line("two")];
    let chart = Chart { title: "both".to_owned(), x_label: "x", y_label: "y", lines, bound: Some(1.15) };
    let text = svg(&[chart]);
    assert_eq!(text.matches("<polyline").count(), 2);
    for part in [">one<", ">two<", ">both<", ">1.15<"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}
