//! What an environment does to the process or the thread.
#![allow(unsafe_code, reason = "an environment is made by system calls")]

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;

/// The address space that the process uses, in bytes.
pub(crate) fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("the process can be inspected");
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the first number is the size in pages") * 4096
}

/// From now on, these system calls give this error on this thread and those that it starts.
pub(crate) fn refuse(calls: &[i64], error: i32) {
    filter(calls.iter().map(|&call| (call, Vec::new())).collect(), error);
}

/// System calls that match a rule give this error.
fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) {
    let action = SeccompAction::Errno(error as u32);
    let arch = TargetArch::try_from(std::env::consts::ARCH).expect("the machine is known");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).expect("the rules are right");
    let program = BpfProgram::try_from(filter).expect("the filter is short enough");
    seccompiler::apply_filter(&program).expect("a process may restrict itself");
}

/// From now on, no memory of the process becomes executable, as under systemd's
/// `MemoryDenyWriteExecute=`.
pub(crate) fn deny_executable_memory() {
    const PR_SET_MDWE: i32 = 65;
    const PR_MDWE_REFUSE_EXEC_GAIN: u64 = 1;
    // SAFETY: changes what later system calls may do, and no memory.
    let failed = unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0_u64, 0_u64, 0_u64) };
    if failed != 0 {
        // Linux before 6.3: the same by a filter.
        refuse_executable_memory();
    }
}

/// Refuses `mmap` and `mprotect` with `PROT_EXEC`.
fn refuse_executable_memory() {
    let executable = libc::PROT_EXEC as u64;
    let condition = || {
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), executable)
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .expect("the rule is right")
    };
    let calls = [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect];
    filter(calls.into_iter().map(|call| (call, vec![condition()])).collect(), libc::EPERM);
}

/// Runs this in a forked child, and ends as the child ends.
pub(crate) fn in_child(run: impl FnOnce()) {
    // SAFETY: the child has one thread. What it calls is to be tested in that state.
    match unsafe { fork() }.expect("a process may fork") {
        ForkResult::Child => {
            run();
            // A panic would have printed what is wrong. Exit handlers run, as in any program.
            std::process::exit(0);
        }
        ForkResult::Parent { child } => end_as(waitpid(child, None).expect("the child is ours")),
    }
}

fn end_as(status: WaitStatus) -> ! {
    match status {
        WaitStatus::Exited(_, code) => std::process::exit(code),
        WaitStatus::Signaled(_, signal, _) => {
            println!("the child ended by {signal}");
            std::process::exit(1);
        }
        other => panic!("the child ends, but {other:?}"),
    }
}

/// Runs this as the first process of a new process namespace.
pub(crate) fn as_first_process(run: impl FnOnce()) {
    new_namespace(CloneFlags::CLONE_NEWPID);
    in_child(run);
}

/// Unmounts `/proc` for this process.
pub(crate) fn hide_proc() {
    new_namespace(CloneFlags::CLONE_NEWNS);
    let private = mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
    private.expect("the mounts are this process's own");
    umount2("/proc", MntFlags::MNT_DETACH).expect("there is a `/proc`");
}

/// Enters a new namespace; without privileges, as root of a new user namespace.
fn new_namespace(kind: CloneFlags) {
    let entered = unshare(kind).or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | kind));
    entered.expect("this machine allows namespaces");
}

/// Blocks all signals on this thread.
pub(crate) fn block_signals() {
    SigSet::all().thread_block().expect("a thread may block signals");
}

/// Takes this thread's alternate signal stack away.
pub(crate) fn disable_signal_stack() {
    let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler runs on the stack now, and its memory stays where it is.
    let failed = unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) };
    assert_eq!(failed, 0, "a thread may disable its signal stack");
}

/// Runs something when it is destroyed.
struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
            std::io::stdout().flush().expect("standard output is open");
        }
    }
}

thread_local! {
    static AT_END: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
}

/// Runs this when the thread ends, after the destructors of thread-locals that are made later.
pub(crate) fn at_end_of_thread(run: Box<dyn FnOnce()>) {
    AT_END.with_borrow_mut(|at_end| at_end.0 = Some(run));
}
