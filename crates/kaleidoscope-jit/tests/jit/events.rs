//! Events and statistics: one event for each change in the life of a function.

use crate::program::{add, call, constant, ir};
use kaleidoscope_jit::{CallLimits, Event, HostFunction, Jit, Mode, Observer, Statistics, Trap};
use std::sync::{Arc, Mutex};

/// Records events in words.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<String>>>);

impl Record {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Record {
    fn observe(&self, event: &Event) {
        let line = match event {
            Event::Defined { code, .. } => format!("{} {} defined", code.name, code.version),
            Event::FirstCalled { code } => format!("{} {} called", code.name, code.version),
            Event::Compiled { code, tier, .. } => {
                format!("{} {} {} code", code.name, code.version, tier.name())
            }
            Event::Reclaimed { code, .. } => format!("{} {} reclaimed", code.name, code.version),
            Event::CompileFailed { code, reason } => format!("{} failed: {reason}", code.name),
            Event::Evaluated { code, .. } => format!("{} evaluated", code.name),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn the_life_of_a_function_in_events() {
    let record = Record::default();
    let jit = Jit::builder().mode(Mode::Baseline).observer(record.clone()).build().unwrap();
    let function = add(&jit, constant("f", 1.0));
    assert_eq!(record.take(), ["f 1 defined"]);
    call(&jit, function, &[]).unwrap();
    call(&jit, function, &[]).unwrap();
    assert_eq!(record.take(), ["f 1 called", "f 1 baseline code"]);
    jit.define(function, constant("f", 2.0)).unwrap();
    assert_eq!(record.take(), ["f 1 reclaimed", "f 2 defined"]);
    jit.compile(function, CallLimits::new()).unwrap();
    assert_eq!(record.take(), ["f 2 called", "f 2 baseline code"]);
    let expression = ir("function $1()\ncall #0/0");
    assert_eq!(jit.run_once(&expression, CallLimits::new()).unwrap(), 2.0);
    assert_eq!(record.take(), ["$1 evaluated"]);
}

#[test]
fn statistics_count_events() {
    let statistics = Statistics::new();
    let jit = Jit::builder().mode(Mode::Baseline).observer(statistics.clone()).build().unwrap();
    let (used, _unused) = (add(&jit, constant("used", 1.0)), add(&jit, constant("unused", 1.0)));
    // The interpreter runs the first call.
    for _ in 0..2 {
        call(&jit, used, &[]).unwrap();
    }
    let totals = statistics.totals();
    let names = |set: &std::collections::BTreeSet<Arc<str>>| set.iter().map(ToString::to_string).collect();
    let (defined, compiled): (Vec<String>, Vec<String>) =
        (names(&totals.defined), names(&totals.compiled_functions));
    assert_eq!((defined, compiled), (vec!["unused".into(), "used".into()], vec!["used".to_owned()]));
    assert!(totals.code_bytes > 0 && totals.ir_bytes > 0);
}

/// Panics at events whose code has this name.
struct Panics(&'static str);

impl Observer for Panics {
    fn observe(&self, event: &Event) {
        match event {
            Event::Defined { code, .. } | Event::FirstCalled { code } | Event::Compiled { code, .. } => {
                assert!(&*code.name != self.0, "the observer is broken");
            }
            _ => {}
        }
    }
}

#[test]
fn a_panic_of_an_observer_is_a_trap() {
    let jit = Jit::builder().mode(Mode::Baseline).observer(Panics("f")).build().unwrap();
    let function = jit.declare(0).unwrap();
    let defined = jit.define(function, constant("f", 1.0));
    assert!(matches!(&defined, Err(Trap::ObserverPanic { text }) if text == "the observer is broken"));
    assert!(jit.ir(function).is_some());
    let outer = add(&jit, ir("function outer()\ncall #0/0"));
    // The first call and the code are events of `f`; afterwards there is none.
    for _ in 0..2 {
        assert!(matches!(call(&jit, outer, &[]), Err(Trap::ObserverPanic { .. })));
    }
    assert_eq!(call(&jit, outer, &[]).unwrap(), 1.0);
}

/// Redefines a function when it is called for the first time.
struct Redefines(Mutex<Option<kaleidoscope_jit::WeakJit>>);

impl Observer for Redefines {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::FirstCalled { code } if code.version == 1) {
            let jit = self.0.lock().unwrap().take().and_then(|weak| weak.upgrade()).unwrap();
            let function = kaleidoscope_jit::ir::FunctionId::new(0);
            jit.define_host(function, HostFunction::new("host", |_| Ok(9.0))).unwrap();
        }
    }
}

#[test]
fn an_observer_may_call_the_engine() {
    for &mode in Mode::ALL {
        let observer = Arc::new(Redefines(Mutex::default()));
        let jit = Jit::builder().mode(mode).observer(Arc::clone(&observer)).build().unwrap();
        *observer.0.lock().unwrap() = Some(jit.downgrade());
        let function = add(&jit, constant("f", 1.0));
        assert_eq!(call(&jit, function, &[]).unwrap(), 9.0, "{mode:?}");
    }
}
