//! No bit depends on the floating-point mode of the host's thread, and the host keeps its mode.

use crate::arch::{DEFAULT_MODE, OTHER_MODES, float_mode, set_float_mode};
use kaleidoscope::{Engine, Event, Mode, Observer, Output, OutputBuffer, Thresholds};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Functions whose values depend on the mode, with and without loops and calls.
const PROGRAM: &str = "
    def id(x) x;
    def third(x) x / 3;
    def quotient(x) id(x) / id(3);
    def sum(n) var s = 0 in (for i = 0, i < n in s = s + 1/3) + s;
    def tiny(x) x * 0.5;
    def waves(x) sin(x) * 0.1 + exp(x) + tgamma(x);
    def zero(x) x / 0;
    def constant(x) 1/3 + 1e-310 * 0.5 + 0.1 * x;
    def deep(x) deep(x + 1) + 1;";

/// Expressions that are read, interpreted, compiled, and called again.
const TEXTS: [&str; 12] = [
    "1/3;",
    "0.1 + 0.2;",
    "1e-310 * 0.5;",
    "2.2250738585072011e-308;",
    "third(1);",
    "third(1) - quotient(1) + third(0 - 1);",
    "quotient(1);",
    "sum(10);",
    "sum(1000);",
    "tiny(1e-310);",
    "waves(1.7);",
    "zero(1) + constant(1);",
];

const FUNCTIONS: [&str; 7] = ["third", "quotient", "sum", "tiny", "waves", "zero", "constant"];
const ARGUMENTS: [f64; 3] = [1.7, -1e-310, 7.0];

/// Tiers up at once, so that every tier is used.
fn engine(mode: Mode) -> Engine {
    let engine = Engine::builder()
        .mode(mode)
        .thresholds(Thresholds { calls: 2, back_edges: 2, delay: Duration::ZERO })
        .stack_bytes(256 << 10)
        .output(OutputBuffer::default())
        .build()
        .unwrap();
    engine.run(PROGRAM).ok().unwrap();
    engine
}

/// Runs `body` in another mode, which must come back.
fn in_mode<T>((what, mode): (&str, u32), body: impl FnOnce() -> T) -> T {
    set_float_mode(mode);
    let value = body();
    let after = float_mode();
    set_float_mode(DEFAULT_MODE);
    assert_eq!(after, mode, "a host that {what} has its mode back");
    value
}

/// The bits that each way of calling gives.
fn bits(engine: &Engine, switch: impl Fn(bool)) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    switch(true);
    for round in 0..3 {
        for text in TEXTS {
            let outcome = engine.run(text);
            let value = outcome.values().next().unwrap_or_else(|| panic!("{text}: {outcome:?}"));
            found.push((format!("{text} in round {round}"), value.to_bits()));
        }
    }
    let texts: [String; 3] = ["3 / x", "x * 0.1 + 0.2", "1e-310 * 0.5 + x"].map(Into::into);
    for text in texts {
        let formula = engine.formula(&text, &["x"]).unwrap();
        found.push((text, formula.call(&[1.7]).unwrap().to_bits()));
    }
    for name in FUNCTIONS {
        let function = engine.dyn_function(name).unwrap();
        function.prepare().unwrap();
        for argument in ARGUMENTS {
            found.push((format!("{name}({argument:e})"), function.call(&[argument]).unwrap().to_bits()));
        }
        switch(false);
        engine
            .enter(|scope| {
                for argument in ARGUMENTS {
                    switch(true);
                    let value = scope.call_dyn(&function, &[argument]).unwrap();
                    found.push((format!("{name}({argument:e}) in a scope"), value.to_bits()));
                    switch(false);
                }
                Ok(())
            })
            .unwrap();
        switch(true);
        for n_rows in [3, 2_000, 20_000] {
            let column: Vec<f64> = ARGUMENTS.iter().copied().cycle().take(n_rows).collect();
            let mut out = vec![0.0; n_rows];
            function.map(&[&column], &mut out).unwrap();
            let digest = out.iter().fold(0_u64, |sum, value| sum.rotate_left(5) ^ value.to_bits());
            found.push((format!("{name} of {n_rows} rows"), digest));
        }
    }
    switch(false);
    found
}

#[test]
fn every_mode_of_the_host_gives_the_same_bits() {
    for &mode in Mode::ALL {
        let expected = bits(&engine(mode), |_| ());
        for other in OTHER_MODES {
            let engine = engine(mode);
            let switch = |on| set_float_mode(if on { other.1 } else { DEFAULT_MODE });
            assert_eq!(bits(&engine, switch), expected, "{mode:?}, the host {}", other.0);
            // Nor does code that was compiled there.
            assert_eq!(bits(&engine, |_| ()), expected, "{mode:?}, after the host {}", other.0);
        }
    }
}

#[test]
fn the_host_has_its_mode_back_after_values_and_errors() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.register("fail", || Err::<f64, _>("no")).unwrap();
        let functions = ["third", "sum", "deep"].map(|name| engine.dyn_function(name).unwrap());
        let fail = engine.dyn_function("fail").unwrap();
        for other in OTHER_MODES {
            for text in ["1/3;", "sum(10);", "deep(1);", "fail();", "1 +;", "def f(x) x/3; f(1);"] {
                in_mode(other, || drop(engine.run(text)));
            }
            for function in &functions {
                in_mode(other, || drop(function.call(&[1.0])));
                drop(engine.enter(|scope| in_mode(other, || scope.call_dyn(function, &[1.0]))));
            }
            in_mode(other, || drop(fail.call(&[])));
            drop(engine.enter(|scope| in_mode(other, || scope.call_dyn(&fail, &[]))));
        }
    }
}

/// Notes the mode in which it is called.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u32>>>);

impl Seen {
    fn note(&self) {
        self.0.lock().unwrap().push(float_mode());
    }

    /// The modes since the last call, without repetitions.
    fn take(&self) -> Vec<u32> {
        let mut modes = std::mem::take(&mut *self.0.lock().unwrap());
        modes.dedup();
        modes
    }
}

impl Output for Seen {
    fn write(&self, _: &str) -> io::Result<()> {
        self.note();
        Ok(())
    }
}

impl Observer for Seen {
    fn observe(&self, event: &Event) {
        // Others come from compile threads.
        if matches!(event, Event::Read { .. } | Event::FirstCalled { .. } | Event::Evaluated { .. }) {
            self.note();
        }
    }
}

#[test]
fn the_hosts_code_runs_in_the_hosts_mode() {
    for &mode in Mode::ALL {
        let (closure, output, observer) = (Seen::default(), Seen::default(), Seen::default());
        let engine =
            Engine::builder().mode(mode).output(output.clone()).observer(observer.clone()).build().unwrap();
        let noted = closure.clone();
        engine
            .register("look", move || {
                noted.note();
                0.0
            })
            .unwrap();
        engine.run("def looks(x) look() + printd(0.1) + printd(0/0) + x / 3;").ok().unwrap();
        let looks = engine.function::<(f64,)>("looks").unwrap();
        for other in OTHER_MODES {
            let expect = |what: &str| {
                for seen in [&closure, &output] {
                    assert_eq!(seen.take(), [other.1], "{mode:?}, {what}, the host {}", other.0);
                }
            };
            drop((closure.take(), output.take(), observer.take()));
            in_mode(other, || engine.run("looks(1); for i = 0, i < 3 in looks(i);").ok().unwrap());
            expect("run");
            assert_eq!(observer.take(), [other.1]);
            in_mode(other, || looks.call((1.0,))).unwrap();
            expect("called");
            engine.enter(|scope| in_mode(other, || scope.call(&looks, (1.0,)))).unwrap();
            expect("called in a scope");
            let mut out = [0.0; 3];
            in_mode(other, || looks.map(&[&[1.0; 3]], &mut out)).unwrap();
            expect("mapped");
        }
    }
}

#[test]
fn a_mode_that_a_host_function_sets_changes_no_bits() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let set = Arc::new(AtomicU32::new(DEFAULT_MODE));
        let mode_to_set = Arc::clone(&set);
        engine
            .register("change", move || {
                set_float_mode(mode_to_set.load(Ordering::Relaxed));
                0.0
            })
            .unwrap();
        engine.run("def changes(x) change() + x / 3; def binary : 1 (a b) b;").ok().unwrap();
        let changes = engine.function::<(f64,)>("changes").unwrap();
        let all = || {
            let mut found: Vec<f64> =
                engine.run("change() + 1/3; changes(1); change() : tiny(1e-310);").values().collect();
            found.push(changes.call((1e-310,)).unwrap());
            set_float_mode(DEFAULT_MODE);
            found.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        let expected = all();
        for (what, other) in OTHER_MODES {
            set.store(other, Ordering::Relaxed);
            assert_eq!(all(), expected, "{mode:?}, a host function that {what}");
        }
    }
}
