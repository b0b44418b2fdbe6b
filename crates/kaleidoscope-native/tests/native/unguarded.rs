//! Raw calls of generated code: without a guarded call, code that needs the runtime ends the
//! process with a message.

use std::os::unix::process::ExitStatusExt;

use kaleidoscope_native::{CodeAddress, HostPool, StubPool};

use crate::support::{Script, child_output};

const SIGABRT: i32 = 6;

fn call_raw(code: CodeAddress) {
    // SAFETY: a function pointer and an address have the same size, and the stub has no parameters.
    let function = unsafe { std::mem::transmute::<usize, extern "C" fn() -> f64>(code.get()) };
    function();
}

/// Runs in the child processes.
fn misbehave(way: &str) {
    let stub = StubPool::new().allocate().unwrap();
    let host = HostPool::new().allocate(0).unwrap();
    match way {
        "lazy" => call_raw(stub.address()),
        "host" => call_raw(host.address()),
        "lazy inside a host function" => {
            let script = Script::new().host_call(|_, _| {
                call_raw(stub.address());
                Ok(0.0)
            });
            script.call(host.address(), &[]).unwrap();
        }
        "after a call has ended" => {
            let _ = Script::new().call(host.address(), &[]);
            call_raw(host.address());
        }
        other => panic!("{other:?} is not one of the ways"),
    }
}

#[test]
fn a_raw_call_that_needs_the_runtime_aborts() {
    for (way, origin) in [
        ("lazy", "the lazy entry of stub 0"),
        ("host", "host function 0"),
        ("lazy inside a host function", "the lazy entry of stub 0"),
        ("after a call has ended", "host function 0"),
    ] {
        let test = "unguarded::a_raw_call_that_needs_the_runtime_aborts";
        let Some(output) = child_output(test, way, misbehave) else { return };
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{way}: {message}");
        assert!(message.contains(origin), "{way}: {message}");
        assert!(message.contains("without having been entered by a guarded call"), "{way}: {message}");
    }
}

#[test]
fn a_standalone_function_needs_no_runtime() {
    let pool = HostPool::new();
    let stub = pool.allocate_standalone(10, |args| args[0] + 10.0 * args[9]).unwrap();
    let panics = pool.allocate_standalone(0, |_| panic!("on purpose")).unwrap();
    drop(pool);
    type Ten = extern "C" fn(f64, f64, f64, f64, f64, f64, f64, f64, f64, f64) -> f64;
    // SAFETY: a function pointer and an address have the same size, and the stub has ten
    // parameters.
    let function = unsafe { std::mem::transmute::<usize, Ten>(stub.address().get()) };
    assert_eq!(function(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0), 21.0);
    call_raw(panics.address());

    // In a guarded call, the runtime computes the value.
    let script = Script::new().host_call(|id, args| {
        assert_eq!(id, stub.id());
        Ok(args[9])
    });
    let args: Vec<f64> = (0..10).map(f64::from).collect();
    assert_eq!(script.call(stub.address(), &args).unwrap(), 9.0);
}
