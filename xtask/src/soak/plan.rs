//! The order in which the tests run.

use std::fmt;

use super::binary::Binary;

/// How many tests one process runs at most.
pub(super) const GROUP: usize = 12;

/// Threads of the test harness, from group to group.
const N_THREADS: &[usize] = &[2, 1, 8];

/// Tests of a binary that run in one process.
#[derive(Debug)]
pub(super) struct TestGroup<'a> {
    pub(super) round: usize,
    pub(super) binary: &'a Binary,
    pub(super) tests: Vec<&'a str>,
    /// How many of the tests run at once.
    pub(super) n_threads: usize,
}

impl fmt::Display for TestGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, binary, tests, n_threads } = self;
        write!(f, "round {}, {}, {n_threads} threads: {}", round + 1, binary.name, tests.join(" "))
    }
}

/// The groups of all rounds. A round is planned when the groups of the one before have begun.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    binaries: &'a [Binary],
    n_rounds: usize,
    random: Random,
    /// Groups that have not begun.
    waiting: Vec<TestGroup<'a>>,
    /// How many groups of each planned round have not ended.
    n_left: Vec<usize>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(binaries: &'a [Binary], n_rounds: usize, random: Random) -> Self {
        Self { binaries, n_rounds, random, waiting: Vec::new(), n_left: Vec::new() }
    }

    /// Returns the group to run next. `None` if the groups of all rounds have begun.
    pub(super) fn next(&mut self) -> Option<TestGroup<'a>> {
        if self.waiting.is_empty() && self.n_left.len() < self.n_rounds {
            self.plan_round();
        }
        self.waiting.pop()
    }

    fn plan_round(&mut self) {
        let round = self.n_left.len();
        let mut groups: Vec<(&Binary, Vec<&str>)> = Vec::new();
        for binary in self.binaries {
            let mut tests: Vec<&str> = binary.tests.iter().map(String::as_str).collect();
            self.random.shuffle(&mut tests);
            groups.extend(tests.chunks(GROUP).map(|group| (binary, group.to_vec())));
        }
        self.random.shuffle(&mut groups);
        self.n_left.push(groups.len());
        self.waiting.extend(groups.into_iter().enumerate().map(|(idx, (binary, tests))| TestGroup {
            round,
            binary,
            tests,
            n_threads: N_THREADS[(idx + round) % N_THREADS.len()],
        }));
    }

    /// Notes that a group of this round has ended. Returns whether it was the last.
    pub(super) fn ended(&mut self, round: usize) -> bool {
        self.n_left[round] -= 1;
        self.n_left[round] == 0
    }

    pub(super) fn n_rounds_ended(&self) -> usize {
        self.n_left.iter().filter(|&&n_left| n_left == 0).count()
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any order is about as likely as another (Fisher and Yates).
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for idx in (1..items.len()).rev() {
            let other = self.next() % (idx as u64 + 1);
            items.swap(idx, usize::try_from(other).expect("smaller than a length"));
        }
    }
}

#[cfg(test)]
mod tests;
