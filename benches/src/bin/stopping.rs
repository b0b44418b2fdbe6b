//! How soon does a program end that is told to?
//!
//! Loops that spend nearly all their time in functions that generated code calls, `sin` and `putchard`, and one that calls
//! nothing, are stopped 200 times each in every mode: by another thread, from the request to the end of the evaluation, and by a
//! limit of time, from when it is over. Says the median and the longest. Goal: 100 ms at the most. Beside it, how late a thread
//! is that does nothing but look at the clock until the limit is over: that much is the machine's.

use kaleidoscope::{Builder, DiagnosticCode, Engine, Mode, Output};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{median, millis};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const N_REQUESTS: u64 = 200;

const LOOPS: [(&str, &str); 3] = [
    ("sin", "def endless(x) printd(x) + (for i = 0, 1 in x = sin(x + i));"),
    ("putchard", "def endless(x) for i = 0, 1 in putchard(46);"),
    ("nothing", "def endless(x) printd(x) + (for i = 0, 1 in 0);"),
];

/// How long a program may run that is stopped by its limit, compiling the call included.
const LIMIT: Duration = Duration::from_millis(20);

/// Says that the program has begun; there is room for one message. What the program writes is dropped.
struct Begun(SyncSender<()>);

impl Output for Begun {
    fn write(&self, _: &str) -> io::Result<()> {
        let _ = self.0.try_send(());
        Ok(())
    }
}

fn main() {
    let mut lines = Vec::new();
    println!("milliseconds from the request to the end, {N_REQUESTS} requests each");
    let mut say = |mode: &str, name: &str, way: &str, delays: &[Duration]| {
        let middle = millis(median(delays.iter().copied()));
        let longest = millis(delays.iter().copied().max().expect("there are some"));
        println!("  {mode:<6} in {name:<9} by {way:<8} median {middle:>7}   longest {longest:>7}");
        lines.push(format!("{mode},{name},{way},{middle},{longest}"));
    };
    for &mode in Mode::ALL {
        for (name, definition) in LOOPS {
            say(mode.name(), name, "request", &by_requests(mode, definition));
            say(mode.name(), name, "limit", &by_limits(mode, definition));
        }
        say("-", "nothing", "clock", &by_the_clock());
    }
    record::add("stopping", "mode,loop,way,median_ms,longest_ms", &lines);
}

/// Another thread asks, at different times after the program has begun.
fn by_requests(mode: Mode, definition: &str) -> Vec<Duration> {
    let (mut begun, engine) = engine(Engine::builder().mode(mode), definition);
    let interrupter = engine.interrupter();
    let mut delay = |n: u64| {
        // Of the one before.
        while begun.try_recv().is_ok() {}
        thread::scope(|scope| {
            let (begun, interrupter) = (&mut begun, &interrupter);
            let asking = scope.spawn(move || {
                begun.recv().expect("the program begins");
                let at = Instant::now() + Duration::from_micros(n * 7919 % 2_000);
                while Instant::now() < at {}
                let asked = Instant::now();
                interrupter.interrupt();
                asked
            });
            let ended = end_of(&engine, DiagnosticCode::Interrupted);
            ended.duration_since(asking.join().expect("asking does not fail"))
        })
    };
    // The first compiles.
    (0..=N_REQUESTS).map(&mut delay).skip(1).collect()
}

/// The evaluation has a limit.
fn by_limits(mode: Mode, definition: &str) -> Vec<Duration> {
    let (_begun, engine) = engine(Engine::builder().mode(mode).time_limit(LIMIT), definition);
    let delay = |_| {
        let began = Instant::now();
        end_of(&engine, DiagnosticCode::TimedOut).duration_since(began).saturating_sub(LIMIT)
    };
    (0..=N_REQUESTS).map(delay).skip(1).collect()
}

/// No evaluation at all.
fn by_the_clock() -> Vec<Duration> {
    let delay = |_| {
        let began = Instant::now();
        while began.elapsed() < LIMIT {}
        began.elapsed().saturating_sub(LIMIT)
    };
    (0..N_REQUESTS).map(delay).collect()
}

fn engine(builder: Builder, definition: &str) -> (Receiver<()>, Engine) {
    let (sender, begun) = sync_channel(1);
    let engine = builder.output(Begun(sender)).build().expect("an engine can be made");
    engine.run(definition);
    (begun, engine)
}

/// When the endless program has ended, in this way.
fn end_of(engine: &Engine, code: DiagnosticCode) -> Instant {
    let outcome = engine.run("endless(1);");
    let ended = Instant::now();
    let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [code], "{:?}", outcome.items);
    ended
}
