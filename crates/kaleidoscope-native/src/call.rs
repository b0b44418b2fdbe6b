//! The one way into generated code, and the chain of activations that the ways out of it go by.
//!
//! Leaving early skips the frames of generated code between an entry ([`entry`](crate::entry)) and the innermost
//! [`call`], and no others: frames of Rust below belong to an activation further out, which goes on by itself when its
//! own `call` returns. Wasmtime's `runtime/vm/traphandlers.rs` was the model for the chain.

use std::cell::Cell;
use std::ptr::{self, null};

use crate::address::CodeAddress;
use crate::arch::{self, Landing, N_REGISTERS};
use crate::host::HostId;
use crate::stub::StubId;
use crate::trap::Trap;

/// What generated code asks of its engine while it runs.
///
/// Both may block, compile, and enter generated code again by a [`call`] of their own. Both run with no lock of this
/// crate held, on the thread that runs the generated code. A panic in either ends the call with [`Trap::Panic`].
///
/// # Safety
/// The code that `materialize` returns must satisfy the contract of [`Stub::redirect`](crate::Stub::redirect) for that
/// stub, at least until the call that asked for it has left it.
pub unsafe trait Runtime: Sync {
    /// Code for a stub that has been called while its slot leads into the lazy entry.
    ///
    /// The call goes on in the code returned. So that later calls find it too, redirect the stub.
    ///
    /// # Errors
    /// A trap ends the innermost [`call`].
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap>;

    /// The value of a host function.
    ///
    /// # Errors
    /// A trap ends the innermost [`call`].
    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap>;
}

/// Calls generated code with any number of arguments.
///
/// Calls nest: a runtime may call again from within `materialize` and `host_call`. Each call ends by itself: a trap in
/// a nested one is returned to the runtime and goes no further unless the runtime hands it on.
///
/// # Errors
/// The trap with which `runtime` ended the call.
///
/// # Safety
/// - `code` has the C ABI of doubles with as many parameters as there are `args`.
/// - Code, stubs and slots that it reaches stay valid until the call has returned.
/// - It does not unwind, and its frames, as those of all it calls but host stubs, may be skipped: they hold no lock and
///   own nothing.
/// - All of it that reaches a stub's lazy entry or a host stub belongs to `runtime`.
pub unsafe fn call(runtime: &dyn Runtime, code: CodeAddress, args: &[f64]) -> Result<f64, Trap> {
    let mut few = [0.0; N_REGISTERS];
    let (registers, stack): (&[f64; N_REGISTERS], &[f64]) = match args.split_first_chunk() {
        Some(split) => split,
        None => {
            few[..args.len()].copy_from_slice(args);
            (&few, &[])
        }
    };
    let activation = Activation {
        landing: Landing::new(),
        runtime,
        side: Cell::new(Side::Guest),
        trap: Cell::new(None),
        previous: INNERMOST.get(),
    };
    INNERMOST.set(ptr::from_ref(&activation).cast());
    // SAFETY: the caller vouches for the code; the landing lives on this frame, which is there until `enter` returns.
    let outcome =
        unsafe { arch::enter(&activation.landing, code.get(), registers, stack.as_ptr(), stack.len()) };
    // Reached on both ways out: `enter` does not unwind, because every entry catches panics.
    INNERMOST.set(activation.previous);
    if outcome.left == 0 { Ok(outcome.value) } else { Err(activation.into_trap()) }
}

/// Whose code an activation is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Generated code.
    Guest,
    /// The runtime, asked by generated code.
    Host,
}

/// One [`call`] that has not returned.
///
/// Promises:
/// 1. [`INNERMOST`] is null or points to an activation on the stack of this thread whose `call` has not returned.
/// 2. While `side` is `Guest` for the innermost activation, all frames between its `call` and the newest are those of
///    generated code, except where an entry of this crate has just been reached.
/// 3. `landing` has been filled by `enter` before any generated code of the activation runs.
pub(crate) struct Activation<'call> {
    landing: Landing,
    runtime: &'call dyn Runtime,
    side: Cell<Side>,
    /// Why it is being left.
    trap: Cell<Option<Trap>>,
    /// The activation around it on this thread.
    previous: *const Activation<'static>,
}

thread_local! {
    /// The innermost activation of this thread. The lifetime is not real: see promise 1.
    static INNERMOST: Cell<*const Activation<'static>> = const { Cell::new(null()) };
}

impl Activation<'_> {
    /// Asks the runtime of the innermost activation; gives back what it answers, or where to land when it traps.
    ///
    /// Aborts the process if generated code is running that was not entered by [`call`]: there is nowhere to land and
    /// nobody to ask. `what` names what it reached.
    pub(crate) fn ask<T>(
        what: &dyn Fn() -> String,
        question: impl FnOnce(&dyn Runtime) -> Result<T, Trap>,
    ) -> Result<T, *const Landing> {
        let innermost = INNERMOST.get();
        // SAFETY: promise 1, and this function returns before that `call` does.
        let Some(activation) = (unsafe { innermost.as_ref() }) else { outside(&what()) };
        if activation.side.replace(Side::Host) == Side::Host {
            outside(&what());
        }
        let answer = Trap::catch(|| question(activation.runtime));
        activation.side.set(Side::Guest);
        answer.map_err(|trap| {
            activation.trap.set(Some(trap));
            &raw const activation.landing
        })
    }

    #[cold]
    fn into_trap(self) -> Trap {
        self.trap.into_inner().expect("an activation is left only after a trap has been noted")
    }
}

/// Ends the process: the contract of [`call`], that generated code is entered by it only, has been broken.
#[cold]
fn outside(what: &str) -> ! {
    eprintln!(
        "fatal: generated code reached {what} without having been entered by a guarded call; \
         a raw call is allowed only to code that needs neither compiling nor the host"
    );
    std::process::abort()
}
