//! Calls into LLVM and callbacks out of it: what must not cross C++ frames.
//!
//! Four things must not cross C++ frames: a callback's panic, an error that the session reports
//! while an operation runs, a diagnostic of the code generator, and a destructor that must not run
//! under LLVM's locks. A callback stores them in thread-local state, and [`call_llvm`] picks them
//! up when the call has left LLVM.
//!
//! This works because the session dispatches its work in place: a callback runs on the thread that
//! called LLVM. Modeled on git2's `src/panic.rs`.

use std::any::Any;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Error, ErrorKind};
use crate::out_of_memory::InsideLlvm;

thread_local! {
    /// Without a destructor, so that LLVM can be called while the thread ends: destructors of other
    /// values of the thread may own code. It owns memory only while a call runs.
    static STATE: ManuallyDrop<RefCell<BoundaryState>> = const {
        ManuallyDrop::new(RefCell::new(BoundaryState {
            panic: None,
            cause: None,
            depth: 0,
            deferred_drops: Vec::new(),
            diagnostics: Vec::new(),
        }))
    };
}

fn with_state<T>(body: impl FnOnce(&mut BoundaryState) -> T) -> T {
    STATE.with(|state| body(&mut state.borrow_mut()))
}

type Payload = Box<dyn Any + Send>;

struct BoundaryState {
    panic: Option<Payload>,
    /// The first error reported since the outermost `call_llvm` began. Later errors are
    /// consequences.
    cause: Option<Error>,
    /// Nested `call_llvm` calls on this thread.
    depth: u32,
    /// Values to drop when the call has left LLVM.
    deferred_drops: Vec<Box<dyn Any>>,
    /// Diagnostics of the code generator since [`take_diagnostics`] was last called.
    diagnostics: Vec<String>,
}

/// Runs a callback and stores its panic, which [`call_llvm`] raises again.
pub(crate) fn catch_panic(callback: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
        let unstored = with_state(|state| match state.panic {
            None if state.depth > 0 => {
                state.panic = Some(payload);
                None
            }
            // Only one panic can be raised again, and the first one tells most. At depth 0 the
            // callback came from generated code that was called from outside, so no `call_llvm`
            // raises a panic.
            _ => Some(payload),
        });
        drop_panic(unstored);
    }
}

/// Like [`catch_panic`], for a callback that returns a result. A panic also becomes an error.
pub(crate) fn catch_panic_as_error<T>(callback: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let mut result = None;
    catch_panic(|| result = Some(callback()));
    result.unwrap_or_else(|| Err(Error::new(ErrorKind::Session, "a callback panicked")))
}

/// Stores a value that must not be dropped while LLVM may hold a lock. The value is dropped when
/// the call that is running on this thread has left LLVM.
pub(crate) fn defer_drop(owned: impl Any) {
    with_state(|state| state.deferred_drops.push(Box::new(owned)));
}

/// Stores a diagnostic of the code generator.
#[cfg(feature = "inkwell")]
pub(crate) fn add_diagnostic(text: String) {
    with_state(|state| state.diagnostics.push(text));
}

/// Removes and returns the stored diagnostics, one per line.
pub(crate) fn take_diagnostics() -> String {
    with_state(|state| std::mem::take(&mut state.diagnostics)).join("\n")
}

/// The panic's message, if it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(no text)",
    }
}

/// Stores an error that the session reported. It becomes the cause of the error of the operation
/// that is running on this thread.
pub(crate) fn record_error(error: Error) {
    let unstored = with_state(|state| {
        if state.depth > 0 && state.cause.is_none() {
            state.cause = Some(error);
            None
        } else {
            Some(error)
        }
    });
    drop(unstored);
}

/// Like [`record_error`], for an error that is the cause of the stored error and replaces it.
pub(crate) fn record_cause(error: Error) {
    let former = with_state(|state| state.cause.take());
    drop(former);
    record_error(error);
}

/// Runs `call`, which ends a responsibility or a suspended look-up. Panics and errors of its
/// callbacks are left for the [`call_llvm`] that is running on this thread, if there is one.
pub(crate) fn call_llvm_nested(call: impl FnOnce()) {
    let _inside = InsideLlvm::enter();
    call();
    run_deferred_drops();
}

fn run_deferred_drops() {
    loop {
        let deferred_drops = with_state(|state| std::mem::take(&mut state.deferred_drops));
        if deferred_drops.is_empty() {
            return;
        }
        for owned in deferred_drops {
            catch_panic(|| drop(owned));
        }
    }
}

/// Runs `call`, which enters LLVM and may run callbacks. A callback's panic is raised again
/// afterwards. If `call` fails, the error that the session reported in the meantime becomes its
/// cause.
pub(crate) fn call_llvm<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let (result, panic, cause) = call_and_collect(call);
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
    result.map_err(|error| error.with_cause(cause))
}

/// Like [`call_llvm`], for destructors. A destructor must not panic, so a callback's panic is
/// dropped.
pub(crate) fn call_llvm_in_drop(call: impl FnOnce()) {
    let (_, panic, _) = call_and_collect(|| {
        call();
        Ok(())
    });
    drop_panic(panic);
}

fn call_and_collect<T>(
    call: impl FnOnce() -> Result<T, Error>,
) -> (Result<T, Error>, Option<Payload>, Option<Error>) {
    let _inside = InsideLlvm::enter();
    // A callback may call this crate again. The nested call has its own panic and its own cause.
    let outer = with_state(|state| {
        state.depth += 1;
        (state.panic.take(), state.cause.take())
    });
    let result = call();
    run_deferred_drops();
    let inner = with_state(|state| {
        state.depth -= 1;
        (std::mem::replace(&mut state.panic, outer.0), std::mem::replace(&mut state.cause, outer.1))
    });
    (result, inner.0, inner.1)
}

/// Drops a panic's payload. The payload's destructor may panic, too.
fn drop_panic(payload: Option<Payload>) {
    if let Err(second_payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second_payload);
    }
}

#[cfg(test)]
mod tests;
