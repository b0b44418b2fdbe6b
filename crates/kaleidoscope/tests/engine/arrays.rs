//! Arrays of the host: programs read and assign their elements, in every mode.

mod batches;
mod raw_calls;

use crate::{check, engine, until};
use kaleidoscope::{Array, DiagnosticCode, Engine, ErrorKind, Mode, Scope};
use std::thread;

/// An engine with an array `u` of these elements.
fn with_u(mode: Mode, elements: &[f64]) -> (Engine, Array) {
    let engine = engine(mode);
    let u = Array::from_slice(elements);
    engine.bind_array("u", &u).unwrap();
    (engine, u)
}

#[test]
fn arrays_are_shared_between_threads() {
    fn expect_shared<T: Clone + Send + Sync>() {}
    expect_shared::<Array>();
}

#[test]
fn the_host_reads_and_assigns_elements() {
    let array = Array::new(11);
    assert_eq!((array.len(), array.is_empty(), array.get(10), array.get(11)), (11, false, Some(0.0), None));
    assert!(array.as_ptr().addr().is_multiple_of(64));
    array.set(10, 2.5);
    let clone = array.clone();
    assert!(clone.is_same(&array) && !Array::new(11).is_same(&array));
    assert_eq!(clone.get(10), Some(2.5));
    clone.fill(1.0);
    assert_eq!(array.to_vec(), [1.0; 11]);
    let values: Vec<_> = (0..11).map(f64::from).collect();
    array.copy_from(&values);
    assert_eq!(clone.to_vec(), values);
    assert!(Array::new(0).is_empty() && Array::from_slice(&[]).to_vec().is_empty());
    assert!(Array::try_new(usize::MAX / 16).is_err());
    for wrong in [(|array: &Array| array.set(11, 0.0)) as fn(&Array), |array| array.copy_from(&[1.0])] {
        let array = array.clone();
        assert!(thread::spawn(move || wrong(&array)).join().is_err());
    }
}

#[test]
fn programs_read_and_assign_elements() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 10.0, 100.0]);
        let text = "u(0); u(1) = u(2) + 5; u(1); def f(i x) u(i) = u(i) * x; f(2, 2); f(2, 3); f(0, 7);
            var i = 1 in u(i) + u(i - 1) + u(i + 1);";
        check(&engine, text, &[1.0, 105.0, 105.0, 200.0, 600.0, 7.0, 712.0], &[]);
        assert_eq!(u.to_vec(), [7.0, 105.0, 600.0]);
        u.set(0, -0.5);
        check(&engine, "f(0, 2); (u(2) = 3) + u(2); -0 + u(0) < 0;", &[-1.0, 6.0], &["KLS1006"]);
        assert!(engine.array("u").unwrap().is_same(&u));
        assert!(engine.array("v").is_none() && engine.array("f").is_none());
    }
}

#[test]
fn an_index_is_truncated_toward_zero() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 3.0]);
        check(&engine, "def f(i) u(i); def g(i x) u(i) = x;", &[], &[]);
        for _ in 0..3 {
            check(
                &engine,
                "f(0.9); f(0 - 0.9); f(2.999); f(1.5); f(0 * (0 - 1));",
                &[1.0, 1.0, 3.0, 2.0, 1.0],
                &[],
            );
            check(&engine, "g(2.5, 8); u(0.5); u(2.5); u(1.99); g(2, 3);", &[8.0, 1.0, 8.0, 2.0, 3.0], &[]);
        }
        assert_eq!(u.to_vec(), [1.0, 2.0, 3.0]);
    }
}

#[test]
fn evaluation_is_in_text_order() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[0.0; 8]);
        // Each call of `next` numbers itself.
        let text = "def next() u(0) = u(0) + 1; def f() u(next()) = next() * 10 + u(next());";
        check(&engine, text, &[], &[]);
        for _ in 0..3 {
            u.fill(0.0);
            u.set(3, 5.0);
            check(&engine, "f();", &[25.0], &[]);
            assert_eq!(u.to_vec(), [3.0, 25.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
            // The index is checked when the element is assigned.
            check(&engine, "u(0) = 0; u(8) = next(); u(0);", &[0.0, 1.0], &["KLS3014"]);
        }
        check(&engine, "u(1) = u(2) = 4; u(1) + u(2);", &[4.0, 8.0], &[]);
        // A read before a later write keeps its value.
        check(&engine, "def g(x) u(5) + (u(5) = x) * u(5); u(5) = 2; g(3); g(4);", &[2.0, 11.0, 19.0], &[]);
    }
}

/// Everything that is no index, in every position.
#[test]
fn bad_indices_are_errors_of_the_call() {
    let bad = [3.0, -1.0, 1e300, -1e300, 9e18, 1.9e19, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 3.0]);
        check(&engine, "def read(i) u(i); def write(i) u(i) = 7; def around(i) 1 + read(i);", &[], &[]);
        let (read, write) =
            (engine.function::<(f64,)>("read").unwrap(), engine.function::<(f64,)>("write").unwrap());
        let around = engine.function::<(f64,)>("around").unwrap();
        // The interpreter, which runs first calls, knows no callers that have code.
        assert_eq!((around.call((0.0,)), around.call((0.0,))), (Ok(2.0), Ok(2.0)));
        for _ in 0..3 {
            for index in bad {
                let shown = kaleidoscope::ir::number::format(index);
                let expected = |name: &str| {
                    format!(
                        "index out of range in `{name}` (text:1): `u` has 3 elements, the index is {shown}"
                    )
                };
                for (function, name) in [(&read, "read"), (&write, "write")] {
                    let error = function.call((index,)).unwrap_err();
                    assert_eq!(error.code(), DiagnosticCode::IndexOutOfRange, "{mode:?}");
                    assert_eq!(error.to_string(), expected(name), "{mode:?}");
                }
                let error = around.call((index,)).unwrap_err();
                assert_eq!(error.to_string(), expected("read` (text:1), called by `around"), "{mode:?}");
                let both = |scope: &Scope<'_>| Ok((scope.call(&read, (index,)), scope.call(&read, (1.0,))));
                let (bad, good) = engine.enter(both).unwrap();
                assert!(bad.is_err());
                assert_eq!(good, Ok(2.0));
            }
            assert_eq!((read.call((2.0,)), around.call((0.0,))), (Ok(3.0), Ok(2.0)));
        }
        check(&engine, "u(3); u(0 - 1) = 2; u(0/0); 8;", &[8.0], &["KLS3014", "KLS3014", "KLS3014"]);
        assert_eq!(u.to_vec(), [1.0, 2.0, 3.0]);
    }
}

#[test]
fn an_empty_array_has_no_elements() {
    for &mode in Mode::ALL {
        let (engine, _) = with_u(mode, &[]);
        check(&engine, "def f(i) u(i); def g(i) u(i) = 1;", &[], &[]);
        for _ in 0..3 {
            check(&engine, "f(0); f(0 - 0.5); g(0); g(0 - 0.5); u(0);", &[], &["KLS3014"; 5]);
        }
    }
}

#[test]
fn a_function_and_an_array_have_different_names() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[4.0]);
        let text = "def u(x) x; extern u(x); def u(x y) x; u(0); extern u(); def f(u) u(0) + u; f(3);
            u(); u(1, 2); u(1, 2) = 3; u(0, 0 - 1); u = 2; u + 1;";
        let codes = [
            "KLS2013", "KLS2013", "KLS2013", "KLS2013", "KLS2004", "KLS2004", "KLS2004", "KLS2004",
            "KLS2001", "KLS2001",
        ];
        check(&engine, text, &[4.0, 7.0], &codes);
        let error = engine.register("u", |x: f64| x).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NameInUse);
        assert_eq!(error.to_string(), "`u` is an array, so no function can have this name");
        check(&engine, "def g(x) x; def unary!(x) x; extern h(x);", &[], &[]);
        engine.register("host", |x: f64| x).unwrap();
        for name in ["g", "sin", "printd", "host", "h"] {
            let error = engine.bind_array(name, &u).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NameInUse, "{name}");
            assert_eq!(error.to_string(), format!("`{name}` is a function, so no array can have this name"));
        }
        for name in ["", "def", "1t", "t u", "t$", "unary!"] {
            assert_eq!(engine.bind_array(name, &u).unwrap_err().kind(), ErrorKind::InvalidName, "{name:?}");
            let built = Engine::builder().bind_array(name, &u).build();
            assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidName, "{name:?}");
        }
        // A name that was removed is free.
        engine.remove("g").unwrap();
        engine.bind_array("g", &u).unwrap();
        check(&engine, "g(0) + u(0);", &[8.0], &[]);
    }
}

#[test]
fn a_name_keeps_its_array() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0]);
        check(&engine, "def f(i) u(i); f(1); f(1);", &[2.0, 2.0], &[]);
        engine.bind_array("u", &u.clone()).unwrap();
        let error = engine.bind_array("u", &Array::new(2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NameInUse);
        assert_eq!(error.to_string(), "`u` is an array, so no other array can have this name");
        u.copy_from(&[5.0, 6.0]);
        engine.bind_array("same", &u).unwrap();
        // The engine keeps what the host drops.
        drop(u);
        check(&engine, "f(1); same(0) = 7; f(0); f(0);", &[6.0, 7.0, 7.0, 7.0], &[]);
    }
}

/// A definition that was read before the array was bound calls a function.
#[test]
fn an_array_is_bound_before_the_text_that_uses_it() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(i) u(i);", &[], &["KLS2003"]);
        engine.bind_array("u", &Array::from_slice(&[3.0])).unwrap();
        check(&engine, "f(0); def f(i) u(i); f(0);", &[3.0], &["KLS3001"]);
    }
}

#[test]
fn a_fork_shares_arrays() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0]);
        check(&engine, "def f(i) u(i) = u(i) + 1; f(0);", &[2.0], &[]);
        let fork = engine.fork().unwrap();
        check(&fork, "f(0); f(0); u(1); f(2);", &[3.0, 4.0, 2.0], &["KLS3014"]);
        fork.bind_array("v", &Array::from_slice(&[9.0])).unwrap();
        check(&fork, "v(0) + u(0);", &[13.0], &[]);
        check(&engine, "f(0); v(0);", &[5.0], &["KLS2002"]);
        drop(engine);
        assert_eq!(u.to_vec(), [5.0, 2.0]);
        drop(u);
        check(&fork, "f(1);", &[3.0], &[]);
    }
}

#[test]
fn formulas_use_arrays() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 4.0, 8.0]);
        let text = "var at = floor(x) in u(at) + (x - at) * (u(at + 1) - u(at))";
        let interpolate = engine.formula(text, &["x"]).unwrap();
        for _ in 0..3 {
            assert_eq!(interpolate.call(&[0.5]), Ok(1.5));
            assert_eq!(interpolate.call(&[2.25]), Ok(5.0));
            let error = interpolate.call(&[3.0]).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::IndexOutOfRange);
            assert_eq!(error.to_string(), "index out of range: `u` has 4 elements, the index is 4");
        }
        u.fill(3.0);
        assert_eq!(interpolate.call(&[1.75]), Ok(3.0));
        let store = engine.formula("u(i) = x", &["i", "x"]).unwrap();
        assert_eq!(store.call(&[1.0, 6.0]), Ok(6.0));
        assert_eq!(u.to_vec(), [3.0, 6.0, 3.0, 3.0]);
    }
}

#[test]
fn loops_and_tail_calls_use_arrays() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[0.0; 100]);
        let text = "def fill(n) for i = 0, i < n - 1 in u(i) = i * i;
            def sum(n) var s in (for i = 0, i < n - 1 in s = s + u(i)) + s;
            def down(n s) if n < 1 then s else down(n - 1, s + u(n - 1));
            def down2(n) if n < 1 then 0 else u(n - 1) = down2(n - 1) + u(n - 1);
            def by(n step) var s in (for i = 0, i < n - step, step in s = s + u(i)) + s;
            def nested(n) var s in (for i = 0, i < n - 1 in for j = 0, j < n - 1 in s = s + u(i) * u(j)) + s;";
        check(&engine, text, &[], &[]);
        for _ in 0..3 {
            check(&engine, "fill(100); sum(100); down(100, 0);", &[0.0, 328_350.0, 328_350.0], &[]);
            check(&engine, "by(100, 3); by(100, 0.5); nested(4);", &[112_761.0, 656_700.0, 196.0], &[]);
            check(
                &engine,
                "sum(101); down(101, 0); fill(101); by(101, 7); nested(200);",
                &[49_735.0],
                &["KLS3014"; 4],
            );
        }
        assert_eq!(u.get(99), Some(9801.0));
        check(&engine, "down2(3); u(2);", &[5.0, 5.0], &[]);
    }
}

/// Counters that are no integers, start below 0, or never end.
#[test]
fn every_counter_is_an_index() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 3.0, 4.0]);
        let text = "def from(a b) var s in (for i = a, i < b in s = s + u(i)) + s;
            def literal(b) var s in (for i = 1, i < b in s = s * 10 + u(i)) + s;
            def below(b) var s in (for i = 0 - 1, i < b in s = s + u(i)) + s;
            def endless() var s in (for i = 0, i < 1/0 in s = s + u(i)) + s;
            def twice(b) (for i = 0, i < b in u(i) = u(i) * 2) + (for i = 0, i < b in u(i) = u(i) / 2);
            def inner(i) u(i) * 10; def inlined(b) var s in (for i = 0, i < b in s = s + inner(i)) + s;";
        check(&engine, text, &[], &[]);
        for _ in 0..4 {
            check(&engine, "from(0.5, 2); from(0 - 0.5, 2.5); literal(3);", &[6.0, 7.0, 234.0], &[]);
            check(&engine, "inlined(3); inlined(4); twice(3);", &[100.0, 0.0], &["KLS3014"]);
            check(&engine, "below(1); endless(); literal(4); from(0/0, 1);", &[], &["KLS3014"; 4]);
        }
        assert_eq!(u.to_vec(), [1.0, 2.0, 3.0, 4.0]);
        let inlined = engine.function::<(f64,)>("inlined").unwrap();
        for _ in 0..20 {
            let error = inlined.call((4.0,)).unwrap_err();
            let expected = "index out of range in `inner` (text:6), called by `inlined` (text:6): `u` has 4 elements, the index is 4";
            assert_eq!(error.to_string(), expected, "{mode:?}");
        }
    }
}

/// All bits, except those of a NaN.
#[test]
fn every_value_is_preserved() {
    let values = [0.0, -0.0, 5e-324, -f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 0.1];
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[0.0; 2]);
        check(&engine, "def move(i) u(1 - i) = u(i); move(0); move(0);", &[0.0, 0.0], &[]);
        let copy = engine.function::<(f64,)>("move").unwrap();
        for value in values {
            u.set(0, value);
            assert_eq!(copy.call((0.0,)).unwrap().to_bits(), value.to_bits(), "{mode:?}");
            assert_eq!(u.get(1).unwrap().to_bits(), value.to_bits(), "{mode:?}");
        }
        u.set(0, f64::NAN);
        assert!(copy.call((0.0,)).unwrap().is_nan() && u.get(1).unwrap().is_nan(), "{mode:?}");
    }
}

/// More values than there are registers, in calls and branches.
#[test]
fn elements_mix_with_other_values() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 3.0, 4.0]);
        let text = "def f(a b c d e g h i j k l m) a * u(0) + (b * u(1) + (c * u(2) + (d * u(3) + (e * u(a) +
                (g * u(b) + (h * u(c) + (i * u(0) + (j * u(1) + (k * u(2) + (l * u(3) + (u(a) = m)))))))))))
                + sin(0) * u(2) + (if u(a) < u(b) then u(c) = u(a) else u(a) = u(b)) + u(c);";
        check(&engine, text, &[], &[]);
        for _ in 0..4 {
            u.copy_from(&[1.0, 2.0, 3.0, 4.0]);
            let (a, b, c) = (0.0, 1.0, 2.0);
            let products = [(a, 1.0), (b, 2.0), (c, 3.0), (3.0, 4.0), (4.0, 1.0), (5.0, 2.0), (6.0, 3.0)];
            let sum: f64 = products.iter().map(|(x, y)| x * y).sum();
            let rest = 7.0 + 16.0 + 27.0 + 40.0 + 11.0;
            // `u(a)` becomes 11, so `u(a)` is assigned `u(b)`.
            let expected = sum + rest + 2.0 + 3.0;
            check(&engine, "f(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);", &[expected], &[]);
            assert_eq!(u.to_vec(), [2.0, 2.0, 3.0, 4.0], "{mode:?}");
        }
    }
}

/// Threads write elements at once: no one sees half of a value, and each thread's own elements have
/// what it wrote.
#[test]
fn threads_write_at_once() {
    const N_THREADS: usize = 4;
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[0.0; 64]);
        let text = "def work(nth n) for i = 0, i < n in (u(nth) = u(nth) + 1) + (u(63) = if u(63) < 1 then 5e300 else 0 - 5e-300);";
        check(&engine, text, &[], &[]);
        let threads: Vec<_> = (0..N_THREADS)
            .map(|nth| {
                let engine = engine.clone();
                thread::spawn(move || {
                    engine.function::<(f64, f64)>("work").unwrap().call((nth as f64, 3_000.0))
                })
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            let seen = u.get(63).unwrap();
            assert!([0.0, 5e300, -5e-300].contains(&seen), "{mode:?}: {seen}");
        }
        for (nth, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), Ok(0.0));
            assert_eq!(u.get(nth), Some(3_001.0), "{mode:?}");
        }
    }
}

/// The loop only reads an element.
#[test]
fn the_host_ends_a_loop() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[0.0, 1.0]);
        check(&engine, "def spin() for i = 0, u(1) in 0; def start() (u(0) = 2) + spin();", &[], &[]);
        let start = engine.function::<()>("start").unwrap();
        let running = thread::spawn(move || start.call(()));
        until(|| u.get(0) == Some(2.0), thread::yield_now);
        u.set(1, 0.0);
        assert_eq!(running.join().unwrap(), Ok(2.0), "{mode:?}");
    }
}

/// An array lives as long as the engine, also while code that names it runs.
#[test]
fn the_host_drops_its_handle_while_code_runs() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0; 1000]);
        check(&engine, "def sum(n) var s in (for i = 0, i < n - 1 in s = s + u(i)) + s;", &[], &[]);
        let sum = engine.function::<(f64,)>("sum").unwrap();
        let running = thread::spawn(move || (0..200).map(|_| sum.call((1000.0,)).unwrap()).sum::<f64>());
        drop((u, engine));
        assert_eq!(running.join().unwrap(), 200_000.0, "{mode:?}");
    }
}

#[test]
fn redefinition_around_arrays() {
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 3.0]);
        let text =
            "def weight(i) u(i); def total(n) var s in (for i = 0, i < n - 1 in s = s + weight(i)) + s;";
        check(&engine, text, &[], &[]);
        for round in 0..4 {
            check(&engine, "total(3); total(3); total(4);", &[6.0, 6.0], &["KLS3014"]);
            check(&engine, "def weight(i) u(i) * 2; total(3); total(4);", &[12.0], &["KLS3014"]);
            check(&engine, "def weight(i) u(2 - i) = u(2 - i) + 1; total(3);", &[9.0], &[]);
            check(&engine, "def weight(i) u(i); total(3);", &[9.0], &[]);
            u.copy_from(&[1.0, 2.0, 3.0]);
            assert_eq!(u.len(), 3, "{round}");
        }
    }
}

#[cfg(feature = "llvm")]
mod tier_up {
    use super::*;
    use kaleidoscope::{Statistics, Thresholds};

    fn tiered(u: &Array) -> (Engine, Statistics) {
        let statistics = Statistics::new();
        let builder = Engine::builder()
            .thresholds(Thresholds { calls: 5, back_edges: 10, delay: std::time::Duration::ZERO })
            .compile_threads(1);
        (builder.observer(statistics.clone()).bind_array("u", u).build().unwrap(), statistics)
    }

    /// In optimized code of a function, in inlined functions, and in OSR code.
    #[test]
    fn optimized_code_uses_arrays() {
        let u = Array::new(50);
        let (engine, statistics) = tiered(&u);
        let text = "def cell(i) u(i); def add(i x) u(i) = cell(i) + x;
            def f(n) (for i = 0, i < n - 1 in add(i, 1)) + u(n - 1);";
        check(&engine, text, &[], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        let mut expected = 0.0;
        let mut call = || {
            expected += 1.0;
            assert_eq!(f.call((50.0,)), Ok(expected));
        };
        until(|| statistics.totals().optimized.contains("f"), &mut call);
        call();
        let error = f.call((51.0,)).unwrap_err().to_string();
        let place = "index out of range in `cell` (text:1), called by `add` (text:1), `f` (text:2): `u` has 50 elements, the index is 50";
        assert_eq!(error, place);
        // A running loop that continues in OSR code, and traps there.
        let has_osr_code = || {
            let totals = statistics.totals();
            totals.compiled.iter().any(|code| code.osr_loop == Some(0) && &*code.code.name == "g")
        };
        check(
            &engine,
            "def g(n) var s in (for i = 0, i < n in s = s + cell(i - i) + (u(0) = 1)) + s;",
            &[],
            &[],
        );
        u.set(0, 1.0);
        until(has_osr_code, || check(&engine, "g(20000);", &[40_002.0], &[]));
        let text =
            "def h(n) var s in (for i = 0, i < n in s = s + cell(if i < 30000 then 1 else i)) + s; h(40000);";
        let outcome = engine.run(text);
        let errors: Vec<_> = outcome.diagnostics().map(|error| error.message.clone()).collect();
        assert_eq!(
            errors,
            ["index out of range in `cell`, called by `h`: `u` has 50 elements, the index is 30000"]
        );
    }

    #[test]
    fn the_host_ends_a_loop_in_optimized_code() {
        let u = Array::from_slice(&[1.0]);
        let (engine, statistics) = tiered(&u);
        check(&engine, "def spin() for i = 0, u(0) in 0;", &[], &[]);
        let spin = engine.function::<()>("spin").unwrap();
        let running = thread::spawn(move || spin.call(()));
        let is_osr = || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop == Some(0));
        until(is_osr, thread::yield_now);
        u.set(0, 0.0);
        assert_eq!(running.join().unwrap(), Ok(0.0));
    }
}
