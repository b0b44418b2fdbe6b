//! `:time EXPRESSION`: how long reading, the first run and later runs take.

use super::Talk;
use super::life::time;
use crate::console::Console;
use kaleidoscope::lang::number;
use kaleidoscope::{CallError, Engine, Formula};
use std::time::{Duration, Instant};

/// How long the runs take in all, about.
const BUDGET: Duration = Duration::from_secs(1);

/// How long a sample takes at least: much longer than reading the clock.
const SAMPLE: Duration = Duration::from_millis(1);

/// The most samples, and how many there are where one run takes very long.
const MOST_SAMPLES: usize = 101;
const FEWEST_SAMPLES: usize = 3;

/// `:time EXPRESSION`
pub(super) fn time_expression(talk: &mut Talk<'_>, text: &str) {
    let text = text.trim_end_matches(';');
    if text.is_empty() {
        return talk.refuse("`:time` takes an expression");
    }
    let start = Instant::now();
    let formula = match talk.session.engine.formula(text, &[]) {
        Ok(formula) => formula,
        Err(error) => {
            for diagnostic in error.diagnostics() {
                talk.session.reporter.report(diagnostic, error.text_source());
            }
            return;
        }
    };
    let read = start.elapsed();
    let measured = measure(&talk.session.engine, &formula, &talk.session.console);
    talk.session.console.set_drops_output(false);
    match measured {
        Ok(times) => talk.print(&times.text(read)),
        Err(error) => talk.refuse(&error.to_string()),
    }
}

struct Times {
    value: f64,
    first: Duration,
    /// Seconds of one run, by sample, the shortest first.
    samples: Vec<f64>,
    /// How many runs a sample has.
    n_runs: u32,
}

/// Runs the formula again and again. Its output is printed once: that of the first run.
fn measure(engine: &Engine, formula: &Formula, console: &Console) -> Result<Times, CallError> {
    let start = Instant::now();
    let value = formula.call(&[])?;
    let first = start.elapsed();
    console.set_drops_output(true);
    let mut n_runs = 1;
    let began = Instant::now();
    // More and more runs, until they take long enough for the clock. Hot code is optimized
    // meanwhile.
    loop {
        let took = run(engine, formula, n_runs)?;
        if took >= SAMPLE && (began.elapsed() >= BUDGET / 4 || took >= BUDGET / 4) {
            break;
        }
        if took < SAMPLE {
            n_runs *= 2;
        }
    }
    let began = Instant::now();
    let mut samples = Vec::new();
    while samples.len() < FEWEST_SAMPLES || (samples.len() < MOST_SAMPLES && began.elapsed() < BUDGET) {
        samples.push(run(engine, formula, n_runs)?.as_secs_f64() / f64::from(n_runs));
    }
    samples.sort_by(f64::total_cmp);
    Ok(Times { value, first, samples, n_runs })
}

/// The time of these runs, in a scope: without the cost of entering the engine for each.
fn run(engine: &Engine, formula: &Formula, n_runs: u32) -> Result<Duration, CallError> {
    let start = Instant::now();
    engine.enter(|scope| {
        for _ in 0..n_runs {
            scope.call_dyn(formula.function(), &[])?;
        }
        Ok(())
    })?;
    Ok(start.elapsed())
}

impl Times {
    fn text(&self, read: Duration) -> String {
        let of = |seconds: f64| time(Duration::from_secs_f64(seconds));
        let quantile = |share: f64| of(self.samples[(share * (self.samples.len() - 1) as f64) as usize]);
        format!(
            "value   {}\nread    {}\nfirst   {}, with all that was compiled for it\nlater   {}, the median of {} samples of {} runs; \
             90% between {} and {}\n",
            number::format(self.value),
            time(read),
            time(self.first),
            quantile(0.5),
            self.samples.len(),
            self.n_runs,
            quantile(0.05),
            quantile(0.95),
        )
    }
}
