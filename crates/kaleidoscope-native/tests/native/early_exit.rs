//! Early exits: a trap or a panic of the runtime ends the innermost call, and later calls work.

use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

use kaleidoscope_native::{HostPool, StubPool, Trap};

use crate::support::{Script, add_one, code, panic_text, text};

#[test]
fn a_failing_materialization_ends_the_call() {
    let stubs = StubPool::new();
    let stub = stubs.allocate().unwrap();
    let failing = Script::new().materialize(|_| Err(Trap::error("no code")));
    assert_eq!(text(failing.call(stub.address(), &[1.0])), "no code");
    assert_eq!(stub.target(), None);
    // The stub works when there is code later.
    let working = Script::new().materialize(|_| Ok(code(add_one as *const ())));
    assert_eq!(working.call(stub.address(), &[1.0]).unwrap(), 2.0);
}

#[test]
fn a_panic_while_materializing_ends_the_call() {
    let stubs = StubPool::new();
    let stub = stubs.allocate().unwrap();
    let script = Script::new().materialize(|_| panic_any("the compiler broke"));
    for _ in 0..3 {
        assert_eq!(panic_text(script.call(stub.address(), &[])), "the compiler broke");
    }
}

#[test]
fn a_failing_or_panicking_host_function_ends_the_call() {
    let hosts = HostPool::new();
    let fails = hosts.allocate(0).unwrap();
    let panics = hosts.allocate(9).unwrap();
    let script = Script::new().host_call(|id, args| {
        if id == fails.id() { Err(Trap::error("closed")) } else { panic_any(["", "nine"][args.len() / 9]) }
    });
    assert_eq!(text(script.call(fails.address(), &[])), "closed");
    assert_eq!(panic_text(script.call(panics.address(), &[0.0; 9])), "nine");
}

/// Nests calls of a host function five levels deep, then runs `at_the_bottom`.
fn nest(
    at_the_bottom: impl Fn() -> Result<f64, Trap> + Sync,
    on_return: fn(Result<f64, Trap>) -> Result<f64, Trap>,
) -> Result<f64, Trap> {
    let host = HostPool::new().allocate(1).unwrap();
    let stub = StubPool::new().allocate().unwrap();
    let nested = |x: f64| {
        // Each level has a runtime of its own: confused activations would call the wrong one.
        Level { x, host: &host, stub: &stub, at_the_bottom: &at_the_bottom, on_return }.call()
    };
    nested(5.0)
}

struct Level<'a> {
    x: f64,
    host: &'a kaleidoscope_native::HostStub,
    stub: &'a kaleidoscope_native::Stub,
    at_the_bottom: &'a (dyn Fn() -> Result<f64, Trap> + Sync),
    on_return: fn(Result<f64, Trap>) -> Result<f64, Trap>,
}

impl Level<'_> {
    fn call(&self) -> Result<f64, Trap> {
        let script = Script::new().materialize(|_| Ok(self.host.address())).host_call(|_, args| {
            assert_eq!(args, [self.x]);
            if self.x == 0.0 {
                return (self.at_the_bottom)();
            }
            let nested = (self.on_return)(Self { x: self.x - 1.0, ..*self }.call());
            // This level's activation is the innermost again.
            assert_eq!(Script::new().call(code(add_one as *const ()), &[self.x]).unwrap(), self.x + 1.0);
            nested.map(|value| value + 1.0)
        });
        script.call(self.stub.address(), &[self.x])
    }
}

#[test]
fn host_functions_may_call_back() {
    assert_eq!(nest(|| Ok(100.0), |nested| nested).unwrap(), 105.0);
}

#[test]
fn a_trap_ends_only_the_innermost_call() {
    let caught = nest(|| Err(Trap::error("deep")), |nested| if nested.is_err() { Ok(7.0) } else { nested });
    assert_eq!(caught.unwrap(), 12.0);
    assert_eq!(text(nest(|| Err(Trap::error("deep")), |nested| nested)), "deep");
}

#[test]
fn a_panic_passes_level_by_level() {
    let raised = nest(
        || panic_any("deep"),
        |nested| match nested {
            Err(Trap::Panic(payload)) => resume_unwind(payload),
            other => other,
        },
    );
    assert_eq!(panic_text(raised), "deep");
    // The chain of activations is empty again.
    assert_eq!(nest(|| Ok(0.0), |nested| nested).unwrap(), 5.0);
}

#[test]
fn a_panic_caught_by_the_runtime_itself_disturbs_nothing() {
    let host = HostPool::new().allocate(0).unwrap();
    let script = Script::new().host_call(|_, _| {
        let nested = Script::new().host_call(|_, _| panic_any("inner"));
        let result = catch_unwind(AssertUnwindSafe(|| match nested.call(host.address(), &[]) {
            Err(Trap::Panic(payload)) => resume_unwind(payload),
            other => other,
        }));
        assert!(result.is_err());
        Err(Trap::error("outer"))
    });
    assert_eq!(text(script.call(host.address(), &[])), "outer");
}

/// Generated code that calls a host function through its slot. The frame is skipped when that
/// fails.
extern "C" fn calls_host(slot: f64) -> f64 {
    let slot = slot.to_bits() as *const extern "C" fn() -> f64;
    // SAFETY: the test passes the address of the slot of a stub of no parameters.
    let host = unsafe { slot.read_volatile() };
    host() + 1.0
}

#[test]
fn a_backtrace_walks_through_the_entries() {
    let stub = StubPool::new().allocate().unwrap();
    let host = HostPool::new().allocate(0).unwrap();
    let check = || {
        let frames = Backtrace::force_capture().to_string();
        let (_, below) =
            frames.split_once("x86_64::enter").expect("a walk through the entry finds the other end");
        assert!(below.contains("__rust_begin_short_backtrace"), "{frames}");
    };
    let script = Script::new()
        .materialize(|_| {
            check();
            Ok(host.address())
        })
        .host_call(|_, _| {
            check();
            Ok(1.0)
        });
    assert_eq!(script.call(stub.address(), &[]).unwrap(), 1.0);
}

#[test]
fn generated_frames_are_skipped() {
    let stub = StubPool::new().allocate().unwrap();
    let slot = f64::from_bits(stub.slot_address() as u64);
    let host = HostPool::new().allocate(0).unwrap();
    let n_calls = std::sync::atomic::AtomicU32::new(0);
    let script = Script::new().materialize(|_| Ok(host.address())).host_call(|_, _| {
        match n_calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
            0 => Ok(41.0),
            _ => Err(Trap::error("enough")),
        }
    });
    for _ in 0..1_000 {
        assert_eq!(script.call(code(calls_host as *const ()), &[slot]).unwrap(), 42.0);
        assert_eq!(text(script.call(code(calls_host as *const ()), &[slot])), "enough");
    }
}
