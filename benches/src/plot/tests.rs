//! Charts: axes, marks and the drawn parts.

use super::{Axis, Chart, Line, label, svg};

#[test]
fn positions_follow_the_logarithm() {
    let axis = Axis { low: 0.0, high: 3.0, begin: 100.0, end: 400.0 };
    assert_eq!([1.0, 10.0, 1000.0].map(|value| axis.position(value)), [100.0, 200.0, 400.0]);
    assert_eq!(axis.marks(), [1.0, 10.0, 100.0, 1000.0]);
}

#[test]
fn long_numbers_are_written_as_powers_of_ten() {
    assert_eq!([0.001, 0.5, 10_000.0].map(label), ["0.001", "0.5", "10000"]);
    assert!(label(1e6).starts_with("10<tspan") && label(1e6).contains(">6<"));
    assert!(label(1e-4).contains(">-4<"));
}

#[test]
fn a_narrow_axis_has_marks_between_powers_of_ten() {
    let marks = |low, high| Axis::around([low, high].into_iter(), 0.0, 1.0).marks();
    assert_eq!(marks(0.9, 1.6), [1.0, 1.5]);
    assert_eq!(marks(18.0, 800.0), [20.0, 50.0, 100.0, 200.0, 500.0]);
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
