//! The table: runs all cells, each in a process of its own, and compares.

use crate::cell::{Cell, MODES};
use crate::environment::ENVIRONMENTS;
use crate::parallel;
use crate::program::PROGRAMS;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use test_process::Process;

/// How long a cell may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What frames the table in the document.
const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of the table -->\n";

/// What came of a cell.
struct Outcome {
    /// What the table shows.
    text: String,
    /// Why it is wrong, whatever the table says.
    fault: Option<String>,
}

/// Runs the cells of all environments whose name contains this, and compares them with the table.
pub(crate) fn check(only: &str) -> ExitCode {
    let cells: Vec<Cell> = ENVIRONMENTS
        .iter()
        .filter(|environment| environment.name.contains(only))
        .flat_map(|environment| MODES.iter().map(move |&mode| (environment, mode)))
        .flat_map(|(environment, mode)| {
            PROGRAMS.iter().map(move |program| Cell { environment, mode, program })
        })
        .collect();
    let outcomes = parallel::map(&cells, run);
    let mut n_faults = 0;
    for (cell, outcome) in cells.iter().zip(&outcomes) {
        if let Some(fault) = &outcome.fault {
            n_faults += 1;
            let Cell { environment, mode, program } = cell;
            println!("{} {} {}: {fault}", environment.name, mode.0, program.name);
        }
    }
    println!("{} cells, {n_faults} faults", cells.len());
    let is_same = !only.is_empty() || compare(&table(&cells, &outcomes));
    if n_faults == 0 && is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(cell: &Cell) -> Outcome {
    let Cell { environment, mode, program } = cell;
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["cell", environment.name, mode.0, program.name]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // It panics if the process does not end, which is the cell's outcome here.
    let output = catch_unwind(AssertUnwindSafe(|| Process::start_within(LIMIT, &mut command).output(b"")));
    let Ok(output) = output else {
        return Outcome { text: "hangs".to_owned(), fault: Some("it does not end".to_owned()) };
    };
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let outcome = stdout.trim();
    let text = if outcome == program.expected { "✓".to_owned() } else { shown(outcome) };
    let fault = if !output.status.success() {
        Some(format!("{}: {outcome} {}", output.status, stderr.trim()))
    } else {
        program.fault(outcome).map(|fault| format!("{fault}: `{outcome}` {}", stderr.trim()))
    };
    Outcome { text, fault }
}

/// The outcome as the table shows it.
fn shown(outcome: &str) -> String {
    match outcome.strip_prefix("no engine: ") {
        Some(_) => "no engine".to_owned(),
        None => outcome.split(' ').next_back().unwrap_or_default().to_owned(),
    }
}

fn table(cells: &[Cell], outcomes: &[Outcome]) -> String {
    let mut table = String::from("\n| environment |");
    for (mode, _) in MODES {
        // Writing to a text does not fail.
        let _ = write!(table, " {mode} |");
    }
    let _ = writeln!(table, "\n|---|{}", "---|".repeat(MODES.len()));
    let rows = cells.chunks(MODES.len() * PROGRAMS.len()).zip(outcomes.chunks(MODES.len() * PROGRAMS.len()));
    for (cells, outcomes) in rows {
        let _ = write!(table, "| {} |", cells[0].environment.about);
        for outcomes in outcomes.chunks(PROGRAMS.len()) {
            let _ = write!(table, " {} |", all(outcomes));
        }
        table.push('\n');
    }
    table.push('\n');
    table
}

/// The outcomes of all programs in one mode.
fn all(outcomes: &[Outcome]) -> String {
    let texts: Vec<&str> = outcomes.iter().map(|outcome| &*outcome.text).collect();
    if texts.iter().all(|text| *text == texts[0]) { texts[0].to_owned() } else { texts.join(", ") }
}

/// Compares the table with that of the document, or replaces it.
fn compare(table: &str) -> bool {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/hostile-environments.md");
    let document = std::fs::read_to_string(&path).expect("the document can be read");
    let (before, rest) = document.split_once(BEGIN).expect("the document marks its table");
    let (known, after) = rest.split_once(END).expect("the document marks the table's end");
    if known == table {
        return true;
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("it can be written");
        return true;
    }
    for (known, now) in known.lines().zip(table.lines()).filter(|(known, now)| known != now) {
        println!("documented: {known}\n       now: {now}");
    }
    println!("docs/hostile-environments.md is out of date (BLESS=1 rewrites its table)");
    false
}
