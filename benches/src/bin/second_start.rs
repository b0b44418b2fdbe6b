//! How much sooner is a program optimized that ran before?
//!
//! Runs the mixed program of 300 functions in processes of its own, each with a code cache: in an
//! empty folder, and again in the same folder. Measures the time from the creation of the engine
//! until every function has optimized code that gets any in the first run. Prints the medians and
//! their ratio.
//!
//! `--rounds N` changes the number of rounds from 7, `--scale X` the size of the program from 64.

use kaleidoscope::{CodeCache, Engine, Event, Observer, OutputBuffer, Tier};
use kaleidoscope_benches::generate::{self, Language};
use kaleidoscope_benches::peer::target_dir;
use kaleidoscope_benches::timing::median;
use kaleidoscope_benches::{arguments, record};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs};

fn main() {
    if let Some(file) = arguments::option("--file") {
        let folder = arguments::option("--folder").expect("a run has a folder");
        return run_alone(Path::new(&file), Path::new(&folder));
    }
    let n_rounds = arguments::number("--rounds").unwrap_or(7);
    let scale = arguments::number("--scale").unwrap_or(64.0);
    let generated = target_dir().join("peers/generated");
    fs::create_dir_all(&generated).expect("the target folder can be written");
    let file = generated.join("second-start.kal");
    fs::write(&file, generate::mixed(Language::Kaleidoscope, scale)).expect("the file can be written");
    let (mut firsts, mut seconds, mut n_hot) = (Vec::new(), Vec::new(), 0);
    for round in 0..n_rounds {
        let folder = target_dir().join(format!("second-start-{}-{round}", std::process::id()));
        let first = run(&file, &folder);
        let second = run(&file, &folder);
        drop(fs::remove_dir_all(&folder));
        let until = |times: &BTreeMap<String, Duration>| {
            let times = first.keys().map(|name| times.get(name).copied().unwrap_or(Duration::MAX));
            times.max().expect("some function is hot")
        };
        n_hot = first.len();
        firsts.push(until(&first));
        seconds.push(until(&second));
    }
    let millis = |times: Vec<Duration>| median(times.into_iter()).as_secs_f64() * 1e3;
    let (first, second) = (millis(firsts), millis(seconds));
    println!(
        "{n_hot} hot functions; first start {first:.2} ms, second {second:.2} ms: {:.3}",
        second / first
    );
    let line = format!("mixed,{n_rounds},{n_hot},{first:.3},{second:.3},{:.3}", second / first);
    record::add("second_start", "program,rounds,hot_functions,first_ms,second_ms,ratio", &[line]);
}

/// The time until each function had optimized code, in a process of its own.
fn run(file: &Path, folder: &Path) -> BTreeMap<String, Duration> {
    let this = env::current_exe().expect("the system says what runs");
    let output = Command::new(this).arg("--file").arg(file).arg("--folder").arg(folder).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the output is text");
    let parse = |line: &str| {
        let (name, time) = line.split_once(' ')?;
        Some((name.to_owned(), Duration::from_micros(time.parse().ok()?)))
    };
    text.lines().filter_map(parse).collect()
}

/// When each function got optimized code.
struct Times {
    began: Instant,
    times: Mutex<BTreeMap<String, Duration>>,
}

impl Observer for Times {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { code, tier: Tier::Optimized, osr_loop: None, .. } = event {
            let mut times = self.times.lock().expect("observing does not panic");
            times.entry(code.name.to_string()).or_insert_with(|| self.began.elapsed());
        }
    }
}

/// Runs the file, and prints the times.
fn run_alone(file: &Path, folder: &Path) {
    let text = fs::read_to_string(file).expect("the file was written");
    let times = Arc::new(Times { began: Instant::now(), times: Mutex::default() });
    let cache = CodeCache::open(PathBuf::from(folder)).expect("the folder belongs to this user");
    let builder = Engine::builder().cache(cache).observer(Arc::clone(&times)).output(OutputBuffer::default());
    let engine = builder.build().expect("there is memory for an engine");
    engine.run(&text).ok().expect("the program has no error");
    for (name, time) in &*times.times.lock().expect("observing does not panic") {
        println!("{name} {}", time.as_micros());
    }
}
