//! Scopes: what is done once for many calls.

use std::ffi::c_void;

use kaleidoscope::Scope;

use crate::engine::kls_engine;
use crate::entry::{Place, borrowed, entry, slice};
use crate::error::{kls_error, kls_status};
use crate::function::kls_function;

/// A scope for many calls, while it is entered. It belongs to the thread that has entered it.
#[derive(Debug)]
pub struct kls_scope<'scope> {
    scope: &'scope Scope<'scope>,
    /// That of its engine's handles.
    number: u64,
}

/// What is done inside of a scope. It must not leave by a C++ exception or longjmp.
pub type kls_scope_body = Option<unsafe extern "C" fn(scope: *const kls_scope<'_>, data: *mut c_void)>;

/// Prepares for many calls, which cost a fraction of what they cost each by itself, and calls `body` with `data`: it makes the calls by
/// kls_scope_call.
///
/// The time limit of the engine is that of all calls together, and kls_engine_interrupt stops all that are still to come. What is redefined
/// meanwhile keeps its memory until the scope is left.
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
            // SAFETY: the host's function with the host's data, and a scope that lives until it returns.
            unsafe { body(&raw const scope, data) };
        })?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, enter) }
}

/// Calls the function, as kls_function_call does. Function and scope belong to the same engine.
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
        let place = unsafe { Place::new(result, "result") }?;
        place.write(scope.scope.call_dyn(&function.function, args)?);
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}
