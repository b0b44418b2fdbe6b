//! Retired code, and threads inside.

use super::Epochs;
use std::sync::Barrier;
use std::thread;

#[test]
fn with_no_thread_inside_all_retired_code_is_free() {
    let epochs = Epochs::default();
    assert!(epochs.retire() < epochs.oldest_inside());
    drop(epochs.enter().unwrap());
    assert!(epochs.retire() < epochs.oldest_inside());
}

#[test]
fn a_thread_inside_keeps_code_that_is_retired_later() {
    let epochs = Epochs::default();
    let before = epochs.retire();
    let inside = epochs.enter().unwrap();
    let after = epochs.retire();
    assert!(before < epochs.oldest_inside());
    assert!(after >= epochs.oldest_inside());
    // A nested evaluation is inside since the outer one began.
    let nested = epochs.enter().unwrap();
    assert!(epochs.retire() >= epochs.oldest_inside());
    drop(nested);
    assert!(after >= epochs.oldest_inside());
    drop(inside);
    assert!(after < epochs.oldest_inside());
}

#[test]
fn every_thread_inside_counts() {
    let epochs = Epochs::default();
    let (entered, retired) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let inside = epochs.enter().unwrap();
            entered.wait();
            retired.wait();
            drop(inside);
        });
        entered.wait();
        let old = epochs.retire();
        // Entered later: this thread cannot be inside what was retired before.
        let inside = epochs.enter().unwrap();
        assert!(old >= epochs.oldest_inside());
        retired.wait();
        drop(inside);
    });
    let last = epochs.retire();
    assert!(last < epochs.oldest_inside());
}
