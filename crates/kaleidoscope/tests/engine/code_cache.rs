//! The code cache: a second engine links what the first one compiled, and nothing else changes.

use crate::{PATIENCE, check, until};
use kaleidoscope::{
    Array, CodeCache, Engine, Mode, Optimization, OutputBuffer, Statistics, Thresholds, Tier, Variable,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// One start of a program with a cache.
struct Start {
    engine: Engine,
    cache: CodeCache,
    statistics: Statistics,
}

impl Start {
    fn new(folder: &Path, mode: Mode) -> Self {
        Self::with(folder, |builder| builder.mode(mode))
    }

    fn with(folder: &Path, settings: impl FnOnce(kaleidoscope::Builder) -> kaleidoscope::Builder) -> Self {
        let cache = CodeCache::open(folder).unwrap();
        let statistics = Statistics::new();
        let builder = Engine::builder().cache(cache.clone()).observer(statistics.clone());
        let engine = settings(builder.output(OutputBuffer::default())).build().unwrap();
        Self { engine, cache, statistics }
    }

    /// How many units were found, and how many were compiled. Nothing else started LLVM's passes.
    #[track_caller]
    fn found_and_compiled(&self) -> (u64, u64) {
        let totals = self.cache.totals();
        let times = self.statistics.totals().compile;
        let is_compiled = !(times.ir + times.optimize + times.codegen).is_zero();
        assert_eq!(is_compiled, totals.missing > 0, "{times:?} {totals:?}");
        (totals.found, totals.missing)
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Calls through slots, recursion, inlining, loops, tail calls, maths functions and constants.
const PROGRAM: &str = "
    def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);
    def square(x) x * x;
    def sum(n) var s = 0 in (for i = 0, i < n in s = s + square(i) + sin(i) + cos(2)) + s;
    def last(n x) if n < 1 then x else last(n - 1, x * 0.5 + n);
    extern later(x);
    def late(x) later(x) + 1;
    def later(x) pow(x, 3) - fmod(x, 8);
";

const CALLS: &str = "fib(15); sum(100); last(50, 1); late(5.5);";

#[test]
fn a_second_start_compiles_nothing() {
    for mode in [Mode::Lazy, Mode::Eager] {
        let folder = folder();
        let oracle = crate::engine(Mode::Off);
        let expected: Vec<f64> = oracle.run(&format!("{PROGRAM}{CALLS}")).values().collect();
        let first = Start::new(folder.path(), mode);
        check(&first.engine, &format!("{PROGRAM}{CALLS}"), &expected, &[]);
        let (found, compiled) = first.found_and_compiled();
        assert!(compiled >= 6, "{mode:?}");
        let second = Start::new(folder.path(), mode);
        check(&second.engine, &format!("{PROGRAM}{CALLS}"), &expected, &[]);
        assert_eq!(second.found_and_compiled(), (found + compiled, 0), "{mode:?}");
        assert_eq!(second.cache.totals().written, 0);
    }
}

const HOT: Thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };

#[test]
fn functions_loops_and_kernels_are_found() {
    let folder = folder();
    for is_second in [false, true] {
        let start = Start::with(folder.path(), |builder| builder.thresholds(HOT).compile_threads(1));
        let compiled = |tier, osr_loop: Option<usize>| {
            let totals = start.statistics.totals();
            totals.compiled.iter().any(|compiled| compiled.tier == tier && compiled.osr_loop == osr_loop)
        };
        let f = "def add(x) x + 0.5; def f(x) add(x) * 2; def g(n) for i = 0, i < n in add(i);";
        check(&start.engine, f, &[], &[]);
        let f = start.engine.function::<(f64,)>("f").unwrap();
        until(|| compiled(Tier::Optimized, None), || assert_eq!(f.call((2.0,)).unwrap(), 5.0));
        check(&start.engine, "def spin(n) var s = 0 in (for i = 0, i < n in s = s + i) + s;", &[], &[]);
        let spin = start.engine.function::<(f64,)>("spin").unwrap();
        until(
            || compiled(Tier::Optimized, Some(0)),
            || {
                assert_eq!(spin.call((1000.0,)).unwrap(), 500_500.0);
            },
        );
        let xs: Vec<f64> = (0..5000).map(f64::from).collect();
        let mut out = vec![0.0; xs.len()];
        until(
            || compiled(Tier::Kernel, None),
            || {
                f.map(&[&xs], &mut out).unwrap();
                assert!(xs.iter().zip(&out).all(|(x, y)| (x + 0.5) * 2.0 == *y));
            },
        );
        // What tiers up meanwhile depends on the time, so the second start may compile more.
        let (found, compiled) = (start.cache.totals().found, start.cache.totals().missing);
        assert!(if is_second { found >= 3 } else { compiled >= 3 }, "{found} {compiled}");
    }
}

/// What was hot in the first start tiers up at once in the second, and is found.
#[test]
fn hot_code_of_an_earlier_start_tiers_up_at_once() {
    let folder = folder();
    let text = "def add(x) x + 0.5; def f(n) (for i = 0, i < n in add(i)) + add(n);
        def spin(n) var s = 0 in (for i = 0, i < n in s = s + i) + s;";
    let never = Thresholds { calls: u32::MAX, back_edges: u32::MAX, delay: Duration::MAX };
    for (thresholds, is_second) in [(HOT, false), (never, true)] {
        let start = Start::with(folder.path(), |builder| builder.thresholds(thresholds).compile_threads(1));
        check(&start.engine, text, &[], &[]);
        let is_optimized = |name: &str| {
            let compiled = start.statistics.totals().compiled;
            compiled.iter().any(|code| code.tier == Tier::Optimized && &*code.code.name == name)
        };
        for name in ["f", "spin"] {
            let function = start.engine.function::<(f64,)>(name).unwrap();
            let expected = if name == "f" { 100.5 } else { 5050.0 };
            until(|| is_optimized(name), || assert_eq!(function.call((100.0,)).unwrap(), expected));
        }
        if is_second {
            assert_eq!(start.found_and_compiled().1, 0);
        }
    }
    // Another level, whose code the cache does not have: counters decide.
    let start = Start::with(folder.path(), |builder| {
        builder.thresholds(never).compile_threads(1).optimization(Optimization::Less)
    });
    check(
        &start.engine,
        &format!("{text} f(100); f(100); spin(100); spin(100);"),
        &[100.5, 100.5, 5050.0, 5050.0],
        &[],
    );
    assert!(start.statistics.totals().optimized.is_empty());
    assert_eq!(start.found_and_compiled(), (0, 0));
    // Another definition of what is inlined: counters decide.
    let start = Start::with(folder.path(), |builder| builder.thresholds(never).compile_threads(1));
    check(&start.engine, text, &[], &[]);
    check(&start.engine, "def add(x) x + 1; f(100); f(100);", &[101.0, 101.0], &[]);
    assert!(start.statistics.totals().optimized.is_empty());
    assert_eq!(start.found_and_compiled(), (0, 0));
}

/// Code of one engine works with the slots, host variables, arrays and flags of another.
#[test]
fn code_refers_to_its_own_engine() {
    let folder = folder();
    let mut starts = Vec::new();
    for nth in 0..3 {
        let (t, u) = (Variable::new(f64::from(nth)), Array::from_slice(&[1.0, f64::from(nth), 3.0]));
        let start =
            Start::with(folder.path(), |builder| builder.mode(Mode::Lazy).bind("t", &t).bind_array("u", &u));
        let text = "def g(i) u(i) + t; def f(i) t = t + 10; def h(i) g(i) + g(i + 1);";
        check(&start.engine, text, &[], &[]);
        starts.push((start, t, u));
    }
    let mut message = None;
    for (nth, (start, t, u)) in starts.iter().enumerate() {
        let nth = nth as f64;
        check(&start.engine, "f(0); h(0);", &[nth + 10.0, 1.0 + nth + 2.0 * (nth + 10.0)], &[]);
        assert_eq!(t.get(), nth + 10.0);
        u.set(0, 100.0);
        check(&start.engine, "h(0);", &[100.0 + nth + 2.0 * (nth + 10.0)], &[]);
        // The place of an index that means no element, in a function that is inlined.
        let outcome = start.engine.run("h(2);");
        let messages: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.message.clone()).collect();
        assert!(
            messages.len() == 1 && messages[0].contains('`') && messages[0].contains('u'),
            "{messages:?}"
        );
        assert_eq!(messages, *message.get_or_insert_with(|| messages.clone()));
    }
    let compiled: Vec<u64> = starts.iter().map(|(start, ..)| start.found_and_compiled().1).collect();
    assert!(compiled[0] > 0 && compiled[1..] == [0, 0], "{compiled:?}");
}

/// A redefinition invalidates found code, and code of the new definition has another key.
#[test]
fn found_code_is_invalidated() {
    let folder = folder();
    for nth in 0..3 {
        let start = Start::new(folder.path(), Mode::Lazy);
        check(&start.engine, "def g(x) x + 1; def f(x) g(x) * 2; f(1);", &[4.0], &[]);
        check(&start.engine, "def g(x) x + 2; f(1);", &[6.0], &[]);
        check(&start.engine, "def sin(x) 7; def s(x) sin(x); s(1);", &[7.0], &[]);
        if nth > 0 {
            assert_eq!(start.found_and_compiled().1, 0);
        }
    }
}

/// While a loop runs that was found, a redefinition changes what it calls.
#[test]
fn found_loops_are_left() {
    let folder = folder();
    for is_second in [false, true] {
        let start = Start::with(folder.path(), |builder| builder.thresholds(HOT).compile_threads(1));
        let engine = start.engine.clone();
        let change = move |n: f64| f64::from(engine.run(&format!("def v() {n};")).ok().is_ok());
        start.engine.register("change", change).unwrap();
        let text = "def v() 0; def f(n) var s = 0 in
            (for i = 0, i < n in (if i < n - 10 then 0 else change(i)) + (s = s + v())) + s;";
        check(&start.engine, text, &[], &[]);
        let expected: f64 = (1990..=2000).map(f64::from).sum();
        let f = start.engine.function::<(f64,)>("f").unwrap();
        let began = Instant::now();
        let is_left = || start.statistics.totals().n_deoptimized > 0;
        while !is_left() && began.elapsed() < PATIENCE {
            start.engine.run("def v() 0;").ok().unwrap();
            assert_eq!(f.call((2000.0,)).unwrap(), expected);
        }
        assert!(is_left());
        assert!(!is_second || start.cache.totals().found > 0);
    }
}

#[test]
fn other_settings_have_other_entries() {
    let folder = folder();
    let compiled = |text: &str, level, debugged: bool| {
        let start = Start::with(folder.path(), |builder| {
            let builder = builder.mode(Mode::Lazy).optimization(level);
            if debugged { builder.debug_info() } else { builder }
        });
        start.engine.run(text).ok().unwrap();
        start.found_and_compiled().1 > 0
    };
    let text = "def f(x) x + 1; f(1) + f(2);";
    for (level, debugged) in
        [(Optimization::None, false), (Optimization::Default, false), (Optimization::Default, true)]
    {
        assert!(compiled(text, level, debugged));
        assert!(!compiled(text, level, debugged));
    }
    assert!(compiled("def f(x) x + 3; f(1) + f(2);", Optimization::Default, false));
    let n_elements = |n: usize| {
        let start =
            Start::with(folder.path(), |builder| builder.mode(Mode::Lazy).bind_array("u", &Array::new(n)));
        start.engine.run("def f(x) u(x); f(1);").ok().unwrap();
        start.found_and_compiled().1 > 0
    };
    assert!(n_elements(3) && n_elements(4) && !n_elements(3) && !n_elements(4));
}

/// The files of the cache.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|extension| extension == "code"));
    entries.sort();
    entries
}

#[test]
fn damaged_entries_are_compiled_again() {
    let folder = folder();
    let text = format!("{PROGRAM}{CALLS}");
    let expected: Vec<f64> = crate::engine(Mode::Off).run(&text).values().collect();
    let run = || {
        let start = Start::new(folder.path(), Mode::Lazy);
        check(&start.engine, &text, &expected, &[]);
        start.found_and_compiled()
    };
    let (_, n_units) = run();
    let seed = std::process::id();
    let mut state = u64::from(seed) | 1;
    let mut random = move |n: usize| {
        // xorshift (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % n
    };
    let began = Instant::now();
    for round in 0..12 {
        let entries = entries(folder.path());
        let first = fs::read(&entries[0]).unwrap();
        for path in &entries {
            let mut file = fs::read(path).unwrap();
            match round % 4 {
                // The last round has whole files of other entries.
                3 => file.clone_from(&first),
                2 => file.truncate(random(file.len())),
                _ => {
                    let at = random(file.len());
                    file[at] ^= 1 << random(8);
                }
            }
            fs::write(path, file).unwrap();
        }
        // Damaged entries are replaced.
        let is_first_whole = u64::from(round % 4 == 3);
        assert_eq!(run(), (is_first_whole, n_units - is_first_whole), "seed {seed}, round {round}");
        assert_eq!(run(), (n_units, 0), "seed {seed}, round {round}");
        if began.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
}

#[test]
fn a_folder_that_disappears_does_no_harm() {
    let folder = folder();
    let path = folder.path().join("cache");
    let start = Start::new(&path, Mode::Lazy);
    fs::remove_dir(&path).unwrap();
    check(&start.engine, "def f(x) x + 1; f(1);", &[2.0], &[]);
    let totals = start.cache.totals();
    assert!(totals.written == 0 && totals.failed == totals.missing, "{totals:?}");
}
