//! Backends: a code generator starts when a program needs code, not before, and gets units that it
//! can compile.

use crate::{check, until};
use kaleidoscope::ir::FunctionId;
use kaleidoscope::ir::compile::{
    Backend, Code, CodeGenerator, CodeKind, CompileError, CompileTimes, Listing, Settings, Unit,
};
use kaleidoscope::{Engine, Mode, Statistics, Thresholds};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn programs_that_need_no_code_start_no_code_generator() {
    let n_started = Arc::new(AtomicUsize::new(0));
    let backend = CountingBackend(Arc::clone(&n_started));
    let engine = Engine::builder().mode(Mode::Lazy).backend(backend).build().unwrap();
    engine
        .run(
            "def f(x) f(x) + sin(x); def binary| (a b) a; extern g(x);
         1 + 2 * 3; var a = 1 in a = 2; sqrt(2); 2 ^ 0.5;",
        )
        .ok()
        .unwrap();
    assert_eq!(n_started.load(Ordering::Relaxed), 0);
    engine.run("1 | 2;").ok().unwrap();
    assert_eq!(n_started.load(Ordering::Relaxed), 1);
}

/// Counts how many code generators start.
#[derive(Debug)]
struct CountingBackend(Arc<AtomicUsize>);

impl Backend for CountingBackend {
    fn start(&self, _: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(RefusingGenerator))
    }
}

/// Refuses to compile.
struct RefusingGenerator;

// SAFETY: it generates no code.
#[allow(unsafe_code, reason = "a code generator vouches for its code")]
unsafe impl CodeGenerator for RefusingGenerator {
    fn generate(&mut self, _: &Unit) -> Result<Code, CompileError> {
        Err(CompileError::TooLarge)
    }

    fn list(
        &mut self,
        _: &Unit,
        _: Listing,
        _: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        Err(CompileError::TooLarge)
    }
}

/// A function whose unit is too large with everything inlined is optimized with less inlined, and
/// not given up.
#[test]
fn units_that_are_too_large_are_compiled_with_less_inlined() {
    for most_inlined in [0, 20, 40, 1_000] {
        let n_inlined = Arc::new(Mutex::new(Vec::new()));
        let backend = LimitedBackend { most_inlined, n_inlined: Arc::clone(&n_inlined) };
        let statistics = Statistics::new();
        let thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };
        let builder =
            Engine::builder().mode(Mode::Tiered).thresholds(thresholds).observer(statistics.clone());
        let engine = builder.backend(backend).build().unwrap();
        let calls = "+ neg(x)".repeat(60);
        check(&engine, &format!("def neg(x) 0 - x; def f(x) x {calls} + x * 59 + 1;"), &[], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        until(|| statistics.totals().optimized.contains("f"), || assert_eq!(f.call((3.0,)).unwrap(), 1.0));
        let tried = n_inlined.lock().unwrap();
        assert_eq!(tried[0], 60, "everything is tried first");
        assert!(tried.is_sorted_by(|more, less| more >= less), "{tried:?}");
        let last = *tried.last().unwrap();
        let least = most_inlined.min(60) * 3 / 4;
        assert!((least..=most_inlined).contains(&last), "{last} of at most {most_inlined} are inlined");
    }
}

/// Compiles units with at most this number of inlined calls, all as `1`, and notes how many there
/// were.
#[derive(Clone, Debug)]
struct LimitedBackend {
    most_inlined: usize,
    n_inlined: Arc<Mutex<Vec<usize>>>,
}

impl Backend for LimitedBackend {
    fn start(&self, _: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        Ok(Box::new(self.clone()))
    }
}

extern "C" fn one(_: f64) -> f64 {
    1.0
}

// SAFETY: the function has one parameter, as each function of the test, and is part of the program.
#[allow(unsafe_code, reason = "a code generator vouches for its code")]
unsafe impl CodeGenerator for LimitedBackend {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        let n_inlined = unit.instances().iter().map(|instance| instance.inlined.len()).sum();
        if &*unit.function.name != "f" || unit.kind != CodeKind::Function {
            return Err(CompileError::Failed("only f".to_owned()));
        }
        self.n_inlined.lock().unwrap().push(n_inlined);
        if n_inlined > self.most_inlined {
            return Err(CompileError::TooLarge);
        }
        Ok(Code {
            address: one as *const () as usize,
            bytes: 1,
            times: CompileTimes::default(),
            exits: Vec::new(),
            debug_object: None,
            keep: Box::new(()),
        })
    }

    fn list(
        &mut self,
        _: &Unit,
        _: Listing,
        _: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        Err(CompileError::TooLarge)
    }
}
