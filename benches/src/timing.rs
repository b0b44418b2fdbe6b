//! Measuring turn and turn about.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::time::{Duration, Instant};

/// Times of two things done in turns, so that whatever disturbs the machine disturbs both.
#[derive(Debug)]
pub struct Pairs {
    pairs: Vec<(Duration, Duration)>,
}

impl Pairs {
    /// Does `ours` and `theirs` `n_pairs` times each, in turns, after one round that does not count.
    pub fn measure(n_pairs: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Self {
        ours();
        theirs();
        let pairs = (0..n_pairs).map(|_| (time(&mut ours), time(&mut theirs))).collect();
        Self { pairs }
    }

    /// As [`measure`](Self::measure), but each is done twice in its turn and the second counts, which finds the
    /// processor's caches as the first has left them.
    pub fn measure_in_a_row(n_pairs: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Self {
        let second = |what: &mut dyn FnMut()| {
            what();
            time(&mut || what())
        };
        let pairs = (0..n_pairs).map(|_| (second(&mut ours), second(&mut theirs))).collect();
        Self { pairs }
    }

    /// The median time of ours.
    pub fn ours(&self) -> Duration {
        median(self.pairs.iter().map(|pair| pair.0))
    }

    /// The median time of theirs.
    pub fn theirs(&self) -> Duration {
        median(self.pairs.iter().map(|pair| pair.1))
    }

    /// The ratio of ours to theirs, as lower quartile, median and upper quartile over the pairs.
    pub fn ratio(&self) -> [f64; 3] {
        quartiles(self.pairs.iter().map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect())
    }
}

/// How long it takes.
pub fn time(what: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

/// How long the processor works for the processes that are started and awaited in it, on all their threads, for them and for
/// the system: what others do meanwhile matters less.
///
/// # Panics
/// Never: a process may ask for the times of its children.
pub fn processor_time(what: &mut impl FnMut()) -> Duration {
    let so_far = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("a process may ask");
        [usage.user_time(), usage.system_time()].map(as_duration).iter().sum::<Duration>()
    };
    let before = so_far();
    what();
    so_far() - before
}

fn as_duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros(u64::try_from(micros).expect("a time only grows from 0"))
}

/// The middle one.
///
/// # Panics
/// When there is none.
pub fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// The lower quartile, the median and the upper quartile.
///
/// # Panics
/// When there is no number.
pub fn quartiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4])
}

/// In which order `n` things are done in a round: what comes before what is balanced over `n` rounds, or `2 * n` if that is odd, as a
/// process that starts behind a large one finds the processor's caches cold. (E. J. Williams: "Experimental designs balanced
/// for the estimation of residual effects of treatments", 1949.)
pub fn order(round: usize, n: usize) -> Vec<usize> {
    // 0, 1, n - 1, 2, n - 2, …
    let zigzag = (0..n).map(|nth| if nth % 2 == 1 { nth.div_ceil(2) } else { (n - nth / 2) % n });
    let mut order: Vec<usize> = zigzag.map(|place| (place + round) % n).collect();
    if n % 2 == 1 && round / n % 2 == 1 {
        order.reverse();
    }
    order
}

/// Milliseconds with three digits behind the point.
pub fn millis(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests;
