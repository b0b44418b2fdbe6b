//! Threads: many use one stub while its code changes, and each keeps its own state.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use kaleidoscope_native::{ErrorKind, HostPool, StubPool, Trap};

use crate::support::{Script, add_one, add_two, child, code};

const N_THREADS: usize = 8;

#[test]
fn callers_see_one_version_or_the_other() {
    let stub = StubPool::new().allocate().unwrap();
    let n_lazy = AtomicU32::new(0);
    let script = Script::new().materialize(|_| {
        n_lazy.fetch_add(1, Ordering::Relaxed);
        Ok(code(add_one as *const ()))
    });
    // The first call finds no code, however the threads below are scheduled.
    assert_eq!(script.call(stub.address(), &[0.0]).unwrap(), 1.0);
    thread::scope(|scope| {
        let caller = || {
            scope.spawn(|| {
                let mut x = 0.0;
                for _ in 0..50_000 {
                    let y = script.call(stub.address(), &[x]).unwrap();
                    assert!(y == x + 1.0 || y == x + 2.0, "{x} became {y}");
                    x = y;
                }
            })
        };
        let callers: Vec<_> = (0..N_THREADS).map(|_| caller()).collect();
        while !callers.iter().all(thread::ScopedJoinHandle::is_finished) {
            // SAFETY: the stub is called with one argument, and neither function is ever freed.
            unsafe { stub.redirect(code(add_two as *const ())) };
            stub.redirect_to_lazy_entry();
            // SAFETY: as above.
            unsafe { stub.redirect(code(add_one as *const ())) };
            stub.redirect_to_lazy_entry();
        }
    });
    assert!(n_lazy.load(Ordering::Relaxed) > 0);
}

#[test]
fn each_thread_exits_its_own_call() {
    let host = HostPool::new().allocate(1).unwrap();
    thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let host = &host;
            scope.spawn(move || {
                let script = Script::new().host_call(|_, args| Err(Trap::error((thread, args[0]))));
                for x in (0..20_000).map(f64::from) {
                    let Err(Trap::Error(error)) = script.call(host.address(), &[x]) else {
                        panic!("the host function fails")
                    };
                    assert_eq!(error.downcast_ref(), Some(&(thread, x)));
                }
            });
        }
    });
}

#[test]
fn many_threads_allocate_stubs() {
    let pool = StubPool::new();
    let ids = thread::scope(|scope| {
        let workers: Vec<_> = (0..N_THREADS)
            .map(|_| {
                scope.spawn(|| (0..2_000).map(|_| pool.allocate().unwrap().id().get()).collect::<Vec<_>>())
            })
            .collect();
        let mut ids: Vec<u32> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        ids.sort_unstable();
        ids
    });
    assert!(ids.into_iter().eq(0..16_000));
}

/// Makes guarded calls when its thread ends.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        match Script::new().call(code(add_one as *const ()), &[1.0]) {
            Ok(value) => assert_eq!(value, 2.0),
            Err(Trap::Unavailable(error)) => assert_eq!(error.kind(), ErrorKind::ThreadEnding),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_thread_may_call_while_it_ends() {
    thread_local! {
        static EARLIER: Late = const { Late };
        static LATER: Late = const { Late };
    }
    for _ in 0..20 {
        let body = || {
            EARLIER.with(|_| ());
            Script::new().call(code(add_one as *const ()), &[1.0]).unwrap();
            LATER.with(|_| ());
        };
        thread::spawn(body).join().unwrap();
        thread::spawn(|| LATER.with(|_| ())).join().unwrap();
    }
}

#[test]
fn resources_of_ended_threads_are_freed() {
    // A process of its own: other tests map memory too.
    child("threads::resources_of_ended_threads_are_freed", &["count"], |_| {
        let n_mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let before = n_mappings();
        for _ in 0..2_000 {
            let body = || Script::new().call(code(add_one as *const ()), &[1.0]).unwrap();
            assert_eq!(thread::spawn(body).join().unwrap(), 2.0);
        }
        assert!(n_mappings() < before + 100);
    });
}
