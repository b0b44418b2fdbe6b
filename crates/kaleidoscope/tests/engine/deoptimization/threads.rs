//! Redefinitions by other threads: a running loop sees each definition after the one before, and
//! sees the last one.

use super::{Host, define};
use kaleidoscope::{Engine, Mode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
#[cfg(feature = "llvm")]
use std::time::{Duration, Instant};

/// The definitions that each test makes.
const N_VERSIONS: u64 = 40;

/// Adds to an engine the host functions `seen(x)` and `stops()`. A program passes the values of `v`
/// to `seen`; they must not decrease. It runs until `stops` returns 1.
struct Reader {
    /// The value that was seen last.
    last: Arc<AtomicU64>,
    n_seen: Arc<AtomicU64>,
    stops: Arc<AtomicBool>,
}

impl Reader {
    fn new(engine: &Engine, suffix: usize) -> Self {
        let (last, n_seen, stops) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let (seen, count, stopped) = (Arc::clone(&last), Arc::clone(&n_seen), Arc::clone(&stops));
        let see = move |value: f64| {
            count.fetch_add(1, Ordering::Relaxed);
            let before = seen.swap(value as u64, Ordering::SeqCst);
            if before > value as u64 { Err(format!("{value} after {before}")) } else { Ok(0.0) }
        };
        engine.register(&format!("seen{suffix}"), see).unwrap();
        let stops_now = move || f64::from(stopped.load(Ordering::Relaxed));
        engine.register(&format!("stops{suffix}"), stops_now).unwrap();
        Self { last, n_seen, stops }
    }

    /// Waits until the program has seen many values.
    fn await_progress(&self) {
        let n_before = self.n_seen.load(Ordering::Relaxed);
        crate::until(|| self.n_seen.load(Ordering::Relaxed) > n_before + 2_000, thread::yield_now);
    }

    /// Waits until the program has seen this value.
    fn await_value(&self, value: u64) {
        crate::until(|| self.last.load(Ordering::SeqCst) >= value, thread::yield_now);
    }
}

/// Runs an expression on a thread of its own, while this one redefines `v`. `R` in the texts is the
/// number of the reader.
#[track_caller]
fn check_reader(definitions: &str, call: &str, n_readers: usize) {
    for mode in [Mode::Tiered, Mode::Lazy, Mode::Eager, Mode::Baseline, Mode::Off] {
        let host = Host::new(mode, |builder| builder);
        host.define("def binary: 1 (a b) b; def v() 0;");
        let readers: Vec<_> = (0..n_readers).map(|nth| Reader::new(&host.engine, nth)).collect();
        thread::scope(|scope| {
            let _stop = StopOnDrop(&readers);
            for nth in 0..n_readers {
                host.define(&definitions.replace('R', &nth.to_string()));
                let (engine, call) =
                    (host.engine.within(crate::PATIENCE), call.replace('R', &nth.to_string()));
                scope.spawn(move || {
                    let outcome = engine.run(&call);
                    assert!(outcome.diagnostics().next().is_none(), "{mode:?}: {:?}", outcome.items);
                });
            }
            for version in 1..=N_VERSIONS {
                host.define(&format!("def v() {version};"));
                // Wait for optimized code now and then.
                if version % 10 == 0 && mode == Mode::Tiered && cfg!(feature = "llvm") {
                    crate::until(|| host.log.has_optimized_other_than("v"), thread::yield_now);
                    readers.iter().for_each(Reader::await_progress);
                }
                readers.iter().for_each(|reader| reader.await_value(version));
            }
        });
        let is_tiered = mode == Mode::Tiered && cfg!(feature = "llvm");
        assert!(!is_tiered || host.log.n_left() > 0, "{call}: no code was left");
    }
}

/// Stops the readers, also in a panic.
struct StopOnDrop<'a>(&'a [Reader]);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|reader| reader.stops.store(true, Ordering::Relaxed));
    }
}

#[test]
fn a_loop_sees_the_definitions_in_order() {
    let call = "for i = 0, stopsR() < 1 in seenR(v());";
    check_reader("", call, 1);
    check_reader("", call, 2);
}

/// The inner loop calls nothing but what is inlined: it sees the change by its checks.
#[test]
fn a_counted_loop_sees_the_definitions_in_order() {
    let definitions = "def workR(n) var s = 0 in (for i = 0, i < n in s = s + v()) : seenR(v());
        def mainR(n) for i = 0, stopsR() < 1 in workR(n);";
    check_reader(definitions, "mainR(200);", 1);
}

#[test]
fn recursion_sees_the_definitions_in_order() {
    let definitions = "def recR(n) if n < 1 then seenR(v()) else recR(n - 1) + seenR(v()) + 0 * recR(n - 2);
        def mainR(n) for i = 0, stopsR() < 1 in recR(n);";
    check_reader(definitions, "mainR(8);", 2);
}

#[test]
fn tail_calls_see_the_definitions_in_order() {
    check_reader("def tailR(n) if stopsR() < 1 then tailR(n + seenR(v())) else n;", "tailR(1);", 1);
}

/// An endless loop without any call ends when the function that it inlined is redefined, however
/// its condition is computed.
#[test]
fn a_loop_without_calls_sees_the_definition() {
    for mode in [Mode::Tiered, Mode::Lazy, Mode::Eager, Mode::Baseline, Mode::Off] {
        for body in [
            "for i = 0, v() < 1 in i",
            "var s = 0 in for i = 0, v() < 1 in s = s + i * v()",
            "for i = 0, v() < 1 in for j = 0, j < 100 in i + j",
            "for i = 0, fabs(v()) < 1 + 0 * i in 0",
        ] {
            let host = Host::new(mode, |builder| builder);
            let text = format!("def v() 0; def f(n) ({body}) + n;");
            host.define(&text);
            let f = host.engine.function::<(f64,)>("f").unwrap().within(crate::PATIENCE);
            let running = thread::spawn(move || f.call((1.0,)));
            if mode == Mode::Tiered && cfg!(feature = "llvm") {
                crate::until(|| host.log.has_osr("#0"), thread::yield_now);
            }
            host.define("def v() 2;");
            assert_eq!(running.join().unwrap().unwrap(), 1.0, "{mode:?}: {body}");
        }
    }
}

/// The same with maths functions, which are instructions in optimized and in baseline code.
#[test]
fn a_loop_sees_the_definition_of_a_maths_function() {
    for mode in [Mode::Tiered, Mode::Lazy, Mode::Eager, Mode::Baseline, Mode::Off] {
        for (call, definition) in [
            ("sqrt(1)", "def sqrt(x) 3;"),
            ("floor(1.5)", "def floor(x) 3;"),
            ("sin(0) + 1", "def sin(x) 3;"),
            ("fmod(5, 4)", "def fmod(x y) 3;"),
        ] {
            for argument in ["", " + 0 * i"] {
                let host = Host::new(mode, |builder| builder);
                let call = call.replace(')', &format!("{argument})"));
                host.define(&format!("def f(n) (for i = 0, {call} < 2 in 0) + n;"));
                let f = host.engine.function::<(f64,)>("f").unwrap().within(crate::PATIENCE);
                let running = thread::spawn(move || f.call((1.0,)));
                if mode == Mode::Tiered && cfg!(feature = "llvm") {
                    crate::until(|| host.log.has_osr("#0"), thread::yield_now);
                }
                define(&host.engine, definition);
                assert_eq!(running.join().unwrap().unwrap(), 1.0, "{mode:?}: {call}");
            }
        }
    }
}

/// Two engines with the same program: each is changed by its own definitions only.
#[test]
fn engines_are_changed_independently() {
    let hosts = [Mode::Tiered, Mode::Tiered].map(|mode| Host::new(mode, |builder| builder));
    let readers = hosts.each_ref().map(|host| Reader::new(&host.engine, 0));
    thread::scope(|scope| {
        let _stop = StopOnDrop(&readers);
        for host in &hosts {
            host.define("def v() 0;");
            let engine = host.engine.within(crate::PATIENCE);
            scope.spawn(move || {
                let outcome = engine.run("for i = 0, stops0() < 1 in seen0(v());");
                assert!(outcome.diagnostics().next().is_none(), "{:?}", outcome.items);
            });
        }
        for version in 1..=N_VERSIONS {
            let (nth, other) = (version as usize % 2, (version as usize + 1) % 2);
            hosts[nth].define(&format!("def v() {version};"));
            readers[nth].await_value(version);
            assert!(readers[other].last.load(Ordering::SeqCst) < version);
        }
    });
}

/// Loops of many kinds, each left at many places. The redefinitions change no meaning, so the value
/// depends on nothing but the state that the exits pass on.
#[test]
#[cfg(feature = "llvm")]
fn the_place_where_code_is_left_does_not_matter() {
    const N_LEFT: usize = 8;
    const EACH: Duration = Duration::from_secs(2);
    let mut n_left = 0;
    for body in [
        "(for i = 0, i < n in s = s + v(i)) : s",
        "(for i = n, 0 < i, 0 - 1 in s = s / 3 + v(i)) : s",
        "(for i = 0, i < n, 0.75 in s = s + v(i) : t = t - s / 2) : s * 3 + t",
        "(for i = 1, i < n in s = s + (if i < n / 2 then v(i) else t = v(t) + 1)) : s + t",
        "(for i = 1, i < n / 300 in (t = t + v(i)) : (for j = 0, j < 300 in s = s + v(j) * t) : t = t - s / i) : s + t",
        "(for i = 1, i < 40 in for j = 0, j < 40 in for k = 0, k < n / 30000 in s = s + v(k) * (i - j)) : s",
        "(for i = 0, i < n in (i = i + v(1) / 2) : s = s + i * v(t) : t = s / 7) : s + t",
        "1 + 2 * (s = 5 + n * (for i = 0, i < n in t = t + v(i)) + t / w(n)) - s",
        "(for i = 0, w(i) < w(n) in s = s + w(s) / 2) : s",
        "(for i = 0, i < n / 20 in s = s + w(i) + tail(20, i)) : s + tail(n, s)",
        "(for i = 0, i < 20 in s = s + fib(18) * v(i)) : s",
        "(for i = 0, sqrt(i) * v(1) < sqrt(n) in s = s + floor(v(i) / 3) + fmod(i, 8) + sin(i)) : s",
    ] {
        let definitions = format!(
            "def binary: 1 (a b) b; def v(x) x; def w(x) (var a = v(x) in a * 2 + v(a));
            def tail(n s) if n < 1 then s else tail(n - 1, s / 2 + v(n));
            def fib(n) if n < 2 then v(n) else fib(n - 1) + fib(n - 2);
            def f(n) var s = 1, t = 2 in {body};"
        );
        const CALL: &str = "f(1000000);";
        let reference = Host::new(Mode::Baseline, |builder| builder);
        reference.define(&definitions);
        let expected = reference.result(CALL);
        let host = Host::new(Mode::Tiered, |builder| builder);
        host.define(&definitions);
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let caller = || {
                while !is_done.load(Ordering::Relaxed) {
                    assert_eq!(host.result(CALL), expected, "{body}");
                }
            };
            let caller = scope.spawn(caller);
            let _done = crate::SetWhenDropped(&is_done);
            let mut n_rounds = 0;
            let began = Instant::now();
            while host.log.n_left() < N_LEFT && !caller.is_finished() && began.elapsed() < EACH {
                host.define("def v(x) x;");
                let is_ready = || host.log.has_optimized_other_than("v") || caller.is_finished();
                crate::until(is_ready, thread::yield_now);
                // Another place each time.
                n_rounds += 1;
                (0..n_rounds * 7919 % 60_000).for_each(|_| std::hint::spin_loop());
            }
        });
        n_left += host.log.n_left();
    }
    assert!(n_left > 0, "no code was left");
}
