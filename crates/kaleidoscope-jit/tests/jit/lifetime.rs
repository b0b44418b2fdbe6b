//! The end of an engine: what it owns is freed with the last handle.

use crate::program::{add, call, constant, ir};
use kaleidoscope_jit::{HostFunction, Jit, Mode, WeakJit};
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn an_engine_ends_with_its_last_handle() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).build().unwrap();
        let probe = Arc::new(());
        let (held, weak) = (Arc::clone(&probe), jit.downgrade());
        let function = jit.declare(0).unwrap();
        let host = HostFunction::new("host", move |_| {
            let jit = weak.upgrade().ok_or("there is no engine")?;
            let _ = &held;
            Ok(jit.n_functions() as f64)
        });
        jit.define_host(function, host).unwrap();
        let outer = add(&jit, ir("function outer()\ncall #0/0"));
        assert_eq!(call(&jit, outer, &[]).unwrap(), 2.0);
        assert_eq!(Arc::strong_count(&probe), 2);
        let weak = jit.downgrade();
        drop(jit);
        assert_eq!(Arc::strong_count(&probe), 1);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn a_host_function_may_drop_handles() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).build().unwrap();
        let handles = Arc::new(Mutex::new(vec![jit.clone(), jit.clone()]));
        let function = jit.declare(0).unwrap();
        let held = Arc::clone(&handles);
        let host = HostFunction::new("host", move |_| {
            held.lock().unwrap().clear();
            Ok(1.0)
        });
        jit.define_host(function, host).unwrap();
        let outer = add(&jit, ir("function outer()\ncall #0/0"));
        assert_eq!(call(&jit, outer, &[]).unwrap(), 1.0);
        assert!(handles.lock().unwrap().is_empty());
        let weak = jit.downgrade();
        drop(jit);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn a_host_function_may_replace_itself() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).build().unwrap();
        let function = jit.declare(0).unwrap();
        let weak = jit.downgrade();
        let host = HostFunction::new("host", move |_| {
            weak.upgrade().ok_or("there is no engine")?.define(function, constant("f", 2.0))?;
            Ok(1.0)
        });
        jit.define_host(function, host).unwrap();
        let outer = add(&jit, ir("function outer()\ncall #0/0"));
        assert_eq!(call(&jit, outer, &[]).unwrap(), 1.0);
        assert_eq!(call(&jit, outer, &[]).unwrap(), 2.0);
    }
}

#[test]
fn handles_of_one_engine_work_on_all_threads() {
    let jit = Jit::new().unwrap();
    let function = add(&jit, ir("function f(x.0)\nget x.0\nnumber 1\nadd"));
    thread::scope(|scope| {
        for nth in 0..4 {
            let jit = jit.clone();
            scope.spawn(move || {
                assert_eq!(call(&jit, function, &[f64::from(nth)]).unwrap(), f64::from(nth + 1));
            });
        }
    });
}

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Jit>();
    check::<WeakJit>();
    check::<kaleidoscope_jit::Callable>();
    check::<kaleidoscope_jit::Trap>();
}
