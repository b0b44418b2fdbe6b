//! Processes that can start no threads: what needs some does without, or is an error.
#![allow(unsafe_code)]

use kaleidoscope::{Engine, Mode};
use std::process::Command;

/// The environment variable that makes a test run in a process of its own.
const OWN_PROCESS: &str = "KALEIDOSCOPE_TEST_THREAD_LIMITS";

const N_ROWS: usize = 1 << 18;

/// Limits the memory of this process to what it has, and less than a thread's stack in addition.
fn refuse_threads() {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let n_pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    // SAFETY: returns a number.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    let limit = n_pages * page_bytes + (1 << 20);
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: reads the structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

/// Runs a test in a process of its own.
fn in_own_process(test: &str, run: impl FnOnce()) {
    if std::env::var_os(OWN_PROCESS).is_some() {
        return run();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(OWN_PROCESS, "1");
    let status = test_process::Process::start(&mut command).wait();
    assert!(status.success(), "{status}");
}

/// Batches of many rows have their values where this has happened.
fn check_batches_after(event: impl FnOnce()) {
    let column = vec![2.0; N_ROWS];
    let mut out = vec![0.0; N_ROWS];
    let modes = [Mode::Baseline, Mode::Off];
    let formulas = modes.map(|mode| {
        let engine = Engine::builder().mode(mode).build().unwrap();
        let formula = engine.formula("x + 1", &["x"]).unwrap();
        // What the batch needs besides threads is there afterwards.
        formula.map(&[&column[..10]], &mut out[..10]).unwrap();
        formula
    });
    event();
    for formula in formulas {
        for _ in 0..2 {
            out.fill(0.0);
            formula.map(&[&column], &mut out).unwrap();
            assert!(out.iter().all(|&value| value == 3.0));
        }
    }
}

#[test]
fn large_batches_run_on_the_calling_thread() {
    in_own_process("thread_limits::large_batches_run_on_the_calling_thread", || {
        check_batches_after(refuse_threads);
    });
}

#[test]
fn large_batches_run_where_the_host_could_not_start_the_pool() {
    in_own_process("thread_limits::large_batches_run_where_the_host_could_not_start_the_pool", || {
        check_batches_after(|| {
            refuse_threads();
            rayon::ThreadPoolBuilder::new().build_global().unwrap_err();
        });
    });
}
