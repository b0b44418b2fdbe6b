//! What a host changes on a thread after its first evaluation: signals that it blocks, an alternate
//! stack that it disables. Overflows and time limits are errors all the same.
#![allow(unsafe_code)]

use crate::check;
use kaleidoscope::{DiagnosticCode, Engine, MapOptions, Mode};
use std::mem::MaybeUninit;
use std::process::Command;
use std::ptr::null_mut;
use std::time::Duration;

/// The environment variable that makes a test run in a process of its own.
const OWN_PROCESS: &str = "KALEIDOSCOPE_TEST_SIGNAL_SETTINGS";

/// Blocks all signals, and disables the alternate stack.
fn change_settings() {
    let mut all = MaybeUninit::uninit();
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set has been filled.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), null_mut()) };
    let disabled = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler runs on the alternate stack now.
    assert_eq!(unsafe { libc::sigaltstack(&raw const disabled, null_mut()) }, 0);
}

#[test]
fn overflows_and_time_limits_are_errors_whatever_the_host_has_changed() {
    const TEST: &str = "signal_settings::overflows_and_time_limits_are_errors_whatever_the_host_has_changed";
    if std::env::var_os(OWN_PROCESS).is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture"]).env(OWN_PROCESS, "1");
        let status = test_process::Process::start(&mut command).wait();
        assert!(status.success(), "{status}");
        return;
    }
    for mode in Mode::ALL {
        let engine = Engine::builder().mode(*mode).stack_bytes(1 << 20).build().unwrap();
        check(&engine, "def f(x) f(x + 1) + 1; f(1);", &[], &["KLS3004"]);
        let f = engine.function::<(f64,)>("f").unwrap();
        let column = [1.0; 10];
        let mut out = column;
        for _ in 0..3 {
            change_settings();
            check(&engine, "f(1);", &[], &["KLS3004"]);
            change_settings();
            check(&engine, "(for i = 0, i < 3 in i) + f(1);", &[], &["KLS3004"]);
            change_settings();
            let scope = engine.enter(|scope| scope.call(&f, (1.0,)));
            assert_eq!(scope.unwrap_err().code(), DiagnosticCode::StackOverflow);
            change_settings();
            let mapped = f.map_with(MapOptions::new().on_this_thread(), &[&column], &mut out);
            assert_eq!(mapped.unwrap_err().code(), DiagnosticCode::StackOverflow);
            change_settings();
            let called = f.within(Duration::from_secs(600)).call((1.0,));
            assert_eq!(called.unwrap_err().code(), DiagnosticCode::StackOverflow);
            change_settings();
            check(&engine.within(Duration::from_millis(5)), "for i = 0, 1 in 0;", &[], &["KLS3006"]);
        }
    }
}
