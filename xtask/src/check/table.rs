//! What `./check` prints at its end: a table of the steps, their results and times.

use std::fmt::Write as _;
use std::time::Duration;

use super::parts::Part;
use super::seconds;

/// A step that ran, or a part that did not.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) part: &'static str,
    /// Empty for a part that did not run.
    pub(crate) step: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) time: Duration,
}

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// Why.
    Failed(String),
    /// What is missing.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "skipped",
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Skipped(reason) => reason,
        }
    }
}

/// The table of results. Its last line has the totals.
pub(crate) fn results(rows: &[Row], total: Duration) -> String {
    let mut text = String::new();
    let (part, step) = (width(rows, |row| row.part), width(rows, |row| row.step));
    for row in rows {
        let (verdict, time) = (row.verdict.name(), seconds(row.time));
        let line = format!("{:part$}  {:step$}  {verdict:7}  {time:>8}", row.part, row.step);
        let _ = writeln!(text, "{}", format!("{line}  {}", row.verdict.reason()).trim_end());
    }
    let count = |name| rows.iter().filter(|row| row.verdict.name() == name).count();
    let (n_passed, n_failed, n_skipped) = (count("ok"), count("FAILED"), count("skipped"));
    let _ = writeln!(text, "total {}", seconds(total));
    let _ = write!(text, "{n_passed} passed, {n_failed} failed, {n_skipped} skipped");
    text
}

/// The parts, with what each checks and needs.
pub(crate) fn list(parts: &[Part]) -> String {
    let name = parts.iter().map(|part| part.name.len()).max().unwrap_or_default();
    let lines = parts.iter().map(|part| {
        let needs: Vec<_> = part.needs.iter().map(|need| need.name).collect();
        let needs =
            if needs.is_empty() { String::new() } else { format!(" (installs {})", needs.join(", ")) };
        format!("{:name$}  {}{needs}", part.name, part.about)
    });
    let lines = lines.chain([
        format!("{:name$}  all of these, as CI runs them", "all"),
        format!("{:name$}  the tests 20 times beside busy processes; no part of `all`", "soak"),
    ]);
    lines.collect::<Vec<_>>().join("\n")
}

fn width(rows: &[Row], text: impl Fn(&Row) -> &str) -> usize {
    rows.iter().map(|row| text(row).len()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
