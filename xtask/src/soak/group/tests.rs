//! What the lines of the test harness say.

use std::time::Duration;

use super::{failed, times};

fn lines(lines: &[(&str, u64)]) -> Vec<(String, Duration)> {
    lines.iter().map(|(line, seconds)| ((*line).to_owned(), Duration::from_secs(*seconds))).collect()
}

#[test]
fn a_test_begins_when_another_has_ended() {
    let printed = lines(&[
        ("running 3 tests", 0),
        ("test b ... ok", 2),
        ("test c ... FAILED", 5),
        ("test a ... ok", 9),
    ]);
    let times = times(&["c", "b", "a"], 2, &printed);
    let times: Vec<_> = times.iter().map(|(name, time)| (name.as_str(), time.as_secs())).collect();
    assert_eq!(times, [("b", 2), ("c", 3), ("a", 9)]);
    assert_eq!(failed(&printed), ["c"]);
}
