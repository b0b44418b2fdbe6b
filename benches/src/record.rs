//! Records: dated lines in `benches/record/`, kept with the source.

use crate::peer::root;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;

/// Adds lines to `benches/record/<question>.csv` if this process was called with `--record`. Each gets the date, the commit
/// and the processor in front; `columns` names the rest.
///
/// # Panics
/// When the file cannot be written.
pub fn add(question: &str, columns: &str, lines: &[String]) {
    if !std::env::args().any(|arg| arg == "--record") {
        return;
    }
    let path = root().join(format!("benches/record/{question}.csv"));
    let is_new = !path.exists();
    let mut file =
        OpenOptions::new().create(true).append(true).open(&path).expect("benches/record can be written");
    if is_new {
        writeln!(file, "date,commit,processor,{columns}").expect("the record can be written");
    }
    let head = format!(
        "{},{},{}",
        output("date", &["+%F"]),
        output("git", &["rev-parse", "--short", "HEAD"]),
        processor()
    );
    for line in lines {
        writeln!(file, "{head},{line}").expect("the record can be written");
    }
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
