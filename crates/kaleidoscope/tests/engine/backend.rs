//! Backends: a code generator starts when a program needs code, not before.

use kaleidoscope::ir::FunctionId;
use kaleidoscope::ir::compile::{Backend, Code, CodeGenerator, CompileError, Listing, Settings, Unit};
use kaleidoscope::{Engine, Mode};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn programs_that_need_no_code_start_no_code_generator() {
    let n_started = Arc::new(AtomicUsize::new(0));
    let backend = CountingBackend(Arc::clone(&n_started));
    let engine = Engine::builder().mode(Mode::Lazy).backend(backend).build().unwrap();
    engine.run(
        "def f(x) f(x) + sin(x); def binary| (a b) a; extern g(x);
         1 + 2 * 3; var a = 1 in a = 2; sqrt(2); 2 ^ 0.5;",
    );
    assert_eq!(n_started.load(Ordering::Relaxed), 0);
    engine.run("1 | 2;");
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
