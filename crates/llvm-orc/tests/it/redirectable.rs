//! Redirectable functions: pointed elsewhere while threads call them, and former code that is freed
//! when no thread is inside.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use llvm_orc::{Address, Dylib, ErrorKind, Jit, Memory, OwnedSymbol};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant};
use crate::time_limit::within_limit;

fn version(dylib: &Dylib, name: &str, value: f64) -> OwnedSymbol<Nullary> {
    let object = compiler().compile(|cx| constant(cx, name, value)).unwrap();
    let tracker = Arc::new(dylib.add_object(&object).unwrap());
    // SAFETY: the function belongs to the tracker and has this type.
    unsafe { tracker.lookup_owned_fn(name) }.unwrap()
}

fn dylib(memory: Memory) -> (Jit, Dylib) {
    let jit = Jit::builder().memory(memory).build().unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    (jit, dylib)
}

#[test]
fn a_stub_leads_to_its_latest_target() {
    for memory in [Memory::Slabs, Memory::Pages] {
        let (_jit, dylib) = dylib(memory);
        let (one, two) = (version(&dylib, "f.1", 1.0), version(&dylib, "f.2", 2.0));
        // SAFETY: the targets have this type and are called by this crate.
        let f = unsafe { dylib.define_redirectable("f", &one) }.unwrap();
        let address = f.address();
        assert_eq!((dylib.lookup("f").unwrap(), f.target()), (address, one.address()));
        // Generated code calls the stub by its name.
        let object = compiler().compile(|cx| {
            let module = cx.create_module("g");
            let f64 = cx.f64_type();
            let f = module.add_function("f", f64.fn_type(&[], false), None);
            crate::test_kit::function(cx, &module, "g", 0, |b, _| {
                let value = b.build_call(f, &[], "").unwrap().try_as_basic_value().unwrap_basic();
                b.build_return(Some(&value)).unwrap();
            });
            module
        });
        let caller = dylib.add_object(&object.unwrap()).unwrap();
        // SAFETY: the function has this type.
        let g = unsafe { caller.lookup_fn::<Nullary>("g") }.unwrap();
        assert_eq!((f.call(()), g.call(())), (1.0, 1.0));
        f.redirect(&two);
        assert_eq!((f.call(()), g.call(())), (2.0, 2.0));
        assert_eq!((f.address(), f.target()), (address, two.address()));
        f.redirect(&one);
        assert_eq!((f.clone().call(()), g.call(())), (1.0, 1.0));
        // SAFETY: as above.
        let again = unsafe { dylib.define_redirectable("f", &one) }.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Duplicate, "{again}");
    }
}

#[test]
fn the_name_is_free_when_the_last_handle_is_dropped() {
    let (_jit, dylib) = dylib(Memory::Slabs);
    for n in 0..3 {
        let target = version(&dylib, &format!("f.{n}"), f64::from(n));
        // SAFETY: the targets have this type and are called by this crate.
        let f = unsafe { dylib.define_redirectable("f", &target) }.unwrap();
        let other = f.clone();
        drop(f);
        assert_eq!(other.call(()), f64::from(n));
        drop(other);
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// A thread stays in the first version while the function is redirected: its code stays until the
/// thread has left, and not longer.
#[test]
fn former_code_is_freed_when_the_last_thread_leaves_it() {
    static INSIDE: Barrier = Barrier::new(2);
    static LEAVE: AtomicBool = AtomicBool::new(false);
    extern "C" fn wait(x: f64) -> f64 {
        INSIDE.wait();
        while !LEAVE.load(Ordering::Acquire) {
            thread::yield_now();
        }
        x
    }
    crate::own_process::in_own_process(
        "redirectable::former_code_is_freed_when_the_last_thread_leaves_it",
        || {
            within_limit(|| {
                let (jit, dylib) = dylib(Memory::Slabs);
                let wait = Address::from(wait as *const ());
                // SAFETY: the function has the type that `calling` gives its callee, and always
                // exists.
                unsafe { dylib.define_absolute([("wait", wait)]) }.unwrap();
                let version = |name: &str| {
                    let object = compiler().compile(|cx| calling(cx, name, "wait")).unwrap();
                    let tracker = Arc::new(dylib.add_object(&object).unwrap());
                    // SAFETY: the function belongs to the tracker and has this type.
                    unsafe { tracker.lookup_owned_fn::<Unary>(name) }.unwrap()
                };
                // SAFETY: the targets have this type and are called by this crate.
                let f = unsafe { dylib.define_redirectable("f", &version("f.1")) }.unwrap();
                let running = thread::spawn({
                    let f = f.clone();
                    move || f.call((7.0,))
                });
                INSIDE.wait();
                f.redirect(&version("f.2"));
                assert_eq!(jit.reclaim(), 1, "a thread is inside the first version");
                assert!(dylib.lookup("f.1").is_ok());
                LEAVE.store(true, Ordering::Release);
                assert_eq!(running.join().unwrap(), 7.0);
                // The thread that left has freed it.
                assert_eq!(dylib.lookup("f.1").unwrap_err().kind(), ErrorKind::NotFound);
                assert_eq!(jit.reclaim(), 0);
            });
        },
    );
}

/// No thread is inside: the end of the next call frees what a stub was redirected from, and what is
/// retired is freed at once.
#[test]
fn code_that_no_thread_is_inside_of_is_freed() {
    crate::own_process::in_own_process("redirectable::code_that_no_thread_is_inside_of_is_freed", || {
        let (_jit, dylib) = dylib(Memory::Slabs);
        let is_there = |name| dylib.lookup(name).is_ok();
        // SAFETY: the targets have this type and are called by this crate.
        let f = unsafe { dylib.define_redirectable("f", &version(&dylib, "f.1", 1.0)) }.unwrap();
        f.redirect(&version(&dylib, "f.2", 2.0));
        assert!(is_there("f.1"));
        assert_eq!(f.call(()), 2.0);
        assert!(!is_there("f.1") && is_there("f.2"));
        drop(f);
        assert!(!is_there("f.2"));
    });
}

/// The system refuses the fence that it promised: code stays, and nothing panics.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn code_stays_where_membarrier_is_refused() {
    use std::ffi::{c_int, c_ulong};
    const PR_SET_NO_NEW_PRIVS: c_int = 38;
    const PR_SET_SECCOMP: c_int = 22;
    const SECCOMP_MODE_FILTER: c_ulong = 2;
    const MEMBARRIER: u32 = 324;
    /// An instruction of the filter, and the filter, as `linux/filter.h` has them.
    #[repr(C)]
    struct Instruction(u16, u8, u8, u32);
    #[repr(C)]
    struct Filter(u16, *const Instruction);
    // SAFETY: the signature is that of the C library.
    unsafe extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
    }
    crate::own_process::in_own_process("redirectable::code_stays_where_membarrier_is_refused", || {
        let (jit, dylib) = dylib(Memory::Slabs);
        // SAFETY: the targets have this type and are called by this crate.
        let f = unsafe { dylib.define_redirectable("f", &version(&dylib, "f.1", 1.0)) }.unwrap();
        assert_eq!(f.call(()), 1.0);
        // Loads the call's number. If it is that of `membarrier`, the result is EPERM.
        let instructions = [
            Instruction(0x20, 0, 0, 0),
            Instruction(0x15, 0, 1, MEMBARRIER),
            Instruction(0x06, 0, 0, 0x0005_0001),
            Instruction(0x06, 0, 0, 0x7fff_0000),
        ];
        let filter = Filter(4, instructions.as_ptr());
        let (zero, one): (c_ulong, c_ulong) = (0, 1);
        // SAFETY: the option gets the arguments that the system expects.
        let has_no_new = unsafe { prctl(PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) };
        // SAFETY: as above. The filter outlives the call.
        let is_set = unsafe { prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &raw const filter, zero, zero) };
        if (has_no_new, is_set) != (0, 0) {
            eprintln!("the system has no filters of system calls: nothing is tested");
            return;
        }
        f.redirect(&version(&dylib, "f.2", 2.0));
        assert_eq!(f.call(()), 2.0);
        assert_eq!(jit.reclaim(), 1);
        assert!(dylib.lookup("f.1").is_ok());
        drop(f);
        assert!(dylib.lookup("f.2").is_ok());
    });
}

/// Code that is retired by a tracker: the names are free at once.
#[test]
fn retired_code_runs_to_its_end() {
    static INSIDE: Barrier = Barrier::new(2);
    static LEAVE: AtomicBool = AtomicBool::new(false);
    extern "C" fn wait(x: f64) -> f64 {
        INSIDE.wait();
        while !LEAVE.load(Ordering::Acquire) {
            thread::yield_now();
        }
        x
    }
    within_limit(|| {
        let (_jit, dylib) = dylib(Memory::Slabs);
        let wait = Address::from(wait as *const ());
        // SAFETY: the function has the type that `calling` gives its callee, and always exists.
        unsafe { dylib.define_absolute([("wait", wait)]) }.unwrap();
        let object = compiler().compile(|cx| calling(cx, "f", "wait")).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        // SAFETY: the function has this type.
        let f = unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap();
        thread::scope(|scope| {
            let running = scope.spawn(|| f.call((3.0,)));
            INSIDE.wait();
            tracker.retire().unwrap();
            assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
            let again = dylib.add_object(&compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap()).unwrap();
            assert!(again.lookup("f").is_ok());
            LEAVE.store(true, Ordering::Release);
            assert_eq!(running.join().unwrap(), 3.0);
        });
    });
}

/// Threads call while another one redirects and new versions take the memory of former ones.
#[test]
fn threads_call_while_the_function_is_redirected() {
    within_limit(|| {
        let (_jit, dylib) = dylib(Memory::Slabs);
        let first = version(&dylib, "f.0", 0.0);
        // SAFETY: the targets have this type and are called by this crate.
        let f = unsafe { dylib.define_redirectable("f", &first) }.unwrap();
        drop(first);
        let (latest, stop) = (AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let before = latest.load(Ordering::Acquire);
                        let value = f.call(());
                        assert!(value >= f64::from(before), "{value} after {before}");
                    }
                });
            }
            for n in 1..=200 {
                f.redirect(&version(&dylib, &format!("f.{n}"), f64::from(n)));
                latest.store(n, Ordering::Release);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(f.call(()), 200.0);
    });
}
