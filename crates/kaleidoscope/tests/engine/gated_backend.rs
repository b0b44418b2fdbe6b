//! A backend that compiles when a test lets it: tests do something while code is compiled.

use kaleidoscope::ir::FunctionId;
use kaleidoscope::ir::compile::{
    Backend, Code, CodeGenerator, CodeKind, CompileError, Listing, Settings, Unit,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// A compiler that waits at a gate until it is opened. It compiles functions of one parameter, all
/// as `x + 1`, and refuses expressions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    state: Arc<(Mutex<bool>, Condvar)>,
    n_begun: Arc<AtomicUsize>,
    n_compiled: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.state.0.lock().unwrap() = true;
        self.state.1.notify_all();
    }

    pub(crate) fn n_begun(&self) -> usize {
        self.n_begun.load(Ordering::Relaxed)
    }

    pub(crate) fn n_compiled(&self) -> usize {
        self.n_compiled.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    /// Compile threads end when their engine does, whatever becomes of the test.
    fn drop(&mut self) {
        self.open();
    }
}

impl Backend for Gate {
    fn start(&self, _: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        let Self { state, n_begun, n_compiled } = self;
        let (state, n_begun, n_compiled) = (Arc::clone(state), Arc::clone(n_begun), Arc::clone(n_compiled));
        Ok(Box::new(Gated { state, n_begun, n_compiled }))
    }
}

struct Gated {
    state: Arc<(Mutex<bool>, Condvar)>,
    n_begun: Arc<AtomicUsize>,
    n_compiled: Arc<AtomicUsize>,
}

extern "C" fn add_one(x: f64) -> f64 {
    x + 1.0
}

// SAFETY: the function has one parameter, as each function of these tests, and is part of the
// program.
#[allow(unsafe_code, reason = "a code generator vouches for its code")]
unsafe impl CodeGenerator for Gated {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        self.n_begun.fetch_add(1, Ordering::Relaxed);
        let is_open = self.state.0.lock().unwrap();
        drop(self.state.1.wait_while(is_open, |is_open| !*is_open).unwrap());
        if unit.id.is_none() || unit.kind != CodeKind::Function {
            return Err(CompileError::Failed("only functions".to_owned()));
        }
        self.n_compiled.fetch_add(1, Ordering::Relaxed);
        Ok(Code {
            address: add_one as *const () as usize,
            bytes: 1,
            times: Default::default(),
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
