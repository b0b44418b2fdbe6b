//! Orders of actions are balanced.

use super::order;
use std::collections::BTreeMap;

#[test]
fn each_action_follows_each_other_equally_often() {
    for (n, n_rounds) in [(2, 2), (3, 6), (4, 4), (9, 18)] {
        let mut n_behind = BTreeMap::new();
        for round in 0..n_rounds {
            let order = order(round, n);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            for pair in order.windows(2) {
                *n_behind.entry((pair[0], pair[1])).or_insert(0) += 1;
            }
        }
        assert_eq!(n_behind.len(), n * (n - 1), "{n}");
        assert!(n_behind.values().all(|times| *times == n_rounds / n), "{n}: {n_behind:?}");
    }
}
