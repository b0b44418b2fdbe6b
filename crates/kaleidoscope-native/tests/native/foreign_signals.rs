//! Signals that do not concern this crate reach the previous handlers, and handlers of others are
//! not skipped.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_native::{ErrorKind, HostPool, Interrupter, Limits, Trap};

use crate::arch::{call_with_misaligned_stack, note_alignment, was_aligned};
use crate::guest::{self, bits};
use crate::support::{
    PATIENCE, Script, add_one, child, child_output, code, forbid, handle, while_interrupting,
};

/// Makes guarded calls, one of which overflows, so that all handlers are installed.
fn use_guarded_calls() {
    assert_eq!(Script::new().call(code(add_one as *const ()), &[1.0]).unwrap(), 2.0);
    let small = Limits::new().stack_bytes(64 << 10);
    let overflow = Script::new().call_within(&small, guest::endless_recursion().code(), &[]);
    assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
}

/// Causes a fault that has nothing to do with generated code.
fn fault() {
    // SAFETY: unsound on purpose; the process is meant to fault.
    unsafe { black_box(std::ptr::without_provenance_mut::<u8>(black_box(64))).write_volatile(1) };
}

extern "C" fn exit_seven(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the argument of a handler.
    let info = unsafe { &*info };
    // SAFETY: a fault has an address.
    let address = unsafe { info.si_addr() }.addr();
    let expected = signal == libc::SIGSEGV && address == 64;
    // SAFETY: ends the process.
    unsafe { libc::_exit(if expected { 7 } else { 8 }) };
}

extern "C" fn exit_nine(_: i32) {
    // SAFETY: ends the process.
    unsafe { libc::_exit(9) };
}

#[allow(unconditional_recursion, reason = "it is meant to overflow")]
fn overflow_the_host(x: u64) -> u64 {
    let frame = black_box([x; 64]);
    overflow_the_host(frame[3] + 1) + frame[5]
}

const TEST: &str = "foreign_signals::faults_go_to_the_previous_handler";

#[test]
fn faults_go_to_the_previous_handler() {
    let run = |way: &str| {
        child_output(TEST, way, |way| {
            let with_information = libc::SA_SIGINFO | libc::SA_ONSTACK;
            match way {
                "a handler" => handle(libc::SIGSEGV, exit_seven as *const () as usize, with_information),
                "a plain handler" => handle(libc::SIGSEGV, exit_nine as *const () as usize, 0),
                "the default" | "the default and sent" => handle(libc::SIGSEGV, libc::SIG_DFL, 0),
                "ignored" | "ignored and sent" => handle(libc::SIGSEGV, libc::SIG_IGN, 0),
                _ => {}
            }
            use_guarded_calls();
            match way {
                "the default and sent" | "ignored and sent" => {
                    // SAFETY: signals this process.
                    unsafe { libc::raise(libc::SIGSEGV) };
                }
                "an overflow" => drop(black_box(overflow_the_host(1))),
                "an overflow of a thread" => {
                    let thread = thread::Builder::new().name("unlucky".to_owned());
                    let body = || {
                        use_guarded_calls();
                        overflow_the_host(1)
                    };
                    let _ = black_box(thread.spawn(body).unwrap().join());
                }
                "an overflow of an innocent thread" => {
                    let thread = thread::Builder::new().name("innocent".to_owned());
                    let _ = black_box(thread.spawn(|| overflow_the_host(1)).unwrap().join());
                }
                _ => fault(),
            }
            // SAFETY: ends the process.
            unsafe { libc::_exit(3) };
        })
    };
    let Some(output) = run("a handler") else { return };
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(run("a plain handler").unwrap().status.code(), Some(9));
    for way in ["the default", "the default and sent", "ignored", "Rust's"] {
        let output = run(way).unwrap();
        let is_killed = output.status.signal() == Some(libc::SIGSEGV);
        assert!(is_killed || is_sanitized(&output), "{way}: {output:?}");
    }
    assert_eq!(run("ignored and sent").unwrap().status.code(), Some(3));
    for way in ["an overflow", "an overflow of a thread", "an overflow of an innocent thread"] {
        let output = run(way).unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        let is_aborted = output.status.signal() == Some(libc::SIGABRT);
        let is_reported = is_aborted && message.contains("has overflowed its stack");
        assert!(is_reported || is_sanitized(&output), "{way}: {output:?}");
    }
}

/// Whether the previous handler is that of a sanitizer.
fn is_sanitized(output: &std::process::Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("ERROR: AddressSanitizer")
}

#[test]
fn a_signal_of_another_sender_goes_to_the_previous_handler() {
    static N: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_: i32) {
        N.fetch_add(1, Ordering::Relaxed);
    }
    let test = "foreign_signals::a_signal_of_another_sender_goes_to_the_previous_handler";
    child(test, &["urgent"], |_| {
        handle(libc::SIGURG, count as *const () as usize, 0);
        use_guarded_calls();
        for n in 1..10 {
            // SAFETY: signals this thread.
            unsafe { libc::raise(libc::SIGURG) };
            assert_eq!(N.load(Ordering::Relaxed), n);
        }
        let interrupter = Interrupter::new();
        let limits = Limits::new().interrupter(interrupter);
        let outcome = while_interrupting(interrupter, || {
            Script::new().call_within(&limits, guest::endless_loop().code(), &[])
        });
        assert!(matches!(outcome, Err(Trap::Interrupted(_))));
        assert_eq!(N.load(Ordering::Relaxed), 9, "interrupt signals of this crate go nowhere else");
    });
}

#[test]
fn a_handler_on_top_of_generated_code_is_not_skipped() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    static MAY_END: AtomicBool = AtomicBool::new(false);
    extern "C" fn slow(_: i32) {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        while !MAY_END.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
    let way = "foreign_signals::a_handler_on_top_of_generated_code_is_not_skipped";
    child(way, &["its own stack", "the guest's"], |way| {
        let flags = if way == "the guest's" { 0 } else { libc::SA_ONSTACK };
        handle(libc::SIGUSR1, slow as *const () as usize, flags);
        for nth in 1..=20 {
            MAY_END.store(false, Ordering::SeqCst);
            let interrupter = Interrupter::new();
            let (send, receive) = sync_channel(1);
            // Called right before generated code loops.
            let host = HostPool::new().allocate(1).unwrap();
            let script = Script::new().host_call(|_, _| {
                send.send(()).unwrap();
                Ok(0.0)
            });
            // SAFETY: returns the id of this thread.
            let caller = unsafe { libc::pthread_self() };
            let outcome = thread::scope(|scope| {
                scope.spawn(move || {
                    receive.recv_timeout(PATIENCE).unwrap();
                    // SAFETY: the thread lives as long as this scope.
                    unsafe { libc::pthread_kill(caller, libc::SIGUSR1) };
                    while BEGUN.load(Ordering::SeqCst) < nth || interrupter.interrupt() == 0 {}
                    MAY_END.store(true, Ordering::SeqCst);
                });
                let limits = Limits::new().interrupter(interrupter);
                let args = [bits(host.address()), 0.0];
                script.call_within(&limits, guest::calls_and_loops().code(), &args)
            });
            assert!(matches!(outcome, Err(Trap::Interrupted(_))));
            assert_eq!(ENDED.load(Ordering::SeqCst), nth);
        }
    });
}

#[test]
fn a_handler_without_room_is_an_overflow() {
    extern "C" fn nothing(_: i32) {}
    child("foreign_signals::a_handler_without_room_is_an_overflow", &["no room"], |_| {
        handle(libc::SIGUSR1, nothing as *const () as usize, 0);
        let guest = guest::signal_near_stack_end();
        // SAFETY: returns the id of this thread.
        let thread = f64::from(unsafe { libc::gettid() });
        for _ in 0..20 {
            let args = [thread, f64::from(libc::SIGUSR1), f64::from(256 << 20)];
            assert!(matches!(Script::new().call(guest.code(), &args), Err(Trap::StackOverflow(_))));
            // With room, the handler runs and the call returns.
            let args = [thread, f64::from(libc::SIGUSR1), f64::from(128 << 20)];
            assert!(Script::new().call(guest.code(), &args).is_ok());
        }
    });
}

static N_SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    N_SEEN.fetch_add(1, Ordering::Relaxed);
}

/// The handler that [`count_and_pass_on`] replaced.
static REPLACED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_and_pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    N_SEEN.fetch_add(1, Ordering::Relaxed);
    let replaced = REPLACED.load(Ordering::Relaxed);
    // SAFETY: the handler that was installed before, which takes information.
    let replaced = unsafe {
        std::mem::transmute::<usize, extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void)>(replaced)
    };
    replaced(signal, info, context);
}

/// The address of the handler of this signal.
fn installed(signal: i32) -> usize {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: reads the action.
    unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: written by the call above.
    unsafe { action.assume_init() }.sa_sigaction
}

fn expect_deadline_in_endless_loop() {
    let limits = Limits::new().deadline(Instant::now() + Duration::from_millis(20));
    let outcome = Script::new().call_within(&limits, guest::endless_loop().code(), &[]);
    assert!(matches!(outcome, Err(Trap::DeadlinePassed(_))), "{outcome:?}");
}

fn raise(signal: i32) {
    // SAFETY: sends a signal to this thread.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

#[test]
fn a_handler_of_the_interrupt_signal_may_be_installed_later() {
    let ways = ["before a deadline", "between deadlines", "one that passes on"];
    child("foreign_signals::a_handler_of_the_interrupt_signal_may_be_installed_later", &ways, |way| {
        use_guarded_calls();
        if way != "before a deadline" {
            expect_deadline_in_endless_loop();
        }
        if way == "one that passes on" {
            REPLACED.store(installed(libc::SIGURG), Ordering::Relaxed);
            handle(libc::SIGURG, count_and_pass_on as *const () as usize, libc::SA_SIGINFO);
        } else {
            handle(libc::SIGURG, count as *const () as usize, 0);
        }
        for n in 1..3 {
            expect_deadline_in_endless_loop();
            let n_before = N_SEEN.load(Ordering::Relaxed);
            raise(libc::SIGURG);
            assert_eq!(N_SEEN.load(Ordering::Relaxed), n_before + 1, "{n}");
        }
    });
}

/// Rust's own handler restores the default action, and returns: a fault would happen again.
#[test]
fn overflows_are_caught_after_a_fault_signal_from_outside() {
    let test = "foreign_signals::overflows_are_caught_after_a_fault_signal_from_outside";
    for signal in ["11", "7"] {
        let output = child_output(test, signal, |signal| {
            let signal = signal.parse().unwrap();
            use_guarded_calls();
            raise(signal);
            use_guarded_calls();
            println!("an overflow was caught");
            // Without this crate, it would have ended the process, too.
            raise(signal);
            println!("not reached");
        });
        let Some(output) = output else { return };
        if is_sanitized(&output) {
            // The sanitizer's handler ends the process.
            continue;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("an overflow was caught") && !text.contains("not reached"), "{output:?}");
        assert_eq!(output.status.signal(), signal.parse().ok(), "{output:?}");
    }
}

#[test]
fn a_deadline_that_no_signal_can_keep_is_refused() {
    let ways = ["refused", "dropped"];
    child("foreign_signals::a_deadline_that_no_signal_can_keep_is_refused", &ways, |way| {
        forbid(libc::SYS_rt_tgsigqueueinfo, if way == "refused" { libc::EPERM } else { 0 });
        use_guarded_calls();
        let limits = Limits::new().deadline(Instant::now() + Duration::from_secs(600));
        let outcome = Script::new().call_within(&limits, guest::endless_loop().code(), &[]);
        let Err(Trap::Unavailable(error)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(error.kind(), ErrorKind::InterruptSignal);
        // Later calls are not affected.
        use_guarded_calls();
    });
}

#[test]
fn handlers_need_no_aligned_stack() {
    child("foreign_signals::handlers_need_no_aligned_stack", &["misaligned"], |_| {
        use_guarded_calls();
        handle(libc::SIGURG, note_alignment as *const () as usize, 0);
        // Now the handler of this crate is installed, and passes on to the other one.
        expect_deadline_in_endless_loop();
        call_with_misaligned_stack(installed(libc::SIGURG), libc::SIGURG);
        assert!(was_aligned());
    });
}
