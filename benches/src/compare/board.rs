//! The times of the contestants, as ratios of ours to theirs.

use super::work::{Clock, Work};
use crate::process::Cost;
use crate::timing::{median, millis, quartiles};
use std::time::Duration;

/// One work, with the times of all contestants.
#[derive(Debug)]
pub struct Row {
    work: &'static Work,
    /// The costs of each contestant by round; ours first. Empty if it cannot do the work.
    runs: Vec<(&'static str, Vec<Cost>)>,
}

/// Columns of the record.
pub const COLUMNS: &str = "work,contestant,rounds,wall_ms,wall_low,wall_ratio,wall_high,\
    processor_ms,processor_low,processor_ratio,processor_high";

impl Row {
    /// No runs yet.
    pub fn new(work: &'static Work, names: impl Iterator<Item = &'static str>) -> Self {
        Self { work, runs: names.map(|name| (name, Vec::new())).collect() }
    }

    /// Adds a run of the contestant.
    pub fn add(&mut self, contestant: usize, cost: Cost) {
        self.runs[contestant].1.push(cost);
    }

    /// The median time of this contestant.
    fn time(&self, contestant: usize, clock: Clock) -> Option<Duration> {
        let runs = &self.runs[contestant].1;
        (!runs.is_empty()).then(|| median(runs.iter().map(|cost| of(clock, cost))))
    }

    /// Ours over theirs, round by round: lower quartile, median, upper quartile.
    fn ratio(&self, contestant: usize, clock: Clock) -> Option<[f64; 3]> {
        let ratios: Vec<f64> = (self.runs[0].1.iter().zip(&self.runs[contestant].1))
            .map(|(ours, theirs)| of(clock, ours).as_secs_f64() / of(clock, theirs).as_secs_f64())
            .collect();
        (!ratios.is_empty()).then(|| quartiles(ratios))
    }

    /// Prints both times of every contestant.
    pub fn print(&self) {
        println!("{} ({}); {} time counts", self.work.name, self.work.question, self.work.clock.name());
        for (contestant, (name, _)) in self.runs.iter().enumerate() {
            print!("  {name:<10}");
            for clock in [Clock::Wall, Clock::Processor] {
                match (self.time(contestant, clock), self.ratio(contestant, clock)) {
                    (Some(time), Some([low, ratio, high])) => print!(
                        "   {} {:>9} ms, ours is {ratio:>6.3} of it ({low:.3} to {high:.3})",
                        clock.name(),
                        millis(time)
                    ),
                    _ => print!("   -"),
                }
            }
            println!();
        }
    }

    /// The lines of the record.
    pub fn lines(&self) -> Vec<String> {
        let line = |contestant: usize| {
            let (name, runs) = &self.runs[contestant];
            let mut line = format!("{},{name},{}", self.work.name, runs.len());
            for clock in [Clock::Wall, Clock::Processor] {
                let [low, ratio, high] = self.ratio(contestant, clock)?;
                line += &format!(",{},{low:.3},{ratio:.3},{high:.3}", millis(self.time(contestant, clock)?));
            }
            Some(line)
        };
        (0..self.runs.len()).filter_map(line).collect()
    }
}

fn of(clock: Clock, cost: &Cost) -> Duration {
    match clock {
        Clock::Wall => cost.wall,
        Clock::Processor => cost.processor,
    }
}

/// The table in Markdown: our time, and its ratio to that of each other contestant, with quartiles.
pub fn markdown(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let names: Vec<&str> = first.runs.iter().skip(1).map(|(name, _)| *name).collect();
    let mut text =
        format!("| | ours, ms | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(first.runs.len()));
    for row in rows {
        let clock = row.work.clock;
        let ours = row.time(0, clock).map(millis).unwrap_or_default();
        text += &format!("| {} (`{}`, {}) | {ours} |", row.work.question, row.work.name, clock.name());
        for contestant in 1..row.runs.len() {
            text += &match row.ratio(contestant, clock) {
                Some([low, ratio, high]) => format!(" **{ratio:.2}** ({low:.2}–{high:.2}) |"),
                None => " – |".to_owned(),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
