//! Arguments arrive, however many, through every entry.

use kaleidoscope_native::{HostPool, StubPool};

use crate::support::{Script, digest, digests, squares};

#[test]
fn a_guarded_call_passes_all_arguments() {
    for (arity, &target) in digests().iter().enumerate() {
        let args = squares(arity);
        assert_eq!(Script::new().call(target, &args).unwrap(), digest(&args), "{arity} arguments");
    }
}

#[test]
fn the_lazy_entry_keeps_all_arguments() {
    let stubs = StubPool::new();
    for (arity, &target) in digests().iter().enumerate() {
        let stub = stubs.allocate().unwrap();
        let script = Script::new().materialize(|id| {
            assert_eq!(id, stub.id());
            // SAFETY: the stub is called with `arity` arguments, and the target is never freed.
            unsafe { stub.redirect(target) };
            Ok(target)
        });
        let args = squares(arity);
        assert_eq!(
            script.call(stub.address(), &args).unwrap(),
            digest(&args),
            "{arity} arguments, first call"
        );
        assert_eq!(stub.target(), Some(target));
        assert_eq!(
            Script::new().call(stub.address(), &args).unwrap(),
            digest(&args),
            "{arity} arguments, second call"
        );
    }
}

#[test]
fn a_host_function_gets_all_arguments() {
    let hosts = HostPool::new();
    for arity in (0..=20).chain([1_000, 100_000]) {
        let host = hosts.allocate(arity).unwrap();
        let args = squares(arity as usize);
        let script = Script::new().host_call(|id, got| {
            assert_eq!(id, host.id());
            assert_eq!(got, args);
            Ok(f64::from(arity))
        });
        assert_eq!(script.call(host.address(), &args).unwrap(), f64::from(arity));
    }
}

#[test]
fn a_stub_can_lead_to_a_host_function() {
    let stubs = StubPool::new();
    let stub = stubs.allocate().unwrap();
    let host = HostPool::new().allocate(12).unwrap();
    let script = Script::new().materialize(|_| Ok(host.address())).host_call(|_, args| Ok(digest(args)));
    let args = squares(12);
    assert_eq!(script.call(stub.address(), &args).unwrap(), digest(&args));
}
