//! The results of a soak.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::LONGEST;
use super::group::Outcome;
use super::plan::TestGroup;

/// What is known of the binaries after some rounds, by their names.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, OfBinary>);

#[derive(Debug, Default)]
struct OfBinary {
    n_tests: usize,
    n_runs: usize,
    /// The longest time of each test.
    longest: BTreeMap<String, Duration>,
    failures: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, group: &TestGroup<'_>, outcome: Outcome) {
        let tally = self.0.entry(group.binary.name.clone()).or_default();
        tally.n_tests = group.binary.tests.len();
        tally.n_runs += group.tests.len();
        let context = format!("round {}, {} threads", group.round + 1, group.n_threads);
        for (test, time) in outcome.times {
            if time > LONGEST {
                tally.failures.push(format!("{test} took {:.1} s ({context})", time.as_secs_f64()));
            }
            let longest = tally.longest.entry(test).or_default();
            *longest = time.max(*longest);
        }
        if let Some(failure) = outcome.failure {
            let first_line = failure.lines().next().unwrap_or_default();
            tally.failures.push(format!("{first_line} ({context})"));
        }
    }

    pub(super) fn n_runs(&self) -> usize {
        self.0.values().map(|tally| tally.n_runs).sum()
    }

    pub(super) fn n_failures(&self) -> usize {
        self.0.values().map(|tally| tally.failures.len()).sum()
    }

    /// Every test with its binary and longest time, the slowest first.
    fn times(&self) -> Vec<(&str, &str, f64)> {
        let tests = self.0.iter().flat_map(|(binary, tally)| {
            let times = tally.longest.iter();
            times.map(move |(test, time)| (binary.as_str(), test.as_str(), time.as_secs_f64()))
        });
        let mut tests: Vec<_> = tests.collect();
        tests.sort_by(|(.., a), (.., b)| b.total_cmp(a));
        tests
    }

    /// The slowest test and its longest time in seconds.
    pub(super) fn longest(&self) -> Option<(&str, f64)> {
        self.times().first().map(|&(_, test, seconds)| (test, seconds))
    }

    /// A line for each of the slowest tests.
    pub(super) fn slowest(&self, n: usize) -> String {
        let mut text = String::new();
        for (binary, test, seconds) in self.times().into_iter().take(n) {
            let _ = writeln!(text, "{seconds:>5.1} s  {binary}: {test}");
        }
        text
    }

    /// A line for each binary, and its failures below.
    pub(super) fn table(&self) -> String {
        let name = self.0.keys().map(String::len).max().unwrap_or_default().max(6);
        let mut text = format!("{:name$}  tests    runs  failures", "binary");
        for (binary, OfBinary { n_tests, n_runs, failures, .. }) in &self.0 {
            let n_failures = failures.len();
            let _ = write!(text, "\n{binary:name$}  {n_tests:>5}  {n_runs:>6}  {n_failures:>8}");
            for failure in failures {
                let _ = write!(text, "\n    {failure}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
