//! Timing: alternating measurements, medians and quartiles.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::time::{Duration, Instant};

/// Times of two alternating actions. Noise of the machine affects both.
#[derive(Debug)]
pub struct Pairs {
    pairs: Vec<(Duration, Duration)>,
}

impl Pairs {
    /// Runs `ours` and `theirs` alternately, `n_pairs` times each, after one round that does not
    /// count.
    pub fn measure(n_pairs: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Self {
        ours();
        theirs();
        let pairs = (0..n_pairs).map(|_| (time(&mut ours), time(&mut theirs))).collect();
        Self { pairs }
    }

    /// Like [`measure`](Self::measure), but runs each action twice in a row and counts the second
    /// run. The first run warms the processor's caches.
    pub fn measure_in_a_row(n_pairs: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Self {
        let second = |what: &mut dyn FnMut()| {
            what();
            time(&mut || what())
        };
        let pairs = (0..n_pairs).map(|_| (second(&mut ours), second(&mut theirs))).collect();
        Self { pairs }
    }

    /// Returns our median time.
    pub fn ours(&self) -> Duration {
        median(self.pairs.iter().map(|pair| pair.0))
    }

    /// Returns their median time.
    pub fn theirs(&self) -> Duration {
        median(self.pairs.iter().map(|pair| pair.1))
    }

    /// Returns the ratio of our time to theirs: lower quartile, median and upper quartile over the
    /// pairs.
    pub fn ratio(&self) -> [f64; 3] {
        quartiles(self.pairs.iter().map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect())
    }
}

/// Measures the wall time of an action.
pub fn time(what: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

/// Measures the processor time of the child processes that an action starts and waits for: user and
/// system time of all their threads. Other processes affect it less than wall time.
///
/// # Panics
/// If the system does not report the times of children.
pub fn processor_time(what: &mut impl FnMut()) -> Duration {
    used_time(UsageWho::RUSAGE_CHILDREN, what)
}

/// Measures the processor time that an action takes on this thread. What other threads do for it,
/// such as compile in the background, does not count.
///
/// # Panics
/// If the system does not report the time of a thread.
pub fn thread_time(what: &mut impl FnMut()) -> Duration {
    used_time(UsageWho::RUSAGE_THREAD, what)
}

fn used_time(who: UsageWho, what: &mut impl FnMut()) -> Duration {
    let elapsed = || {
        let usage = getrusage(who).expect("Linux reports times");
        [usage.user_time(), usage.system_time()].map(as_duration).iter().sum::<Duration>()
    };
    let before = elapsed();
    what();
    elapsed() - before
}

fn as_duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros(u64::try_from(micros).expect("processor time is not negative"))
}

/// Returns the median.
///
/// # Panics
/// If there are no times.
pub fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// Returns the lower quartile, the median and the upper quartile.
///
/// # Panics
/// If there are no numbers.
pub fn quartiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4])
}

/// Returns the order of `n` actions in a round. Over `n` rounds (`2 * n` if `n` is odd) each action
/// follows each other action equally often: a process that starts after a large one finds the
/// processor's caches cold. (E. J. Williams: "Experimental designs balanced for the estimation of
/// residual effects of treatments", 1949.)
pub fn order(round: usize, n: usize) -> Vec<usize> {
    // 0, 1, n - 1, 2, n - 2, …
    let zigzag = (0..n).map(|nth| if nth % 2 == 1 { nth.div_ceil(2) } else { (n - nth / 2) % n });
    let mut order: Vec<usize> = zigzag.map(|position| (position + round) % n).collect();
    if n % 2 == 1 && round / n % 2 == 1 {
        order.reverse();
    }
    order
}

/// Formats a time as milliseconds with three decimals.
pub fn millis(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests;
