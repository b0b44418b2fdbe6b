//! How much sooner is a program optimized that ran before?
//!
//! Defines the mixed program of 300 functions and calls its 30 loops in turn, each with a thousand
//! iterations, until all of them have optimized code. Processes of their own do that with a code
//! cache: in an empty folder, and again in the same folder. The time begins before the engine is
//! created. Prints the medians and their ratio.
//!
//! `--rounds N` changes the number of rounds from 7.

use kaleidoscope::{CodeCache, Engine, Event, Observer, OutputBuffer, Tier};
use kaleidoscope_benches::generate::{self, Language};
use kaleidoscope_benches::peer::target_dir;
use kaleidoscope_benches::timing::median;
use kaleidoscope_benches::{arguments, record};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The loops of the program.
const N_LOOPS: usize = 30;

/// A size at which the program itself takes a few milliseconds.
const SCALE: f64 = 0.03;

fn main() {
    if let Some(folder) = arguments::option("--folder") {
        return run_alone(Path::new(&folder));
    }
    let n_rounds = arguments::number("--rounds").unwrap_or(7);
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..n_rounds {
        let folder = target_dir().join(format!("second-start-{}-{round}", std::process::id()));
        for times in &mut times {
            times.push(run(&folder));
        }
        drop(fs::remove_dir_all(&folder));
    }
    let [first, second] = times.map(|times| median(times.into_iter()).as_secs_f64() * 1e3);
    println!("first start {first:.2} ms, second {second:.2} ms: {:.3}", second / first);
    let line = format!("mixed,{n_rounds},{first:.3},{second:.3},{:.3}", second / first);
    record::add("second_start", "program,rounds,first_ms,second_ms,ratio", &[line]);
}

/// The time until all loops are optimized, in a process of its own.
fn run(folder: &Path) -> Duration {
    let this = env::current_exe().expect("the system says what runs");
    let output = Command::new(this).arg("--folder").arg(folder).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the output is text");
    Duration::from_micros(text.trim().parse().expect("the output is a number"))
}

/// The functions with optimized code, of the whole function or of its loop.
#[derive(Default)]
struct Optimized(Mutex<BTreeSet<Arc<str>>>);

impl Observer for Optimized {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { code, tier: Tier::Optimized, .. } = event {
            self.0.lock().expect("observing does not panic").insert(Arc::clone(&code.name));
        }
    }
}

/// Runs the program until all loops are optimized, and prints the microseconds.
fn run_alone(folder: &Path) {
    let text = generate::mixed(Language::Kaleidoscope, SCALE);
    let optimized = Arc::new(Optimized::default());
    let began = Instant::now();
    let cache = CodeCache::open(folder).expect("the folder belongs to this user");
    let builder = Engine::builder().cache(cache).observer(Arc::clone(&optimized));
    let engine = builder.output(OutputBuffer::default()).build().expect("there is memory for an engine");
    engine.run(&text).ok().expect("the program has no error");
    let names: Vec<String> = (0..N_LOOPS).map(|group| format!("loop{group}")).collect();
    let handle = |name: &String| engine.function::<(f64,)>(name).expect("the program defines the loop");
    let loops: Vec<_> = names.iter().map(handle).collect();
    let are_optimized = || {
        let optimized = optimized.0.lock().expect("observing does not panic");
        names.iter().all(|name| optimized.contains(name.as_str()))
    };
    while !are_optimized() {
        for function in &loops {
            function.call((1000.0,)).expect("the loop ends");
        }
    }
    println!("{}", began.elapsed().as_micros());
}
