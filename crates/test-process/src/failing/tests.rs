//! Failures arrive where they should, once or from then on.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use super::{Extent, FailingProgram, Resource};

/// `cat` opens a file, reads it into memory of its own, and writes it.
fn cat() -> FailingProgram {
    FailingProgram::start(Command::new("cat").arg("/proc/self/comm"))
}

#[test]
fn a_program_runs_again_and_again() {
    let mut cat = cat();
    for _ in 0..3 {
        let run = cat.run();
        assert!(run.status.success() && run.stdout == "cat\n" && run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
fn each_file_fails_once() {
    let mut n_failed = 0;
    let n_runs = cat().scan(Resource::File, Extent::Once, (u64::MAX, 1), |nth, run| {
        assert_eq!(run.status.signal(), None, "{nth}: {run:?}");
        if run.stderr.contains("Too many open files") {
            n_failed += 1;
            assert_eq!(run.status.code(), Some(1), "{nth}: {run:?}");
        }
    });
    assert!(n_failed == 1 && n_runs >= 1, "{n_failed} of {n_runs}");
}

#[test]
fn memory_fails_from_then_on() {
    let mut cat = cat();
    let n_requests = cat.run().n_requests;
    assert!(n_requests > 0);
    let first = cat.run_failing(Resource::Memory, 1, Extent::FromThenOn);
    assert!(first.n_requests > 0 && !first.status.success(), "{first:?}");
    let none = cat.run_failing(Resource::Memory, n_requests + 1, Extent::FromThenOn);
    assert!(none.status.success(), "{none:?}");
}
