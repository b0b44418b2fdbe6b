//! Both sides in one program, with a code generator that always returns the same function.

use super::interface;
use crate::interface::Interface;
use crate::remote::Remote;
use kaleidoscope_ir::compile::{
    Backend, Code, CodeGenerator, CompileError, CompileTimes, Listing, Optimization, Settings, Unit,
};
use kaleidoscope_ir::{Function, FunctionId, Op};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

static INTERFACE: Interface = interface::<SameFunction>();

/// The numbers of live code generators and codes.
static N_GENERATORS: AtomicUsize = AtomicUsize::new(0);
static N_CODES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug, Default)]
struct SameFunction;

/// Counted while it lives.
struct Generator {
    _counted: Counted,
}

/// Counts as long as it lives.
struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backend for SameFunction {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        match settings.optimization {
            Optimization::None => Err(CompileError::Failed("none here".to_owned())),
            Optimization::Less => panic!("no start"),
            _ => Ok(Box::new(Generator { _counted: Counted::new(&N_GENERATORS) })),
        }
    }
}

extern "C" fn triple(x: f64) -> f64 {
    3.0 * x
}

// SAFETY: every unit of the tests has one parameter, as the function has, which is part of the
// program.
unsafe impl CodeGenerator for Generator {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        assert_eq!(unit.function.n_params, 1, "one parameter");
        Ok(Code {
            address: triple as *const () as usize,
            bytes: 12,
            times: CompileTimes::default(),
            exits: Vec::new(),
            debug_object: None,
            keep: Box::new(Counted::new(&N_CODES)),
        })
    }

    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        Ok(format!("{listing:?} of {}: {names:?}", unit.function.name))
    }
}

fn start(optimization: Optimization) -> Result<Remote, CompileError> {
    // SAFETY: the interface is that of a backend of this program.
    unsafe {
        Remote::start(
            &INTERFACE,
            &Settings { optimization, maths: Vec::new(), host_maths: Vec::new(), has_debug_info: false },
        )
    }
}

fn unit(n_params: u32) -> Unit {
    let function = Function::new("f", n_params, [], [Op::Number(1.0)], 1);
    Unit::new(Arc::new(function), None, 1, BTreeMap::new(), BTreeMap::new())
}

#[track_caller]
fn check_failed<T>(result: Result<T, CompileError>, expected: &str) {
    match result {
        Err(CompileError::Failed(reason)) => assert_eq!(reason, expected),
        Err(CompileError::UnknownMachine(_) | CompileError::TooLarge) => panic!("another error"),
        Ok(_) => panic!("there is something"),
    }
}

/// One test, because it counts what is alive in the process.
#[test]
fn generators_and_code_are_dropped_on_the_other_side() {
    let mut remote = start(Optimization::Default).unwrap();
    let code = remote.generate(&unit(1)).unwrap();
    assert_eq!((code.address, code.bytes), (triple as *const () as usize, 12));
    check_failed(
        remote.generate(&unit(2)),
        "the code generator panicked: assertion `left == right` failed: one parameter\n  left: 2\n right: 1",
    );
    // The code generator still works after a panic.
    let names = BTreeMap::from([(FunctionId::new(3), "g".to_owned())]);
    let text = remote.list(&unit(1), Listing::Llvm, &names).unwrap();
    assert_eq!(text, r#"Llvm of f: {FunctionId(3): "g"}"#);

    assert_eq!(N_GENERATORS.load(Ordering::Relaxed), 1);
    drop(remote);
    assert_eq!(N_GENERATORS.load(Ordering::Relaxed), 0);
    // Code outlives its generator, and any thread can free it.
    assert_eq!(N_CODES.load(Ordering::Relaxed), 1);
    std::thread::spawn(move || drop(code.keep)).join().unwrap();
    assert_eq!(N_CODES.load(Ordering::Relaxed), 0);

    check_failed(start(Optimization::None), "none here");
    check_failed(start(Optimization::Less), "the code generator panicked: no start");
}
