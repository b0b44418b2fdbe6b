//! How soon does a program end after an interrupt or its time limit?
//!
//! Three endless loops are stopped 200 times each in every mode. Two spend nearly all their time
//! in functions that generated code calls, `sin` and `putchard`; one calls nothing. Another thread
//! interrupts them, or their time limit ends. Prints the median and the longest delay until the
//! evaluation ends. Goal: at most 100 ms. For comparison, prints the delay of a thread that only
//! reads the clock until the limit: that part is due to the machine.

use kaleidoscope::{Builder, DiagnosticCode, Engine, Mode, Output};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{median, millis};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const N_STOPS: u64 = 200;

const LOOPS: [(&str, &str); 3] = [
    ("sin", "def endless(x) printd(x) + (for i = 0, 1 in x = sin(x + i));"),
    ("putchard", "def endless(x) for i = 0, 1 in putchard(46);"),
    ("nothing", "def endless(x) printd(x) + (for i = 0, 1 in 0);"),
];

/// Time limit of a program, including the compilation of the call.
const LIMIT: Duration = Duration::from_millis(20);

/// Output that sends a message when the program has begun. The channel holds one message.
struct BeginSignal(SyncSender<()>);

impl Output for BeginSignal {
    fn write(&self, _: &str) -> io::Result<()> {
        let _ = self.0.try_send(());
        Ok(())
    }
}

fn main() {
    let mut lines = Vec::new();
    println!("milliseconds from the interrupt or limit to the end, {N_STOPS} stops each");
    let mut report = |mode: &str, name: &str, way: &str, delays: &[Duration]| {
        let middle = millis(median(delays.iter().copied()));
        let longest = millis(delays.iter().copied().max().expect("there are some"));
        println!("  {mode:<6} in {name:<9} by {way:<9} median {middle:>7}   longest {longest:>7}");
        lines.push(format!("{mode},{name},{way},{middle},{longest}"));
    };
    for &mode in Mode::ALL {
        for (name, definition) in LOOPS {
            report(mode.name(), name, "interrupt", &by_interrupts(mode, definition));
            report(mode.name(), name, "limit", &by_limits(mode, definition));
        }
        report("-", "nothing", "clock", &by_the_clock());
    }
    record::add("stopping", "mode,loop,way,median_ms,longest_ms", &lines);
}

/// Another thread interrupts the program, at different times after its begin.
fn by_interrupts(mode: Mode, definition: &str) -> Vec<Duration> {
    let (mut begun, engine) = engine(Engine::builder().mode(mode), definition);
    let interrupter = engine.interrupter();
    let mut delay = |n: u64| {
        // The message of the previous program.
        while begun.try_recv().is_ok() {}
        thread::scope(|scope| {
            let (begun, interrupter) = (&mut begun, &interrupter);
            let interrupting = scope.spawn(move || {
                begun.recv().expect("the program begins");
                let at = Instant::now() + Duration::from_micros(n * 7919 % 2_000);
                while Instant::now() < at {}
                let interrupted = Instant::now();
                interrupter.interrupt();
                interrupted
            });
            let ended = end_of(&engine, DiagnosticCode::Interrupted);
            ended.duration_since(interrupting.join().expect("an interrupt does not fail"))
        })
    };
    // The first stop includes compiling.
    (0..=N_STOPS).map(&mut delay).skip(1).collect()
}

/// The evaluation has a time limit.
fn by_limits(mode: Mode, definition: &str) -> Vec<Duration> {
    let (_begun, engine) = engine(Engine::builder().mode(mode).time_limit(LIMIT), definition);
    let delay = |_| {
        let began = Instant::now();
        end_of(&engine, DiagnosticCode::TimedOut).duration_since(began).saturating_sub(LIMIT)
    };
    (0..=N_STOPS).map(delay).skip(1).collect()
}

/// Delays without any evaluation.
fn by_the_clock() -> Vec<Duration> {
    let delay = |_| {
        let began = Instant::now();
        while began.elapsed() < LIMIT {}
        began.elapsed().saturating_sub(LIMIT)
    };
    (0..N_STOPS).map(delay).collect()
}

fn engine(builder: Builder, definition: &str) -> (Receiver<()>, Engine) {
    let (sender, begun) = sync_channel(1);
    let engine = builder.output(BeginSignal(sender)).build().expect("an engine can be made");
    engine.run(definition).ok().expect("the text is correct");
    (begun, engine)
}

/// Returns when the endless program ended. Checks its diagnostic.
fn end_of(engine: &Engine, code: DiagnosticCode) -> Instant {
    let outcome = engine.run("endless(1);");
    let ended = Instant::now();
    let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [code], "{:?}", outcome.items);
    ended
}
