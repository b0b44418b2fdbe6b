//! Interrupts and deadlines end the call that they are for, wherever it is, and nothing else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_native::{
    CodeAddress, HostPool, InterruptHandle, Interrupter, Limits, StackTrace, StubPool, Trap, enter,
    keep_signals, maths, pending_interrupt,
};

use crate::arch::{DEFAULT_MODES, callee_saved_modes};
use crate::guest::{self, Guest, bits};
use crate::support::{
    OnDrop, PATIENCE, Script, add_one, call_in, child, code, fork, handle, while_interrupting,
};

/// Calls code on this thread, and interrupts the call from another thread as soon as it runs.
fn interrupt(script: &Script<'_>, code: CodeAddress, args: &[f64]) -> StackTrace {
    let interrupter = Interrupter::new();
    let limits = Limits::new().interrupter(interrupter);
    interrupted(while_interrupting(interrupter, || script.call_within(&limits, code, args)))
}

fn interrupted(outcome: Result<f64, Trap>) -> StackTrace {
    match outcome {
        Err(Trap::Interrupted(trace)) => trace,
        other => panic!("{other:?} was not interrupted"),
    }
}

/// Calls code with a deadline, which passes.
fn time_out(script: &Script<'_>, code: CodeAddress, args: &[f64], after: Duration) -> StackTrace {
    let limits = Limits::new().deadline(Instant::now() + after);
    match script.call_within(&limits, code, args) {
        Err(Trap::DeadlinePassed(trace)) => trace,
        other => panic!("{other:?} did not pass its deadline"),
    }
}

/// Ends calls both ways, many times.
fn check(script: &Script<'_>, guest: &Guest, args: &[f64]) {
    for _ in 0..20 {
        interrupt(script, guest.code(), args);
        time_out(script, guest.code(), args, Duration::from_micros(500));
        assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
    }
}

#[test]
fn an_endless_loop_is_interrupted() {
    check(&Script::new(), &guest::endless_loop(), &[]);
}

#[test]
fn a_stack_trace_says_where_the_call_was() {
    let host = HostPool::new().allocate(1).unwrap();
    let (caller, looping) = (guest::calls_once(), guest::calls_and_loops());
    let trace = |code: CodeAddress, args: &[f64]| {
        let interrupter = Interrupter::new();
        let (send, receive) = channel();
        let send = std::sync::Mutex::new(send);
        let script = Script::new().host_call(|_, _| {
            // Generated code has pushed its frame.
            send.lock().unwrap().send(()).unwrap();
            Ok(0.0)
        });
        thread::scope(|scope| {
            scope.spawn(move || {
                receive.recv_timeout(PATIENCE).unwrap();
                interrupter.interrupt()
            });
            interrupted(script.call_within(&Limits::new().interrupter(interrupter), code, args))
        })
    };
    for _ in 0..50 {
        looping.is_all_of(&trace(looping.code(), &[bits(host.address()), 0.0]), 1);
        let both = trace(caller.code(), &[looping.bits(), bits(host.address())]);
        let [at, from] = both.addresses() else { panic!("{both:?} is not of two functions") };
        assert!(looping.contains(*at) && caller.contains(*from), "{both:?}");
    }
}

#[test]
fn a_loop_of_host_calls_is_interrupted() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, args| Ok(args[0]));
    check(&script, &guest::endless_calls(), &[bits(host.address()), 1.0]);
}

#[test]
fn a_loop_of_maths_calls_is_interrupted() {
    for name in ["sin", "tgamma", "fabs"] {
        let address = maths::find(name).unwrap().guest_address();
        check(&Script::new(), &guest::endless_calls(), &[bits(address), 100.1]);
    }
}

#[test]
fn a_loop_of_lazy_entries_is_interrupted() {
    let stub = StubPool::new().allocate().unwrap();
    let script = Script::new().materialize(|_| Ok(code(add_one as *const ())));
    check(&script, &guest::endless_calls(), &[bits(stub.address()), 1.0]);
}

#[test]
fn a_host_function_learns_that_its_call_must_end() {
    let host = HostPool::new().allocate(1).unwrap();
    let calls = guest::calls_once();
    let address = bits(host.address());
    // Waits for the interrupt of the call, or of the one around it if it is nested.
    let waits = Script::new().host_call(|_, _| {
        while pending_interrupt().is_none() {
            thread::yield_now();
        }
        Ok(1.0)
    });
    let nests = Script::new().host_call(|_, _| {
        interrupted(waits.call(calls.code(), &[address, 1.0]));
        assert!(pending_interrupt().is_some());
        Ok(1.0)
    });
    for _ in 0..20 {
        assert_eq!(pending_interrupt(), None);
        time_out(&waits, calls.code(), &[address, 1.0], Duration::from_micros(500));
        interrupt(&waits, calls.code(), &[address, 1.0]);
        interrupt(&nests, calls.code(), &[address, 1.0]);
    }
}

#[test]
fn an_interrupted_host_function_runs_to_its_end() {
    let host = HostPool::new().allocate(1).unwrap();
    let interrupter = Interrupter::new();
    let has_returned = AtomicBool::new(false);
    let script = Script::new().host_call(|_, _| {
        assert_eq!(interrupter.interrupt(), 1);
        // The host function continues undisturbed.
        assert_eq!(StackTrace::capture().addresses().len(), 1);
        has_returned.store(true, Ordering::Relaxed);
        Ok(1.0)
    });
    let limits = Limits::new().interrupter(interrupter);
    let calls = guest::calls_once();
    let outcome = script.call_within(&limits, calls.code(), &[bits(host.address()), 1.0]);
    calls.is_all_of(&interrupted(outcome), 1);
    assert!(has_returned.load(Ordering::Relaxed));
    assert_eq!(interrupter.interrupt(), 0);
}

#[test]
fn registers_and_modes_are_restored() {
    let clobbers = guest::clobbers_and_loops();
    interrupt(&Script::new(), clobbers.code(), &[]);
    assert_eq!(callee_saved_modes(), DEFAULT_MODES);
    assert!(matches!(
        Script::new().call(guest::clobbers_and_recurses().code(), &[]),
        Err(Trap::StackOverflow(_))
    ));
    assert_eq!(callee_saved_modes(), DEFAULT_MODES);
}

#[test]
fn a_late_interrupt_has_no_effect() {
    let (send, receive) = channel::<InterruptHandle>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for handle in receive {
                handle.interrupt();
                handle.interrupt();
            }
        });
        for _ in 0..20_000 {
            let handle = enter(&Limits::new(), &Script::new(), |scope| {
                assert_eq!(call_in(scope, code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
                scope.interrupt_handle()
            });
            // That scope has ended; the next one takes the same nesting level of the same thread.
            send.send(handle.unwrap()).unwrap();
        }
        drop(send);
    });
}

#[test]
fn only_calls_under_the_interrupter_are_interrupted() {
    let (other, own) = (Interrupter::new(), Interrupter::new());
    let host = HostPool::new().allocate(0).unwrap();
    let script = Script::new().host_call(|_, _| {
        assert_eq!(other.interrupt(), 0);
        Ok(3.0)
    });
    let limits = Limits::new().interrupter(own);
    assert_eq!(script.call_within(&limits, host.address(), &[]).unwrap(), 3.0);
}

#[test]
fn an_interrupt_of_the_outer_call_ends_the_nested_one() {
    let host = HostPool::new().allocate(1).unwrap();
    let (outer, nested) = (Interrupter::new(), Interrupter::new());
    for (target, ends_outer) in [(outer, true), (nested, false)] {
        let script = Script::new().host_call(|_, _| {
            let limits = Limits::new().interrupter(nested);
            interrupted(while_interrupting(target, || {
                Script::new().call_within(&limits, guest::endless_loop().code(), &[])
            }));
            Ok(4.0)
        });
        let limits = Limits::new().interrupter(outer);
        let args = [bits(host.address()), 1.0];
        let outcome = script.call_within(&limits, guest::calls_once().code(), &args);
        if ends_outer {
            interrupted(outcome);
        } else {
            assert_eq!(outcome.unwrap(), 4.0);
        }
    }
}

#[test]
fn a_deadline_of_the_outer_call_ends_the_nested_one() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| {
        let nested = Script::new().call(guest::endless_loop().code(), &[]);
        assert!(matches!(nested, Err(Trap::DeadlinePassed(_))));
        nested
    });
    time_out(&script, guest::calls_once().code(), &[bits(host.address()), 1.0], Duration::from_millis(2));
}

#[test]
fn a_deadline_may_be_in_the_past_or_far_in_the_future() {
    let past = Limits::new().deadline(Instant::now());
    let outcome = Script::new().call_within(&past, code(add_one as *const ()), &[1.0]);
    assert!(matches!(outcome, Err(Trap::DeadlinePassed(trace)) if trace.addresses().is_empty()));
    let far = Limits::new().deadline(Instant::now() + Duration::from_secs(1 << 40));
    assert_eq!(Script::new().call_within(&far, code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
}

#[test]
fn many_deadlines_at_once() {
    thread::scope(|scope| {
        for thread in 0..8_u64 {
            scope.spawn(move || {
                for nth in 0..20 {
                    let after = Duration::from_micros((thread * 7919 + nth * 104_729) % 3_000);
                    time_out(&Script::new(), guest::endless_loop().code(), &[], after);
                }
            });
        }
    });
}

#[test]
fn an_interrupted_scope_stays_interrupted() {
    let endless = guest::endless_loop();
    let interrupter = Interrupter::new();
    enter(&Limits::new().interrupter(interrupter), &Script::new(), |scope| {
        thread::scope(|threads| {
            let handle = scope.interrupt_handle();
            threads.spawn(move || handle.interrupt());
            interrupted(call_in(scope, endless.code(), &[]));
        });
        for _ in 0..3 {
            assert_eq!(
                interrupted(call_in(scope, code(add_one as *const ()), &[1.0])),
                StackTrace::default()
            );
        }
    })
    .unwrap();
    assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
}

#[test]
fn interrupts_at_any_moment_end_in_a_value_or_a_trap() {
    let interrupter = Interrupter::new();
    let limits = Limits::new().interrupter(interrupter);
    let hosts = HostPool::new();
    let host = hosts.allocate(1).unwrap();
    let stub = StubPool::new().allocate().unwrap();
    let sin = maths::find("sin").unwrap().guest_address();
    let script =
        Script::new().host_call(|_, args| Ok(args[0])).materialize(|_| Ok(code(add_one as *const ())));
    let n_running = AtomicUsize::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let _end = OnDrop(|| {
                    n_running.fetch_sub(1, Ordering::Relaxed);
                });
                let (calls, descent) = (guest::calls_once(), guest::descent());
                let evaluate = || {
                    let one = |code, args: &[f64]| script.call_within(&limits, code, args);
                    let sum = one(descent.code(), &[500.0])?
                        + one(calls.code(), &[bits(host.address()), 1.0])?
                        + one(calls.code(), &[bits(stub.address()), 1.0])?
                        + one(calls.code(), &[bits(sin), 0.0])?;
                    assert_eq!(sum, 503.0);
                    Ok(())
                };
                let (mut n_evaluations, mut n_interrupted) = (0, 0);
                while n_evaluations < 5_000 || n_interrupted < 100 {
                    n_evaluations += 1;
                    match evaluate() {
                        Ok(()) => {}
                        Err(Trap::Interrupted(_)) => n_interrupted += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            });
        }
        while n_running.load(Ordering::Relaxed) > 0 {
            interrupter.interrupt();
        }
    });
}

#[test]
fn a_signal_handler_may_interrupt() {
    static INTERRUPTER: std::sync::OnceLock<Interrupter> = std::sync::OnceLock::new();
    extern "C" fn handler(_: i32) {
        INTERRUPTER.get().unwrap().interrupt();
    }
    let interrupter = *INTERRUPTER.get_or_init(Interrupter::new);
    child("interrupts::a_signal_handler_may_interrupt", &["handler"], |_| {
        handle(libc::SIGINT, handler as *const () as usize, libc::SA_ONSTACK);
        for _ in 0..20 {
            let host = HostPool::new().allocate(1).unwrap();
            // The system chooses the thread on which the handler runs.
            let script = Script::new().host_call(|_, _| {
                // SAFETY: signals this process.
                unsafe { libc::kill(std::process::id() as i32, libc::SIGINT) };
                Ok(1.0)
            });
            let limits = Limits::new().interrupter(interrupter);
            let args = [bits(host.address()), 1.0];
            interrupted(script.call_within(&limits, guest::endless_calls().code(), &args));
        }
    });
}

#[test]
fn a_forked_child_makes_guarded_calls() {
    child("interrupts::a_forked_child_makes_guarded_calls", &["fork"], |_| {
        let check = || {
            time_out(&Script::new(), guest::endless_loop().code(), &[], Duration::from_millis(2));
            interrupt(&Script::new(), guest::endless_loop().code(), &[]);
            let sin = maths::find("sin").unwrap().guest_address();
            interrupt(&Script::new(), guest::endless_calls().code(), &[bits(sin), 1.0]);
            assert!(matches!(
                Script::new().call(guest::endless_recursion().code(), &[]),
                Err(Trap::StackOverflow(_))
            ));
        };
        check();
        fork(check, check);
    });
}

#[test]
fn a_thread_that_blocks_all_signals_is_interrupted() {
    let body = || {
        block_all_signals();
        check(&Script::new(), &guest::endless_loop(), &[]);
        let overflow = Script::new().call(guest::endless_recursion().code(), &[]);
        assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
    };
    thread::spawn(body).join().unwrap();
}

/// A call with a deadline repairs what the host did since the last one; others when they are asked
/// to.
#[test]
fn a_thread_that_takes_signals_or_their_stack_away_later_is_interrupted() {
    for take_away in [block_all_signals, disable_signal_stack] {
        let body = move || {
            let is_overflow = || {
                let overflow = Script::new().call(guest::endless_recursion().code(), &[]);
                assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
            };
            is_overflow();
            take_away();
            time_out(&Script::new(), guest::endless_loop().code(), &[], Duration::from_micros(500));
            is_overflow();
            take_away();
            keep_signals().unwrap();
            is_overflow();
        };
        thread::spawn(body).join().unwrap();
    }
}

fn block_all_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set has been filled.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}

fn disable_signal_stack() {
    let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler runs, and the memory of the stack stays where it is.
    assert_eq!(unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) }, 0);
}
