//! `./check soak`: runs every test binary many times beside busy processes, to find tests whose
//! result depends on time or on the scheduler.
//!
//! A round runs all tests once. It shuffles the binaries and the tests of each, runs the tests in
//! groups of up to [`GROUP`], and varies how many run at once. The seed is printed and gives the
//! same order again. A failure is a failing test, a test that takes more than [`LONGEST`], or a
//! process that does not end. The run ends after the rounds, or when its time is over.
//!
//! [`binary`] builds and lists the tests, [`group`] runs some of them.

mod binary;
mod group;
mod load;

pub(crate) use load::busy;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::check::start_watcher;
use crate::steps::root;
use binary::Binary;
use load::{Load, N_BUSY};

/// How many tests one process runs at most.
const GROUP: usize = 12;

/// The longest time that a test may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Tests that run at once in the processes of a round.
const N_THREADS: &[usize] = &[2, 1, 8];

const RECORD: &str = "benches/record/soak.csv";

/// How much, and from which seed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    n_rounds: u64,
    minutes: u64,
    seed: Option<u64>,
    /// Only binaries whose name contains it.
    only: String,
    records: bool,
}

impl Options {
    /// Reads the options of `./check soak`. `SOAK_ROUNDS` is the default of `--rounds`.
    ///
    /// # Errors
    ///
    /// One sentence, when they cannot be understood.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a whole number"));
        let n_rounds = std::env::var("SOAK_ROUNDS").map_or(Ok(20), |text| number(&text))?;
        let mut options = Self { n_rounds, minutes: 45, seed: None, only: String::new(), records: false };
        let mut arguments = arguments.iter();
        while let Some(&option) = arguments.next() {
            if option == "--record" {
                options.records = true;
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

/// What is known of a binary after some rounds.
#[derive(Debug, Default)]
struct Tally {
    n_tests: usize,
    n_runs: usize,
    slowest: Option<(String, Duration)>,
    failures: Vec<String>,
}

/// Runs the rounds and prints a table.
///
/// # Errors
///
/// How many runs failed, or why there were none.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    start_watcher()?;
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let binaries = binary::build(&options.only)?;
    let n_tests: usize = binaries.iter().map(|binary| binary.tests.len()).sum();
    eprintln!("soak: {n_tests} tests in {} binaries, seed {seed}", binaries.len());

    let load = Load::start()?;
    let began = Instant::now();
    let deadline = began + Duration::from_secs(60 * options.minutes);
    let mut random = Random(seed);
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut n_rounds = 0;
    while n_rounds < options.n_rounds && run_round(&binaries, n_rounds, deadline, &mut random, &mut tallies) {
        n_rounds += 1;
        eprintln!("soak: round {n_rounds} of {} after {} s", options.n_rounds, began.elapsed().as_secs());
    }
    drop(load);

    println!("\n{}", table(&tallies));
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{n_rounds} of {} rounds beside {N_BUSY} busy processes in {minutes:.1} min, seed {seed}",
        options.n_rounds
    );
    let n_failures: usize = tallies.values().map(|tally| tally.failures.len()).sum();
    let n_runs: usize = tallies.values().map(|tally| tally.n_runs).sum();
    let slowest = tallies.values().filter_map(|tally| tally.slowest.as_ref()).max_by_key(|(_, time)| *time);
    let (slowest, longest) = slowest.map_or(("", 0.0), |(name, time)| (name.as_str(), time.as_secs_f64()));
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
        (0, _) => Ok(()),
        _ => Err(format!("{n_failures} runs failed")),
    }
}

/// Runs every test once. False when the time was over before.
fn run_round<'a>(
    binaries: &'a [Binary],
    round: u64,
    deadline: Instant,
    random: &mut Random,
    tallies: &mut BTreeMap<&'a str, Tally>,
) -> bool {
    let mut groups: Vec<(&Binary, Vec<&str>)> = Vec::new();
    for binary in binaries {
        let mut tests: Vec<&str> = binary.tests.iter().map(String::as_str).collect();
        random.shuffle(&mut tests);
        groups.extend(tests.chunks(GROUP).map(|group| (binary, group.to_vec())));
    }
    random.shuffle(&mut groups);
    for (idx, (binary, tests)) in groups.iter().enumerate() {
        if Instant::now() >= deadline {
            return false;
        }
        let n_threads = N_THREADS[(idx + usize::try_from(round).unwrap_or_default()) % N_THREADS.len()];
        let result = group::run(binary, tests, n_threads);
        let tally = tallies.entry(&binary.name).or_default();
        tally.n_tests = binary.tests.len();
        tally.n_runs += tests.len();
        for (test, time) in result.times {
            if time > LONGEST {
                tally.failures.push(format!("{test} took {:.1} s", time.as_secs_f64()));
            }
            if tally.slowest.as_ref().is_none_or(|(_, longest)| time > *longest) {
                tally.slowest = Some((test, time));
            }
        }
        if let Some(failure) = result.failure {
            eprintln!("soak: {} with {n_threads} threads, {}:\n{failure}", binary.name, tests.join(" "));
            tally.failures.push(failure.lines().next().unwrap_or_default().to_owned());
        }
    }
    true
}

/// A line for each binary, and its failures below.
fn table(tallies: &BTreeMap<&str, Tally>) -> String {
    let name = tallies.keys().map(|name| name.len()).max().unwrap_or_default().max(6);
    let mut text = format!("{:name$}  tests    runs  failures  longest\n", "binary");
    for (binary, tally) in tallies {
        let (slowest, time) =
            tally.slowest.as_ref().map_or(("", 0.0), |(test, time)| (test, time.as_secs_f64()));
        let (n_tests, n_runs, n_failures) = (tally.n_tests, tally.n_runs, tally.failures.len());
        let _ = writeln!(
            text,
            "{binary:name$}  {n_tests:>5}  {n_runs:>6}  {n_failures:>8}  {time:>5.1} s  {slowest}"
        );
        for failure in &tally.failures {
            let _ = writeln!(text, "    {failure}");
        }
    }
    text
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

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any order is about as likely as another (Fisher and Yates).
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for idx in (1..items.len()).rev() {
            let other = self.next() % (idx as u64 + 1);
            items.swap(idx, usize::try_from(other).expect("smaller than a length"));
        }
    }
}

#[cfg(test)]
mod tests;
