//! What must not cross C++ frames, carried around them: panics of callbacks, errors that the session reports while an
//! operation runs, complaints of the code generator, and destructors that must not run under LLVM's locks.
//!
//! Callbacks run on the thread that called into LLVM, because the session dispatches its work in place. So both
//! are left in that thread's own store and picked up when the call has returned. The model is git2's
//! `src/panic.rs`.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Error, ErrorKind};

thread_local! {
    static CARRIED: RefCell<Carried> = const {
        RefCell::new(Carried { panic: None, reported: None, depth: 0, later: Vec::new(), complaints: Vec::new() })
    };
}

type Payload = Box<dyn Any + Send>;

struct Carried {
    panic: Option<Payload>,
    /// The first error reported since the outermost `across` began: later ones follow from it.
    reported: Option<Error>,
    depth: u32,
    /// What is to be dropped when LLVM was left.
    later: Vec<Box<dyn Any>>,
    /// What the code generator complained of since they were last taken.
    complaints: Vec<String>,
}

/// Runs a callback's body. A panic in it is kept for [`across`] to raise again.
pub(crate) fn caught(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        let spare = CARRIED.with_borrow_mut(|carried| match carried.panic {
            None if carried.depth > 0 => {
                carried.panic = Some(payload);
                None
            }
            // One panic can be raised again; the first tells more. Below generated code that was called from outside,
            // there is nobody to raise it.
            _ => Some(payload),
        });
        forget_panic(spare);
    }
}

/// As [`caught`], for a callback that answers: a panic is an error, too.
pub(crate) fn answered<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let mut answer = None;
    caught(|| answer = Some(body()));
    answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Session, "a callback panicked")))
}

/// Keeps what must not be dropped while LLVM may hold a lock, until the call that is running on this thread has left
/// LLVM.
pub(crate) fn later(owned: impl Any) {
    CARRIED.with_borrow_mut(|carried| carried.later.push(Box::new(owned)));
}

/// Keeps a complaint of the code generator.
#[cfg(feature = "inkwell")]
pub(crate) fn complain(text: String) {
    CARRIED.with_borrow_mut(|carried| carried.complaints.push(text));
}

/// The complaints since they were last taken, one a line.
pub(crate) fn complaints() -> String {
    CARRIED.with_borrow_mut(|carried| std::mem::take(&mut carried.complaints)).join("\n")
}

/// The text of a panic, as far as it has one.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(no text)",
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

/// As [`report`], for what tells more than what was reported before.
pub(crate) fn report_cause(error: Error) {
    let former = CARRIED.with_borrow_mut(|carried| carried.reported.take());
    drop(former);
    report(error);
}

/// Runs `call`, which ends a responsibility: what it reports and raises belongs to the operation that is running on this thread,
/// if there is one.
pub(crate) fn emitting(call: impl FnOnce()) {
    call();
    sweep();
}

/// Drops what was kept for later.
fn sweep() {
    loop {
        let later = CARRIED.with_borrow_mut(|carried| std::mem::take(&mut carried.later));
        if later.is_empty() {
            return;
        }
        for owned in later {
            caught(|| drop(owned));
        }
    }
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
    sweep();
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
