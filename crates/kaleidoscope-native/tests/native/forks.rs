//! Forked children: new calls work, and calls that began in the parent end.

use std::cell::Cell;
use std::time::Duration;

use kaleidoscope_native::{ErrorKind, HostPool, Limits, OfProcess, Process, Trap, enter};

use crate::guest;
use crate::support::{OnDrop, Script, add_one, call_in, child, code, fork};

/// Calls, overflows and time limits work in this process.
fn check_process() {
    assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
    let overflow = Script::new().call(guest::endless_recursion().code(), &[]);
    assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
    let limits = Limits::new().deadline(std::time::Instant::now() + Duration::from_millis(2));
    let late = Script::new().call_within(&limits, guest::endless_loop().code(), &[]);
    assert!(matches!(late, Err(Trap::DeadlinePassed(_))));
}

#[track_caller]
fn expect_forked(outcome: Result<f64, Trap>) {
    match outcome {
        Err(Trap::Unavailable(error)) => assert_eq!(error.kind(), ErrorKind::Forked),
        other => panic!("{other:?}"),
    }
}

/// Waits for a child, which succeeds.
fn wait_for(process: libc::pid_t) {
    let mut status = -1;
    // SAFETY: waits for the child.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
    assert_eq!(status, 0);
}

#[test]
fn a_call_that_forks_ends_in_the_child() {
    child("forks::a_call_that_forks_ends_in_the_child", &["fork"], |_| {
        let host = HostPool::new().allocate(1).unwrap();
        let process = Process::current();
        let forks = Script::new().host_call(|_, args| {
            // SAFETY: the child runs only what is tested, and exits.
            let child = unsafe { libc::fork() };
            if !process.is_current() {
                // SAFETY: requests SIGALRM, whose default action ends the process.
                unsafe { libc::alarm(60) };
                check_process();
                return Ok(args[0]);
            }
            wait_for(child);
            Ok(args[0])
        });
        // The call around it ends in the child, too, although other calls were made in between.
        let outer_host = HostPool::new().allocate(1).unwrap();
        let outer = Script::new().host_call(|_, args| {
            let value = forks.call(host.address(), args);
            if process.is_current() {
                return value;
            }
            expect_forked(value);
            check_process();
            Ok(args[0])
        });
        let value = outer.call(outer_host.address(), &[5.0]);
        if process.is_current() {
            assert_eq!(value.unwrap(), 5.0);
            check_process();
        } else {
            expect_forked(value);
            check_process();
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
    });
}

#[test]
fn a_scope_ends_in_the_child() {
    child("forks::a_scope_ends_in_the_child", &["fork"], |_| {
        let script = Script::new();
        let one_more = code(add_one as *const ());
        let entered = enter(&Limits::new(), &script, |scope| {
            assert_eq!(call_in(scope, one_more, &[1.0]).unwrap(), 2.0);
            let in_child = || {
                expect_forked(call_in(scope, one_more, &[1.0]));
                check_process();
                expect_forked(call_in(scope, one_more, &[1.0]));
            };
            fork(in_child, || assert_eq!(call_in(scope, one_more, &[2.0]).unwrap(), 3.0));
        });
        entered.unwrap();
        check_process();
    });
}

#[test]
fn a_value_is_dropped_in_its_process_only() {
    child("forks::a_value_is_dropped_in_its_process_only", &["fork"], |_| {
        let n_drops = Cell::new(0);
        let note = || OnDrop(|| n_drops.set(n_drops.get() + 1));
        let value = Cell::new(Some(OfProcess::new(note())));
        let in_child = || {
            drop(value.take());
            assert_eq!(n_drops.get(), 0);
            drop(OfProcess::new(note()));
            assert_eq!(n_drops.get(), 1);
        };
        fork(in_child, || ());
        drop(value.take());
        assert_eq!(n_drops.get(), 1);
    });
}
