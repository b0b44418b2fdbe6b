//! Batches: results equal those of single calls; errors, redefinitions, limits and kernels.

mod columns;
mod scalars;
mod scans;
mod together;

use crate::engine;
#[cfg(all(feature = "llvm", not(feature = "stress")))]
use crate::until;
use kaleidoscope::{
    DiagnosticCode, Engine, Event, Interrupter, MapOptions, Mode, Observer, OutputBuffer, Precision,
    Statistics, Thresholds, Variable,
};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Values that are special cases of arithmetic, mixed with others.
fn spread(n: usize, seed: u64) -> Vec<f64> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MIN_POSITIVE,
        -f64::MIN_POSITIVE / 2.0,
        f64::from_bits(1),
        f64::MAX,
        f64::EPSILON,
        1e15 + 0.5,
        -7.25,
    ];
    let mut state = seed;
    let mut next = || {
        // xorshift (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..n)
        .map(|_| match next() % 8 {
            0 => special[(next() % special.len() as u64) as usize],
            1 => f64::from_bits(next()),
            2 => (next() % 20) as f64 - 5.0,
            _ => (next() as f64 / u64::MAX as f64 - 0.5) * 20.0,
        })
        .collect()
}

/// Whether both are equal to the last bit, or both are NaN.
fn is_same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Engines of all modes, and one whose thresholds are 1.
fn engines() -> Vec<Engine> {
    let mut engines: Vec<_> = Mode::ALL.iter().map(|&mode| engine(mode)).collect();
    let thresholds = Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };
    let hot = Engine::builder().mode(Mode::Tiered).thresholds(thresholds);
    engines.push(hot.output(OutputBuffer::default()).build().unwrap());
    engines
}

/// An engine that counts rows by the way in which they were computed.
fn observed(builder: kaleidoscope::Builder) -> (Engine, Statistics) {
    let statistics = Statistics::new();
    let builder = builder.observer(statistics.clone()).output(OutputBuffer::default());
    (builder.build().unwrap(), statistics)
}

const FUNCTIONS: &str = "
    def binary| 5 (a b) if a then 1 else if b then 1 else 0;
    def binary> 10 (a b) b < a;
    def unary-(v) 0 - v;
    def line(x y) 3 * x + y;
    def poly(x y) x*x*y + 2*x - y*y;
    def quotient(x y) (x / y) / (y - x);
    def choice(x y) if x < y then x else y;
    def branches(x y) if x < 0 then sqrt(y) else if (y > 1) | (x > 3) then x*y else -x;
    def copied(x) var a = x in (a = a + 1) * a;
    def copies(x y) copied(x) - copied(y) * copied(x - y);
    def maths(x y) sin(x) + cos(y) * exp(x) - log(y) + x ^ y;
    def circle(x y) cos(x) * y + sin(x) * y - cos(y);
    def sometimes(x y) if x < 0 then 1 else log(x) * y;
    def exact(x y) floor(x) + ceil(y) * trunc(x) - round(y) + rint(x) * fabs(y);
    def rest(x y) fmod(x, 4) + fmod(x, y) + fmin(x, y) * fmax(y, x);
    def sums(x y) var s = 0 in (for i = 0, i < 5 in s = s + x / (i + y)) + s;
    def halves(x y) if fabs(x) < 1 then y else if fabs(x) < 1e9 then halves(x / 2, y + 1) else 0;
    def fibonacci(n) if n < 2 then n else fibonacci(n - 1) + fibonacci(n - 2);
    def recursive(x y) fibonacci(fmod(floor(fabs(y)), 9)) + x;
    def output(x y) putchard(46) + x;
    def constant(x y) 7;
    def second(x y) y;
";

/// The functions above, and maths functions, which no program defined.
const NAMES: &[&str] = &[
    "line",
    "poly",
    "quotient",
    "choice",
    "branches",
    "copies",
    "maths",
    "circle",
    "sometimes",
    "exact",
    "rest",
    "sums",
    "halves",
    "recursive",
    "output",
    "constant",
    "second",
    "pow",
    "fmod",
    "hypot",
];

#[track_caller]
fn check_strict(engine: &Engine, name: &str, xs: &[f64], ys: &[f64]) {
    let function = engine.function::<(f64, f64)>(name).unwrap();
    let mut out = vec![-1.0; xs.len()];
    function.map(&[xs, ys], &mut out).unwrap();
    let mode = engine.mode();
    for (row, &mapped) in out.iter().enumerate() {
        let (x, y) = (xs[row], ys[row]);
        let single = function.call((x, y)).unwrap();
        assert!(is_same(mapped, single), "{mode:?}: {name}({x}, {y}) is {single}, mapped {mapped}");
    }
}

#[test]
fn results_have_the_bits_of_single_calls() {
    // Not a multiple of a vector's width, and enough for a kernel.
    let (xs, ys) = (spread(1_237, 1), spread(1_237, 2));
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            check_strict(&engine, name, &xs, &ys);
        }
    }
}

/// Under stress, kernels are invalidated before they compute a row, for as long as chance wants.
#[cfg(all(feature = "llvm", not(feature = "stress")))]
#[test]
fn kernels_give_the_bits_of_single_calls() {
    let (xs, ys) = (spread(1_237, 1), spread(1_237, 2));
    let hot = Engine::builder().thresholds(Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO });
    for builder in [Engine::builder().mode(Mode::Lazy), Engine::builder().mode(Mode::Eager), hot] {
        let (engine, statistics) = observed(builder);
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            let n_before = statistics.totals().rows.by_kernel;
            let is_by_kernel = || statistics.totals().rows.by_kernel > n_before;
            until(is_by_kernel, || check_strict(&engine, name, &xs, &ys));
        }
    }
}

#[test]
fn columns_may_overlap_and_be_short() {
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        let values = spread(3_000, 3);
        check_strict(&engine, "poly", &values, &values);
        check_strict(&engine, "poly", &values[..2_999], &values[1..]);
        for n in 0..40 {
            check_strict(&engine, "poly", &values[..n], &values[n..2 * n]);
        }
    }
}

#[test]
fn any_number_of_columns() {
    for engine in engines() {
        engine
            .run("def none() 4; def nine(a b c d e f g h i) a - b * c + d - e * f + g - h * i;")
            .ok()
            .unwrap();
        let mut out = vec![0.0; 2_000];
        engine.function::<()>("none").unwrap().map(&[], &mut out).unwrap();
        assert!(out.iter().all(|&value| value == 4.0));
        let nine = engine.dyn_function("nine").unwrap();
        let columns: Vec<_> = (1..10).map(|seed| spread(2_000, seed)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        nine.map(&columns, &mut out).unwrap();
        for (row, &mapped) in out.iter().enumerate() {
            let args: Vec<_> = columns.iter().map(|column| column[row]).collect();
            assert!(is_same(mapped, nine.call(&args).unwrap()), "{args:?}");
        }
    }
}

#[test]
fn wrong_columns_are_errors() {
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        let line = engine.function::<(f64, f64)>("line").unwrap();
        let column = vec![1.0; 10];
        let mut out = vec![5.0; 10];
        let error = line.map(&[&column], &mut out).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongArgumentCount);
        assert_eq!(error.to_string(), "`line` takes 2 arguments, not 1 (defined at text:5)");
        let error = line.map(&[&column, &column[1..]], &mut out).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongColumnLength);
        assert_eq!(error.to_string(), "column 1 has 9 values, and there is room for 10 results");
        assert_eq!(out, [5.0; 10], "nothing was written");
    }
}

#[test]
fn a_failing_row_ends_the_batch() {
    for engine in engines() {
        engine
            .run(
                "extern missing(x); def f(x) if x < 1500 then x else missing(x);
             def deep(x) if x < 1500 then x else deep(x + 1) + 1;",
            )
            .ok()
            .unwrap();
        let xs: Vec<_> = (0..2_000).map(f64::from).collect();
        for (name, code) in
            [("f", DiagnosticCode::MissingHostFunction), ("deep", DiagnosticCode::StackOverflow)]
        {
            let function = engine.function::<(f64,)>(name).unwrap();
            for _ in 0..2 {
                let mut out = vec![0.0; 2_000];
                let error = function.map(&[&xs], &mut out).unwrap_err();
                assert_eq!(error.code(), code, "{:?}: {error}", engine.mode());
                assert_eq!(function.call((3.0,)).unwrap(), 3.0, "the next call succeeds");
            }
        }
    }
}

#[test]
fn a_batch_uses_the_definitions_of_its_time() {
    let xs: Vec<_> = (0..2_000).map(f64::from).collect();
    for engine in engines() {
        engine.run("def g(x) x + 1; def f(x) g(x) * 2;").ok().unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        let mut out = vec![0.0; 2_000];
        let mut expect = |expected: &dyn Fn(f64) -> f64| {
            for _ in 0..2 {
                f.map(&[&xs], &mut out).unwrap();
                let is_right = |(x, y): (&f64, &f64)| expected(*x) == *y;
                assert!(xs.iter().zip(&out).all(is_right), "{:?}: {out:?}", engine.mode());
            }
        };
        expect(&|x| (x + 1.0) * 2.0);
        engine.run("def g(x) x - 1;").ok().unwrap();
        expect(&|x| (x - 1.0) * 2.0);
        engine.run("def f(x) g(x) + sqrt(x);").ok().unwrap();
        expect(&|x| x - 1.0 + x.sqrt());
        engine.run("def sqrt(x) 3;").ok().unwrap();
        expect(&|x| x - 1.0 + 3.0);
    }
}

#[test]
fn a_definition_replaces_a_maths_function() {
    let xs = vec![4.0; 2_000];
    for engine in engines() {
        let sqrt = engine.function::<(f64,)>("sqrt").unwrap();
        let mut out = vec![0.0; 2_000];
        sqrt.map(&[&xs], &mut out).unwrap();
        assert_eq!(out, [2.0; 2_000]);
        engine.run("def sqrt(x) x * 3;").ok().unwrap();
        sqrt.map(&[&xs], &mut out).unwrap();
        assert_eq!(out, [12.0; 2_000]);
        engine.run("def sqrt(x y) x;").ok().unwrap();
        let error = sqrt.map(&[&xs], &mut out).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::StaleArity, "{error}");
    }
}

#[test]
fn the_time_limit_ends_a_batch() {
    let xs = vec![1.0; 20_000];
    for engine in engines() {
        engine.run("def line(x) 3 * x + 1; def forever(x) forever(x);").ok().unwrap();
        for name in ["line", "forever"] {
            let function = engine.function::<(f64,)>(name).unwrap().within(Duration::ZERO);
            for _ in 0..2 {
                let error = function.map(&[&xs], &mut vec![0.0; 20_000]).unwrap_err();
                assert_eq!(error.code(), DiagnosticCode::TimedOut, "{:?}: {name}", engine.mode());
            }
        }
    }
}

#[test]
fn fast_results_are_near_strict_results() {
    let one = ["sin", "cos", "tan", "exp", "log", "exp2", "atan", "sinh", "tanh", "erf", "log1p", "cbrt"];
    let two = ["pow", "atan2", "hypot"];
    let (xs, ys) = (spread(2_003, 5), spread(2_003, 6));
    for engine in engines() {
        for name in one.iter().chain(&two) {
            let function = engine.dyn_function(name).unwrap();
            let columns: &[&[f64]] = if two.contains(name) { &[&xs, &ys] } else { &[&xs] };
            let (mut strict, mut fast) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            function.map(columns, &mut strict).unwrap();
            for _ in 0..2 {
                function.map_with(Precision::Fast, columns, &mut fast).unwrap();
                for (row, (&strict, &fast)) in strict.iter().zip(&fast).enumerate() {
                    // C's own results differ from the exact ones by less than 1 in the last place.
                    assert!(
                        distance(strict, fast) <= 4,
                        "{name}({}, {}) is {strict}, fast {fast}",
                        xs[row],
                        ys[row]
                    );
                }
            }
        }
    }
}

#[test]
fn fast_precision_affects_only_maths_functions() {
    let (xs, ys) = (spread(2_003, 7), spread(2_003, 8));
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        for name in ["poly", "quotient", "branches", "exact", "rest", "sums", "recursive"] {
            let function = engine.function::<(f64, f64)>(name).unwrap();
            let (mut strict, mut fast) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            function.map(&[&xs, &ys], &mut strict).unwrap();
            function.map_with(Precision::Fast, &[&xs, &ys], &mut fast).unwrap();
            assert!(strict.iter().zip(&fast).all(|(&strict, &fast)| is_same(strict, fast)), "{name}");
        }
    }
}

#[test]
fn threads_compute_what_one_thread_computes() {
    let (xs, ys) = (spread(70_001, 9), spread(70_001, 10));
    for mode in [Mode::Lazy, Mode::Tiered, Mode::Baseline] {
        let engine = engine(mode);
        engine.run(FUNCTIONS).ok().unwrap();
        for name in ["branches", "sums"] {
            let function = engine.function::<(f64, f64)>(name).unwrap();
            let (mut one, mut many) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            function.map_with(MapOptions::new().on_this_thread(), &[&xs, &ys], &mut one).unwrap();
            function.map(&[&xs, &ys], &mut many).unwrap();
            assert!(one.iter().zip(&many).all(|(&one, &many)| is_same(one, many)), "{mode:?}: {name}");
        }
    }
}

#[test]
fn rows_use_host_variables_in_order() {
    let xs: Vec<_> = (0..100_000).map(f64::from).collect();
    for engine in engines() {
        let (factor, last) = (Variable::new(3.0), Variable::new(-1.0));
        engine.bind("factor", &factor).unwrap();
        engine.bind("last", &last).unwrap();
        engine
            .run("def scaled(x) factor * x; def step(x) x - last + 0 * (last = x); def steps(x) step(x) * 2;")
            .ok()
            .unwrap();
        let map = |name| {
            let mut out = vec![0.0; xs.len()];
            engine.function::<(f64,)>(name).unwrap().map(&[&xs], &mut out).unwrap();
            out
        };
        for value in [3.0, 4.0] {
            factor.set(value);
            assert!(map("scaled").iter().zip(&xs).all(|(y, x)| *y == value * x), "{:?}", engine.mode());
        }
        assert!(
            map("steps").iter().all(|step| *step == 2.0),
            "{:?}: each row sees the one before",
            engine.mode()
        );
        assert_eq!(last.get(), 99_999.0);
    }
}

/// Interrupts at the event of a first call, which is emitted when the rows are about to run.
struct InterruptingObserver(Arc<OnceLock<Interrupter>>);

impl Observer for InterruptingObserver {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::FirstCalled { .. }) {
            self.0.get().unwrap().interrupt();
        }
    }
}

#[test]
fn a_batch_is_stopped_by_an_interrupt() {
    let xs = vec![1.0; 20_000];
    // What is compiled when it is defined has no such event.
    for mode in [Mode::Tiered, Mode::Lazy, Mode::Baseline, Mode::Off] {
        for text in ["def f(x) 3 * x + 1;", "def f(x) (for i = 0, 1 in 0) + x;"] {
            let interrupter = Arc::new(OnceLock::new());
            let observer = InterruptingObserver(Arc::clone(&interrupter));
            let engine = Engine::builder().mode(mode).observer(observer).build().unwrap();
            interrupter.set(engine.interrupter()).unwrap();
            engine.run(text).ok().unwrap();
            let f = engine.function::<(f64,)>("f").unwrap();
            let limited = f.within(Duration::from_secs(60));
            let error = limited.map(&[&xs], &mut vec![0.0; 20_000]).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::Interrupted, "{mode:?}: {text}");
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn a_failing_row_stops_the_other_threads() {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let xs: Vec<_> = (0..200_000).map(f64::from).collect();
    for mode in [Mode::Lazy, Mode::Baseline] {
        let engine = engine(mode);
        engine
            .run("extern missing(x); def f(x) if x < 1 then f(x) else if x < 199999 then x else missing(x);")
            .ok()
            .unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        // The first row runs forever, the last row fails.
        let error = threads.install(|| f.map(&[&xs], &mut vec![0.0; xs.len()])).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::MissingHostFunction, "{mode:?}: {error}");
    }
}

/// How many doubles are between the two. A NaN is near a NaN only.
fn distance(a: f64, b: f64) -> u64 {
    if a.is_nan() || b.is_nan() {
        return if a.is_nan() && b.is_nan() { 0 } else { u64::MAX };
    }
    let place = |value: f64| {
        let bits = value.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    place(a).abs_diff(place(b))
}

#[cfg(feature = "llvm")]
mod kernel {
    //! Kernels: when one is compiled, used and freed.

    use super::spread;
    use crate::until;
    use kaleidoscope::{Engine, Event, Mode, Observer, Precision, Thresholds, Tier};
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};
    use std::thread::yield_now;
    use std::time::Duration;

    /// The functions whose kernels were compiled and freed, in order.
    #[derive(Default)]
    struct KernelLog(Mutex<Vec<(&'static str, String)>>);

    impl Observer for KernelLog {
        fn observe(&self, event: &Event) {
            let (what, code) = match event {
                Event::Compiled { code, tier: Tier::Kernel, .. } => ("compiled", code),
                Event::Reclaimed { code, tier: Tier::Kernel, .. } => ("freed", code),
                Event::Invalidated { code, .. } => ("invalidated", code),
                _ => return,
            };
            self.0.lock().unwrap().push((what, code.name.to_string()));
        }
    }

    impl KernelLog {
        fn take(&self) -> String {
            let seen = std::mem::take(&mut *self.0.lock().unwrap());
            seen.iter().map(|(what, name)| format!("{what} {name};")).collect()
        }

        /// Waits for a kernel that is compiled in the background.
        fn wait(&self) {
            until(|| !self.0.lock().unwrap().is_empty(), yield_now);
        }
    }

    #[test]
    fn is_compiled_once_for_each_definition_and_freed_with_it() {
        let seen = Arc::new(KernelLog::default());
        let engine = Engine::builder().mode(Mode::Lazy).observer(Arc::clone(&seen)).build().unwrap();
        engine.run("def g(x) x + 1; def f(x) g(x) * 2;").ok().unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        let xs = spread(1_500, 4);
        let map = |precision, n| f.map_with(precision, &[&xs[..n]], &mut vec![0.0; n]).unwrap();
        map(Precision::Strict, 600);
        assert_eq!(seen.take(), "", "fewer rows than the threshold");
        map(Precision::Strict, 600);
        seen.wait();
        assert_eq!(seen.take(), "compiled f;");
        map(Precision::Strict, 1_500);
        map(Precision::Strict, 1);
        assert_eq!(seen.take(), "");
        map(Precision::Fast, 1_500);
        seen.wait();
        assert_eq!(seen.take(), "compiled f;");
        engine.run("def h(x) x;").ok().unwrap();
        assert_eq!(seen.take(), "");
        engine.run("def g(x) x - 1;").ok().unwrap();
        assert_eq!(seen.take(), "freed f;freed f;", "the kernels inlined g");
        map(Precision::Strict, 1_500);
        seen.wait();
        engine.run("def f(x) x;").ok().unwrap();
        assert_eq!(seen.take(), "compiled f;freed f;");
    }

    #[test]
    fn is_not_compiled_for_host_functions() {
        let seen = Arc::new(KernelLog::default());
        let output = kaleidoscope::OutputBuffer::default();
        let builder = Engine::builder().mode(Mode::Lazy).output(output.clone());
        let engine = builder.observer(Arc::clone(&seen)).build().unwrap();
        let function = engine.function::<(f64,)>("putchard").unwrap();
        for _ in 0..2 {
            function.map(&[&[46.0; 1_500]], &mut [1.0; 1_500]).unwrap();
        }
        assert_eq!((seen.take().as_str(), output.take().len()), ("", 3_000));
    }

    #[test]
    fn is_compiled_in_the_background() {
        let seen = Arc::new(KernelLog::default());
        let thresholds = Thresholds { calls: 5_000, back_edges: 300_000, delay: Duration::ZERO };
        let builder = Engine::builder().mode(Mode::Tiered).thresholds(thresholds);
        let engine = builder.observer(Arc::clone(&seen)).build().unwrap();
        engine.run("def f(x) x * x + 1;").ok().unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        let xs: Vec<_> = (0..4_000).map(f64::from).collect();
        let mut out = vec![0.0; 4_000];
        f.map(&[&xs], &mut out).unwrap();
        assert_eq!(seen.take(), "", "fewer rows than the threshold");
        let events = RefCell::new(String::new());
        until(
            || events.borrow().contains("compiled f;"),
            || {
                f.map(&[&xs], &mut out).unwrap();
                assert!(xs.iter().zip(&out).all(|(x, y)| x * x + 1.0 == *y));
                *events.borrow_mut() += &seen.take();
            },
        );
    }

    #[test]
    fn is_shared_by_threads_during_redefinitions() {
        let engine = Engine::builder().mode(Mode::Lazy).build().unwrap();
        engine.run("def g(x) x + 1; def f(x) g(x) * 2;").ok().unwrap();
        let xs: Vec<_> = (0..3_000).map(f64::from).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let f = engine.function::<(f64,)>("f").unwrap();
                    let mut out = vec![0.0; xs.len()];
                    for _ in 0..30 {
                        f.map(&[&xs], &mut out).unwrap();
                        for (x, y) in xs.iter().zip(&out) {
                            assert!([(x + 1.0) * 2.0, (x - 1.0) * 2.0].contains(y), "f({x}) is {y}");
                        }
                    }
                });
            }
            for n in 0..20 {
                engine.run(if n % 2 == 0 { "def g(x) x - 1;" } else { "def g(x) x + 1;" }).ok().unwrap();
            }
        });
    }
}

/// A batch inside another evaluation stays on its thread, where the limits of that evaluation hold.
#[test]
fn the_time_limit_of_a_scope_ends_a_batch_inside() {
    let engine = engine(Mode::default());
    engine.run("def endless(x) for i = 0, 1 in x;").ok().unwrap();
    let endless = engine.function::<(f64,)>("endless").unwrap();
    let column = vec![1.0; 100_000];
    let mut out = vec![0.0; column.len()];
    let limited = engine.within(Duration::from_millis(20));
    let ended = limited.enter(|_| endless.map(&[&column], &mut out)).unwrap_err();
    assert_eq!(ended.code(), DiagnosticCode::TimedOut);
}
