//! Scopes: enter the engine once for many calls.

use std::ffi::c_void;

use kaleidoscope::Scope;

use crate::engine::kls_engine;
use crate::entry::{OutPointer, borrowed, entry, slice};
use crate::error::kls_error;
use crate::function::kls_function;
use crate::status::kls_status;

/// A scope for many calls. It belongs to the thread that entered it.
#[derive(Debug)]
pub struct kls_scope<'scope> {
    scope: &'scope Scope<'scope>,
    /// The number of its engine.
    number: u64,
}

/// The body of a scope. It must not leave by a C++ exception, longjmp or pthread_exit.
pub type kls_scope_body = Option<unsafe extern "C" fn(scope: *const kls_scope<'_>, data: *mut c_void)>;

/// Enters the engine once for many calls, so that each call costs a fraction of a single call. It
/// calls `body` with `data`; the body makes the calls by kls_scope_call.
///
/// The time limit of the engine holds for the whole scope, and kls_engine_interrupt stops all its
/// remaining calls. Code that is replaced meanwhile is freed after the scope ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_enter(
    engine: *const kls_engine,
    body: kls_scope_body,
    data: *mut c_void,
    error: *mut *mut kls_error,
) -> kls_status {
    let enter = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        let body = body.ok_or_else(|| kls_error::new(kls_status::KLS_INVALID_ARGUMENT, "`body` is NULL"))?;
        let number = engine.number;
        engine.engine.enter(|scope| {
            let scope = kls_scope { scope, number };
            // SAFETY: the host's function with the host's data, and a scope that lives until it
            // returns.
            unsafe { body(&raw const scope, data) };
            Ok(())
        })?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, enter) }
}

/// Calls the function, as kls_function_call. Function and scope must belong to the same engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_scope_call(
    scope: *const kls_scope<'_>,
    function: *const kls_function,
    args: *const f64,
    n_args: usize,
    result: *mut f64,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let scope = unsafe { borrowed(scope, "scope") }?;
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        if function.number != scope.number {
            let message = "`scope` and `function` belong to different engines";
            return Err(kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message));
        }
        // SAFETY: the host's promise.
        let args = unsafe { slice(args, n_args, "args") }?;
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(result, "result") }?;
        place.write(scope.scope.call_dyn(&function.function, args)?);
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}
