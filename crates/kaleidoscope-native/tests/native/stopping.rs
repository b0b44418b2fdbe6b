//! Requests to stop hit what they are aimed at, wherever it is, and nothing else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_native::{
    CodeAddress, HostPool, InterruptHandle, Interrupter, Limits, StackTrace, StubPool, Trap, enter, maths,
};

use crate::guest::{self, Guest, bits};
use crate::support::{Script, add_one, call_in, child, code};

/// Calls code on this thread, and stops it from another as soon as it runs.
fn stop(script: &Script<'_>, code: CodeAddress, args: &[f64]) -> StackTrace {
    let interrupter = Interrupter::new();
    let limits = Limits::new().interrupter(interrupter);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while interrupter.interrupt() == 0 && !ended.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let outcome = script.call_within(&limits, code, args);
        ended.store(true, Ordering::Relaxed);
        interrupted(outcome)
    })
}

fn interrupted(outcome: Result<f64, Trap>) -> StackTrace {
    match outcome {
        Err(Trap::Interrupted(trace)) => trace,
        other => panic!("{other:?} is not interrupted"),
    }
}

/// Calls code with a deadline.
fn time_out(script: &Script<'_>, code: CodeAddress, args: &[f64], after: Duration) -> StackTrace {
    let limits = Limits::new().deadline(Instant::now() + after);
    match script.call_within(&limits, code, args) {
        Err(Trap::DeadlinePassed(trace)) => trace,
        other => panic!("{other:?} is not timed out"),
    }
}

/// Both ways, and again.
fn check(script: &Script<'_>, guest: &Guest, args: &[f64]) {
    for _ in 0..20 {
        stop(script, guest.code(), args);
        time_out(script, guest.code(), args, Duration::from_micros(500));
        assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
    }
}

#[test]
fn an_endless_loop_is_stopped() {
    check(&Script::new(), &guest::endless(), &[]);
}

#[test]
fn the_trace_says_where() {
    let host = HostPool::new().allocate(1).unwrap();
    let (caller, looping) = (guest::calls_once(), guest::calls_and_loops());
    let trace = |code: CodeAddress, args: &[f64]| {
        let interrupter = Interrupter::new();
        let (send, receive) = channel();
        let send = std::sync::Mutex::new(send);
        let script = Script::new().host_call(|_, _| {
            // Generated code has made its frame.
            send.lock().unwrap().send(()).unwrap();
            Ok(0.0)
        });
        thread::scope(|scope| {
            scope.spawn(move || {
                receive.recv().unwrap();
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
fn a_loop_of_host_calls_is_stopped() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, args| Ok(args[0]));
    check(&script, &guest::endless_calls(), &[bits(host.address()), 1.0]);
}

#[test]
fn a_loop_of_maths_is_stopped() {
    for name in ["sin", "tgamma", "fabs"] {
        let address = maths::find(name).unwrap().guest_address();
        check(&Script::new(), &guest::endless_calls(), &[bits(address), 100.1]);
    }
}

#[test]
fn a_loop_of_compiling_is_stopped() {
    let stub = StubPool::new().allocate().unwrap();
    let script = Script::new().materialize(|_| Ok(code(add_one as *const ())));
    check(&script, &guest::endless_calls(), &[bits(stub.address()), 1.0]);
}

#[test]
fn a_host_function_is_waited_for() {
    let host = HostPool::new().allocate(1).unwrap();
    let interrupter = Interrupter::new();
    let has_returned = AtomicBool::new(false);
    let script = Script::new().host_call(|_, _| {
        assert_eq!(interrupter.interrupt(), 1);
        // It goes on undisturbed.
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
fn registers_and_modes_are_as_they_were() {
    let spoils = guest::spoils_and_loops();
    stop(&Script::new(), spoils.code(), &[]);
    assert_eq!(modes(), (0x1f80, 0x037f, 0));
    assert!(matches!(
        Script::new().call(guest::spoils_and_recurses().code(), &[]),
        Err(Trap::StackOverflow(_))
    ));
    assert_eq!(modes(), (0x1f80, 0x037f, 0));
}

/// The control bits of both units of arithmetic, and the direction flag.
fn modes() -> (u32, u16, u64) {
    let (mut mxcsr, mut x87, flags) = (0_u32, 0_u16, 0_u64);
    // SAFETY: stores in variables of the right sizes, and uses its own stack evenly.
    let flags = unsafe {
        let mut flags = flags;
        std::arch::asm!(
            "stmxcsr [{mxcsr}]", "fnstcw [{x87}]", "pushfq", "pop {flags}",
            mxcsr = in(reg) &raw mut mxcsr, x87 = in(reg) &raw mut x87, flags = inout(reg) flags,
        );
        flags
    };
    (mxcsr & 0xffc0, x87, flags & 0x400)
}

#[test]
fn a_late_request_hits_nothing() {
    let (send, receive) = channel::<InterruptHandle>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for evaluation in receive {
                evaluation.interrupt();
                evaluation.interrupt();
            }
        });
        for _ in 0..20_000 {
            let evaluation = enter(&Limits::new(), &Script::new(), |scope| {
                assert_eq!(call_in(scope, code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
                scope.interrupt_handle()
            });
            // It has ended; what comes next has the same level of the same thread.
            send.send(evaluation.unwrap()).unwrap();
        }
        drop(send);
    });
}

#[test]
fn only_calls_under_the_interrupter_are_stopped() {
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
fn who_stops_the_outer_call_stops_the_inner_one() {
    let host = HostPool::new().allocate(1).unwrap();
    let (outer, inner) = (Interrupter::new(), Interrupter::new());
    for (aim, stops_outer) in [(outer, true), (inner, false)] {
        let script = Script::new().host_call(|_, _| {
            let limits = Limits::new().interrupter(inner);
            thread::scope(|scope| {
                scope.spawn(|| while aim.interrupt() == 0 {});
                interrupted(Script::new().call_within(&limits, guest::endless().code(), &[]));
            });
            Ok(4.0)
        });
        let limits = Limits::new().interrupter(outer);
        let args = [bits(host.address()), 1.0];
        let outcome = script.call_within(&limits, guest::calls_once().code(), &args);
        if stops_outer {
            interrupted(outcome);
        } else {
            assert_eq!(outcome.unwrap(), 4.0);
        }
    }
}

#[test]
fn an_outer_deadline_ends_the_inner_call() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| {
        let inner = Script::new().call(guest::endless().code(), &[]);
        assert!(matches!(inner, Err(Trap::DeadlinePassed(_))));
        inner
    });
    time_out(&script, guest::calls_once().code(), &[bits(host.address()), 1.0], Duration::from_millis(2));
}

#[test]
fn a_deadline_long_past_or_far_off() {
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
                for turn in 0..20 {
                    let after = Duration::from_micros((thread * 7919 + turn * 104_729) % 3_000);
                    time_out(&Script::new(), guest::endless().code(), &[], after);
                }
            });
        }
    });
}

#[test]
fn a_stopped_scope_stays_stopped() {
    let endless = guest::endless();
    let interrupter = Interrupter::new();
    enter(&Limits::new().interrupter(interrupter), &Script::new(), |scope| {
        thread::scope(|threads| {
            let evaluation = scope.interrupt_handle();
            threads.spawn(move || evaluation.interrupt());
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
fn requests_at_any_moment_end_in_a_value_or_a_trap() {
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
                let (calls, descent) = (guest::calls_once(), guest::descent());
                let turn = || {
                    let one = |code, args: &[f64]| script.call_within(&limits, code, args);
                    let sum = one(descent.code(), &[500.0])?
                        + one(calls.code(), &[bits(host.address()), 1.0])?
                        + one(calls.code(), &[bits(stub.address()), 1.0])?
                        + one(calls.code(), &[bits(sin), 0.0])?;
                    assert_eq!(sum, 503.0);
                    Ok(())
                };
                let (mut n_turns, mut n_stopped) = (0, 0);
                while n_turns < 5_000 || n_stopped < 100 {
                    n_turns += 1;
                    match turn() {
                        Ok(()) => {}
                        Err(Trap::Interrupted(_)) => n_stopped += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                n_running.fetch_sub(1, Ordering::Relaxed);
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
    child("stopping::a_signal_handler_may_interrupt", &["handler"], |_| {
        crate::support::handle(libc::SIGINT, handler as *const () as usize, libc::SA_ONSTACK);
        for _ in 0..20 {
            let host = HostPool::new().allocate(1).unwrap();
            // The handler runs on whichever thread the system chooses: here, either.
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
fn a_forked_child_has_all_of_it() {
    child("stopping::a_forked_child_has_all_of_it", &["fork"], |_| {
        let check = || {
            time_out(&Script::new(), guest::endless().code(), &[], Duration::from_millis(2));
            stop(&Script::new(), guest::endless().code(), &[]);
            let sin = maths::find("sin").unwrap().guest_address();
            stop(&Script::new(), guest::endless_calls().code(), &[bits(sin), 1.0]);
            assert!(matches!(
                Script::new().call(guest::recursion().code(), &[]),
                Err(Trap::StackOverflow(_))
            ));
        };
        check();
        // SAFETY: the child only does what is tested, and exits.
        match unsafe { libc::fork() } {
            0 => {
                check();
                // SAFETY: ends the child.
                unsafe { libc::_exit(0) };
            }
            process => {
                check();
                let mut status = -1;
                // SAFETY: waits for the child.
                assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
                assert_eq!(status, 0);
            }
        }
    });
}

#[test]
fn a_thread_that_has_blocked_all_signals_is_stopped() {
    let body = || {
        let mut all = std::mem::MaybeUninit::uninit();
        // SAFETY: fills the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the set has been filled.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
        check(&Script::new(), &guest::endless(), &[]);
        let overflow = Script::new().call(guest::recursion().code(), &[]);
        assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
    };
    thread::spawn(body).join().unwrap();
}
