//! What must not cross C++ frames, carried around them: panics of callbacks, and errors that the session
//! reports while an operation runs.
//!
//! Callbacks run on the thread that called into LLVM, because the session dispatches its work in place. So both
//! are left in that thread's own store and picked up when the call has returned. The model is git2's
//! `src/panic.rs`.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::Error;

thread_local! {
    static CARRIED: RefCell<Carried> = const { RefCell::new(Carried { panic: None, reported: None, depth: 0 }) };
}

type Payload = Box<dyn Any + Send>;

struct Carried {
    panic: Option<Payload>,
    /// The first error reported since the outermost `across` began: later ones follow from it.
    reported: Option<Error>,
    depth: u32,
}

/// Runs a callback's body. A panic in it is kept for [`across`] to raise again.
pub(crate) fn caught(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        let spare = CARRIED.with_borrow_mut(|carried| match carried.panic {
            None => {
                carried.panic = Some(payload);
                None
            }
            // One panic can be raised again; the first tells more.
            Some(_) => Some(payload),
        });
        forget_panic(spare);
    }
}

/// Keeps an error that the session reported, as the cause of the operation that is running on this thread.
pub(crate) fn report(error: Error) {
    let unwanted = CARRIED.with_borrow_mut(|carried| {
        if carried.depth > 0 && carried.reported.is_none() {
            carried.reported = Some(error);
            None
        } else {
            Some(error)
        }
    });
    drop(unwanted);
}

/// Runs `call`, which enters LLVM and may be called back from there, then raises a callback's panic again.
/// An error comes back with what the session reported meanwhile as its cause.
pub(crate) fn across<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let (result, panic, reported) = enter(call);
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
    result.map_err(|error| error.because(reported))
}

/// As [`across`], for destructors, which must not panic: a callback's panic ends here.
pub(crate) fn across_in_drop(call: impl FnOnce()) {
    let (_, panic, _) = enter(|| {
        call();
        Ok(())
    });
    forget_panic(panic);
}

fn enter<T>(call: impl FnOnce() -> Result<T, Error>) -> (Result<T, Error>, Option<Payload>, Option<Error>) {
    // A callback that calls this crate again keeps its own account of panics and reports.
    let outer = CARRIED.with_borrow_mut(|carried| {
        carried.depth += 1;
        (carried.panic.take(), carried.reported.take())
    });
    let result = call();
    let inner = CARRIED.with_borrow_mut(|carried| {
        carried.depth -= 1;
        (std::mem::replace(&mut carried.panic, outer.0), std::mem::replace(&mut carried.reported, outer.1))
    });
    (result, inner.0, inner.1)
}

/// Gets rid of a panic's payload, whose own destructor may panic.
fn forget_panic(payload: Option<Payload>) {
    if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(worse);
    }
}

#[cfg(test)]
mod tests;
