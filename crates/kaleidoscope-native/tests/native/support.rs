//! A runtime made of two closures, and functions to stand for generated code.

use std::process::{Command, Output};
use std::ptr::null_mut;

use kaleidoscope_native::{
    CodeAddress, GuardedScope, HostId, Limits, Runtime, StubId, Trap, call, call_within,
};

type Materialize<'a> = Box<dyn Fn(StubId) -> Result<CodeAddress, Trap> + Sync + 'a>;
type HostCall<'a> = Box<dyn Fn(HostId, &[f64]) -> Result<f64, Trap> + Sync + 'a>;

/// A runtime that does what a test says.
pub(crate) struct Script<'a> {
    materialize: Materialize<'a>,
    host_call: HostCall<'a>,
}

// SAFETY: each test gives its stubs functions of the arity it calls them with, which are never freed.
unsafe impl Runtime for Script<'_> {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        (self.materialize)(stub)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        (self.host_call)(host, args)
    }
}

impl<'a> Script<'a> {
    /// Has neither code nor host functions.
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

    /// Calls `code`, which each test lets have as many parameters as it gives arguments.
    pub(crate) fn call(&self, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        // SAFETY: what tests call are functions in Rust that own nothing, and stubs and host stubs they keep alive.
        unsafe { call(self, code, args) }
    }

    /// The same, under limits.
    pub(crate) fn call_within(&self, limits: &Limits, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
        // SAFETY: as above, and for code made for tests.
        unsafe { call_within(limits, self, code, args) }
    }
}

/// Calls code, with as many arguments as it has parameters, in a scope.
pub(crate) fn call_in(scope: &GuardedScope<'_>, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
    // SAFETY: as for `Script::call`.
    unsafe { scope.call(code, args) }
}

/// The text that a trap carries.
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

/// Different for every order of arguments, and exact for the small ones used here.
pub(crate) fn digest(args: &[f64]) -> f64 {
    args.iter().fold(1.0, |so_far, arg| 3.0 * so_far + arg)
}

/// `0, 1, 4, 9 …`
pub(crate) fn squares(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i * i) as f64).collect()
}

/// For each number of parameters from 0 to 20, a function that digests its arguments.
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

/// Says to a test that it is the child process, and what to do.
const WAY: &str = "KALEIDOSCOPE_NATIVE_TEST_WAY";

/// Runs `body` in a process of its own, which runs nothing but the test of this name. None in that process.
pub(crate) fn child_output(test: &str, way: &str, body: impl FnOnce(&str)) -> Option<Output> {
    if let Ok(way) = std::env::var(WAY) {
        body(&way);
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    Some(command.args([test, "--exact", "--nocapture"]).env(WAY, way).output().unwrap())
}

/// The same for a body that is to succeed, in several ways.
pub(crate) fn child(test: &str, ways: &[&str], body: impl Fn(&str)) {
    for way in ways {
        let Some(output) = child_output(test, way, &body) else { return };
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way}: {}: {message}", output.status);
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("1 passed"), "{test} is no test: {report}");
    }
}

/// Installs a handler of a signal, as a program around this crate would.
pub(crate) fn handle(signal: i32, handler: usize, flags: i32) {
    // SAFETY: zero is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the tests pass handlers that fit their flags.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, null_mut()) }, 0);
}
