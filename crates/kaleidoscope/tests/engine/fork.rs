//! Fork: a new engine with the definitions of another one.

use crate::{check, engine};
use kaleidoscope::{Engine, Mode, OutputBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn a_fork_has_the_definitions_and_is_independent() {
    for &mode in Mode::ALL {
        let first = engine(mode);
        check(
            &first,
            "def f(x) x; def f(x) x + 1; def g(x) f(x) * later(x); def binary% 35 (a b) a * b;",
            &[],
            &["KLS2003"],
        );
        check(&first, "extern sleep(x); def later(x) 2; g(1); g(1);", &[4.0, 4.0], &[]);
        first.remove("cos").unwrap();
        let formula = first.formula("f(x) * 10", &["x"]).unwrap();
        let second = first.fork().unwrap();
        assert_eq!(second.mode(), mode);
        check(
            &second,
            "g(1); 1 + 2 % 3; sleep(1); cos(0); sin(0);",
            &[4.0, 7.0, 0.0],
            &["KLS3003", "KLS2002"],
        );
        check(&second, "def f(x) x + 2; g(1); g(1);", &[6.0, 6.0], &[]);
        check(&first, "def later(x) 3; g(1);", &[6.0], &[]);
        check(&second, "g(1);", &[6.0], &[]);
        assert_eq!(formula.call(&[1.0]).unwrap(), 20.0);
        let other = second.formula("f(x) * 10", &["x"]).unwrap();
        assert_eq!((other.call(&[1.0]).unwrap(), formula.call(&[1.0]).unwrap()), (30.0, 20.0));
        assert_eq!(first.functions().len(), second.functions().len());

        drop(first);
        check(&second, "def f(x y) x; g(1);", &[], &["KLS3002"]);
        let third = second.fork().unwrap().fork().unwrap();
        check(&third, "g(1); def f(x) 0; g(1);", &[0.0], &["KLS3002"]);
    }
}

#[test]
fn a_fork_shares_closures_and_output_of_the_host() {
    let n_calls = Arc::new(AtomicU32::new(0));
    let output = OutputBuffer::default();
    for &mode in Mode::ALL {
        let counter = Arc::clone(&n_calls);
        let first = Engine::builder()
            .mode(mode)
            .output(output.clone())
            .register("count", move || f64::from(counter.fetch_add(1, Ordering::Relaxed)))
            .build()
            .unwrap();
        check(&first, "def twice() count() + count(); twice(); printd(1);", &[1.0, 0.0], &[]);
        let second = first.fork().unwrap();
        check(&second, "twice(); printd(2);", &[5.0, 0.0], &[]);
        second.register("count", || 100.0).unwrap();
        check(&second, "twice();", &[200.0], &[]);
        drop(second);
        check(&first, "twice();", &[9.0], &[]);
        assert_eq!((n_calls.swap(0, Ordering::Relaxed), output.take().as_str()), (6, "1\n2\n"));
    }
}

#[test]
fn an_engine_with_other_settings_can_have_the_definitions() {
    for &mode in Mode::ALL {
        let first = engine(Mode::default());
        check(&first, "def f(x) sin(x) + 1; def g(x) x;", &[], &[]);
        let builder = Engine::builder().mode(mode).definitions_of(&first).provide_only(["cos"]);
        let second = builder.max_functions(2).build().unwrap();
        check(&second, "cos(0); f(0); def h(x) x;", &[1.0], &["KLS3001", "KLS4006"]);
        check(&first, "f(0);", &[1.0], &[]);
    }
}
