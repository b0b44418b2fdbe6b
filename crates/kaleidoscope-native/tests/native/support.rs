//! A runtime made of two closures, functions that stand for generated code, and child processes.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output, Stdio};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use kaleidoscope_native::{
    CodeAddress, GuardedScope, HostId, Interrupter, Limits, Runtime, StubId, Trap, call, call_within,
};

type Materialize<'a> = Box<dyn Fn(StubId) -> Result<CodeAddress, Trap> + Sync + 'a>;
type HostCall<'a> = Box<dyn Fn(HostId, &[f64]) -> Result<f64, Trap> + Sync + 'a>;

/// A runtime that does what a test says.
pub(crate) struct Script<'a> {
    materialize: Materialize<'a>,
    host_call: HostCall<'a>,
}

// SAFETY: each test gives its stubs functions of the arity it calls them with, which are never
// freed.
unsafe impl Runtime for Script<'_> {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        (self.materialize)(stub)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        (self.host_call)(host, args)
    }
}

impl<'a> Script<'a> {
    /// A runtime with neither code nor host functions.
    pub(crate) fn new() -> Self {
        Self {
            materialize: Box::new(|_| Err(Trap::error("nothing to materialize"))),
            host_call: Box::new(|_, _| Err(Trap::error("no host function"))),
        }
    }

    pub(crate) fn materialize(
        mut self,
        materialize: impl Fn(StubId) -> Result<CodeAddress, Trap> + Sync + 'a,
    ) -> Self {
        self.materialize = Box::new(materialize);
        self
    }

    pub(crate) fn host_call(
        mut self,
        host_call: impl Fn(HostId, &[f64]) -> Result<f64, Trap> + Sync + 'a,
    ) -> Self {
        self.host_call = Box::new(host_call);
        self
    }

    /// Calls `code`, which has as many parameters as there are arguments.
    pub(crate) fn call(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        // SAFETY: the tests call functions that own nothing, and stubs and host stubs that they
        // keep alive.
        unsafe { call(self, code, args) }
    }

    /// Calls `code` under limits.
    pub(crate) fn call_within(&self, limits: &Limits, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        // SAFETY: as above, and for hand-written code.
        unsafe { call_within(limits, self, code, args) }
    }
}

/// Calls code in a scope, with as many arguments as the code has parameters.
pub(crate) fn call_in(scope: &GuardedScope<'_>, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
    // SAFETY: as for `Script::call`.
    unsafe { scope.call(code, args) }
}

/// The text of a trap.
pub(crate) fn text(outcome: Result<f64, Trap>) -> &'static str {
    match outcome {
        Err(Trap::Error(error)) => error.downcast_ref::<&'static str>().expect("a text"),
        other => panic!("{other:?} is not an error"),
    }
}

/// The text of a panic.
pub(crate) fn panic_text(outcome: Result<f64, Trap>) -> String {
    match outcome {
        Err(Trap::Panic(payload)) => (*payload.downcast_ref::<&'static str>().expect("a text")).to_owned(),
        other => panic!("{other:?} is not a panic"),
    }
}

pub(crate) fn code(function: *const ()) -> CodeAddress {
    CodeAddress::new(function as usize)
}

pub(crate) extern "C" fn add_one(x: f64) -> f64 {
    x + 1.0
}

pub(crate) extern "C" fn add_two(x: f64) -> f64 {
    x + 2.0
}

/// A number that differs for every order of arguments, and is exact for the small ones used here.
pub(crate) fn digest(args: &[f64]) -> f64 {
    args.iter().fold(1.0, |so_far, arg| 3.0 * so_far + arg)
}

/// `0, 1, 4, 9 …`
pub(crate) fn squares(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i * i) as f64).collect()
}

/// For each number of parameters from 0 to 20, a function that returns the digest of its arguments.
pub(crate) fn digests() -> Vec<CodeAddress> {
    macro_rules! digests {
        ($all:ident; [$($parameter:ident)*] $($more:ident)*) => {{
            extern "C" fn target($($parameter: f64),*) -> f64 {
                digest(&[$($parameter),*])
            }
            $all.push(code(target as *const ()));
            digests!(next $all; [$($parameter)*] $($more)*);
        }};
        (next $all:ident; [$($parameter:ident)*]) => {};
        (next $all:ident; [$($parameter:ident)*] $next:ident $($more:ident)*) => {
            digests!($all; [$($parameter)* $next] $($more)*)
        };
    }
    let mut all = Vec::new();
    digests!(all; [] a b c d e f g h i j k l m n o p q r s t);
    all
}

/// The environment variable that tells a test to be the child process, and what to do.
const WAY: &str = "KALEIDOSCOPE_NATIVE_TEST_WAY";

/// How long a test waits for a child process or for an event of another thread. Generous: only a
/// test that would otherwise hang takes that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `body` in a process of its own, which runs only the test with this name. Returns `None` in
/// that process, and kills the process after [`PATIENCE`].
pub(crate) fn child_output(test: &str, way: &str, body: impl FnOnce(&str)) -> Option<Output> {
    if let Ok(way) = std::env::var(WAY) {
        body(&way);
        return None;
    }
    Some(output(Command::new(std::env::current_exe().unwrap()), test, way))
}

/// Runs `body` in a process of its own under Valgrind, which finds no error.
pub(crate) fn under_valgrind(test: &str, body: impl FnOnce()) {
    if std::env::var(WAY).is_ok() {
        return body();
    }
    // A sanitizer, which `cargo xtask sanitize` gives options, does not run under Valgrind.
    if Command::new("valgrind").arg("--version").output().is_err()
        || std::env::var_os("ASAN_OPTIONS").is_some()
    {
        // The tests do not need Valgrind. Written past the test harness.
        let sentence = format!("{test} is skipped: there is no valgrind\n");
        return std::io::stderr().write_all(sentence.as_bytes()).unwrap();
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=1"]).arg(std::env::current_exe().unwrap());
    let output = output(valgrind, test, "valgrind");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", output.status);
    assert!(!message.contains("=="), "{message}");
}

/// Runs the test with this name, the only one, by a command that is killed after [`PATIENCE`].
fn output(mut command: Command, test: &str, way: &str) -> Output {
    command.args([test, "--exact", "--nocapture"]).env(WAY, way);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let process = child.id() as i32;
    let (send, receive) = channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        // The receiver is gone if the child was killed.
        let _ = send.send(());
        output
    });
    if receive.recv_timeout(PATIENCE).is_err() {
        // SAFETY: ends a child process that has not been waited for.
        unsafe { libc::kill(process, libc::SIGKILL) };
        panic!("{test}, {way}: did not end in {PATIENCE:?}: {:?}", waiter.join().unwrap());
    }
    waiter.join().unwrap()
}

/// Runs `body`, which succeeds, in a process of its own for each of the ways.
pub(crate) fn child(test: &str, ways: &[&str], body: impl Fn(&str)) {
    for way in ways {
        let Some(output) = child_output(test, way, &body) else { return };
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way}: {}: {message}", output.status);
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("1 passed"), "{test} is not a test: {report}");
    }
}

/// Forks this process: runs `in_child` in the child, and `in_parent` here. Both succeed.
///
/// The child ends by itself, or by a signal after [`PATIENCE`].
pub(crate) fn fork(in_child: impl FnOnce(), in_parent: impl FnOnce()) {
    // SAFETY: the child runs only what is tested, and exits.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: requests SIGALRM, whose default action ends the process.
            unsafe { libc::alarm(PATIENCE.as_secs() as u32) };
            let outcome = catch_unwind(AssertUnwindSafe(in_child));
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(outcome.is_err())) };
        }
        process => {
            assert!(process > 0, "the process can be forked");
            in_parent();
            let mut status = -1;
            // SAFETY: waits for the child.
            assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
            assert_eq!(status, 0);
        }
    }
}

/// Runs `body` while another thread interrupts the first call under the interrupter, as soon as it
/// runs.
pub(crate) fn while_interrupting<R>(interrupter: Interrupter, body: impl FnOnce() -> R) -> R {
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while interrupter.interrupt() == 0 && !has_ended.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let _end = OnDrop(|| has_ended.store(true, Ordering::Relaxed));
        body()
    })
}

/// Calls a closure when it is dropped, also by a panic.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Installs a signal handler, as a program that uses this crate would.
pub(crate) fn handle(signal: i32, handler: usize, flags: i32) {
    // SAFETY: zero is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the tests pass handlers that fit their flags.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, null_mut()) }, 0);
}

/// Makes a system call fail with this error number; 0 pretends that it succeeds.
pub(crate) fn forbid(call: libc::c_long, errno: i32) {
    let instruction = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        // The number of the call.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, 0, 1),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: gives up privileges of this process.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program is as the kernel has it.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0);
}
