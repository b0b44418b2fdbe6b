//! `./check soak`: runs every test binary many times beside busy processes, to find tests whose
//! result depends on time or on the scheduler.
//!
//! A round runs all tests once. It shuffles the tests of each binary, divides them into groups and
//! shuffles the groups. [`N_WORKERS`] groups run at once, each in a process of its own with 1, 2 or
//! 8 threads. The seed is printed and gives the same order again. A failure is a failing test, a
//! test that takes more than [`LONGEST`], or a process that does not end. The run ends after the
//! rounds, or when its time is over.
//!
//! With `--fuzz` the 4 busy processes are the fuzz targets, so that one run tests twice.
//!
//! The tests are compiled with `[profile.soak]`, because the 4 busy processes and the tests share
//! the processors: the processor time of a round limits the number of rounds.
//!
//! [`binary`] builds and lists the tests, [`plan`] has their order, [`group`] runs some of them,
//! and [`tally`] collects the results.

mod binary;
mod group;
mod load;
mod plan;
mod tally;

pub(crate) use load::busy;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::check::start_watcher;
use crate::steps::root;
use load::{Load, N_BUSY};
use plan::{Plan, Random};
use tally::Tally;

/// The longest time that a test may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Groups of tests that run at once. With two, the tests get about 60% of the processors beside the
/// busy processes. With more, each test takes longer.
const N_WORKERS: usize = 2;

/// How many of the slowest tests are listed.
const N_SLOWEST: usize = 10;

const RECORD: &str = "benches/record/soak.csv";

/// How much, and from which seed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    n_rounds: usize,
    minutes: u64,
    seed: Option<u64>,
    /// Only binaries whose name contains it.
    only: String,
    records: bool,
    /// Whether the busy processes are the fuzz targets.
    fuzzes: bool,
}

impl Options {
    /// Reads the options of `./check soak`. `SOAK_ROUNDS` is the default of `--rounds`.
    ///
    /// # Errors
    ///
    /// One sentence, when they cannot be understood.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let n_rounds = std::env::var("SOAK_ROUNDS").map_or(Ok(20), |text| number(&text))?;
        let mut options =
            Self { n_rounds, minutes: 40, seed: None, only: String::new(), records: false, fuzzes: false };
        let mut arguments = arguments.iter();
        while let Some(&option) = arguments.next() {
            if option == "--record" {
                options.records = true;
                continue;
            }
            if option == "--fuzz" {
                options.fuzzes = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{option}` lacks its value"))?;
            match option {
                "--rounds" => options.n_rounds = number(value)?,
                "--minutes" => options.minutes = number(value)?,
                "--seed" => options.seed = Some(number(value)?),
                "--only" => options.only = (*value).to_owned(),
                _ => return Err(format!("`soak` has no option `{option}`")),
            }
        }
        Ok(options)
    }
}

/// Runs the rounds and prints the results.
///
/// # Errors
///
/// How many runs failed, or why there were none.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    start_watcher()?;
    let began = Instant::now();
    // The time for building the tests is a part of it.
    let deadline = began + Duration::from_secs(60 * options.minutes);
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let binaries = binary::build(&options.only)?;
    let n_tests: usize = binaries.iter().map(|binary| binary.tests.len()).sum();
    eprintln!("soak: {n_tests} tests in {} binaries, seed {seed}", binaries.len());

    let load = if options.fuzzes { Load::fuzzers()? } else { Load::start()? };
    let run = Mutex::new((Plan::new(&binaries, options.n_rounds, Random(seed)), Tally::default()));
    let work = || {
        while Instant::now() < deadline {
            // A statement of its own: the lock must not be held while the group runs.
            let next = locked(&run).0.next();
            let Some(group) = next else { break };
            let outcome = group::run(group.binary, &group.tests, group.n_threads);
            let (plan, tally) = &mut *locked(&run);
            if let Some(failure) = &outcome.failure {
                eprintln!("soak: failure in {group}:\n{failure}");
            }
            tally.add(&group, outcome);
            if plan.ended(group.round) {
                let (round, seconds) = (group.round + 1, began.elapsed().as_secs());
                eprintln!("soak: round {round} of {} ended after {seconds} s", options.n_rounds);
            }
        }
    };
    thread::scope(|scope| (0..N_WORKERS).for_each(|_| drop(scope.spawn(work))));
    let fuzzed = load.end();

    let (plan, tally) = run.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("\n{}\n\nslowest tests\n{}", tally.table(), tally.slowest(N_SLOWEST));
    let n_rounds = plan.n_rounds_ended();
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{n_rounds} of {} rounds beside {N_BUSY} busy processes in {minutes:.1} min, seed {seed}",
        options.n_rounds
    );
    let (n_runs, n_failures) = (tally.n_runs(), tally.n_failures());
    let (slowest, longest) = tally.longest().unwrap_or_default();
    println!("{n_runs} runs of {n_tests} tests, {n_failures} failures, longest {longest:.1} s ({slowest})");
    if options.records {
        let line = format!(
            "{seed},{n_rounds},{},{n_tests},{n_runs},{n_failures},{slowest},{longest:.1},{minutes:.1}",
            binaries.len()
        );
        record(&line)?;
    }
    match (n_failures, n_rounds) {
        (0, 0) => Err("not one round ended in time".to_owned()),
        (0, _) => fuzzed,
        _ => Err(format!("{n_failures} failures")),
    }
}

/// Adds a line to the record.
fn record(line: &str) -> Result<(), String> {
    let path = root().join(RECORD);
    let head = if path.exists() {
        ""
    } else {
        "date,commit,busy_processes,seed,rounds,binaries,tests,runs,failures,longest_test,longest_s,minutes\n"
    };
    let text = format!("{head}{},{},{N_BUSY},{line}\n", output("date", &["+%F"]), output("git", &COMMIT));
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| format!("{RECORD}: {error}"))
}

const COMMIT: [&str; 3] = ["rev-parse", "--short", "HEAD"];

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests;
