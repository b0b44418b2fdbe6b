//! Records: dated lines in `benches/record/`, kept with the source, and tables in documents.

use crate::arguments;
use crate::peer::root;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;

/// Adds lines to `benches/record/<question>.csv` if this process has the argument `--record`. Date,
/// commit and processor come first in each line; `columns` names the other columns.
///
/// # Panics
/// If the file cannot be written.
pub fn add(question: &str, columns: &str, lines: &[String]) {
    if !is_requested() {
        return;
    }
    let path = root().join(format!("benches/record/{question}.csv"));
    let is_new = !path.exists();
    let mut file =
        OpenOptions::new().create(true).append(true).open(&path).expect("benches/record can be written");
    if is_new {
        writeln!(file, "date,commit,processor,{columns}").expect("the record can be written");
    }
    let head = format!("{},{},{}", date(), output("git", &["rev-parse", "--short", "HEAD"]), processor());
    for line in lines {
        writeln!(file, "{head},{line}").expect("the record can be written");
    }
}

/// Whether this process has the argument `--record`.
pub fn is_requested() -> bool {
    arguments::is_given("--record")
}

/// The date, as `2026-01-31`.
pub fn date() -> String {
    output("date", &["+%F"])
}

/// The text with this table between the marks `<!-- NAME -->` and `<!-- /NAME -->`.
///
/// # Errors
/// If the text has no such marks.
pub fn replace_table(text: &str, name: &str, table: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("there is no mark {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("there is no mark {end}"))?;
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    model.trim_start_matches([' ', '\t', ':']).replace(',', " ")
}

#[cfg(test)]
mod tests;
