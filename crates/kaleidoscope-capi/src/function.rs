//! Functions and formulas as handles, to be called many times.

use std::ffi::c_char;
use std::time::Duration;

use kaleidoscope::{DynFunction, Source};

use crate::engine::kls_engine;
use crate::entry::{Place, borrowed, entry, slice, slice_mut, take_back, text};
use crate::error::{kls_error, kls_status};

/// A function of a program, of the host or of the maths library, or a formula. Given back by kls_function_free.
///
/// It stays valid through definitions of its name, which the next call sees, and keeps its engine.
#[derive(Debug)]
pub struct kls_function {
    /// That of its engine's handles.
    pub(crate) number: u64,
    pub(crate) function: DynFunction,
}

/// The address of a function: of a C function that takes as many `double`s as the function has parameters, and gives a `double`.
/// To be cast before it is called.
pub type kls_address = Option<unsafe extern "C" fn()>;

/// Gives the function of this name. It costs no code: that is made by the first call, or by kls_function_prepare.
///
/// KLS_UNKNOWN_FUNCTION when nothing has the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_function(
    engine: *const kls_engine,
    name: *const c_char,
    function: *mut *mut kls_function,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = unsafe { text(name, "name") }?;
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(function, "function") }?;
        let function = engine.engine.dyn_function(name)?;
        place.give(kls_function { number: engine.number, function });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Makes a formula callable: an expression over these parameters, as a user types it. It may use everything that a program may.
///
/// KLS_PROGRAM when it has no meaning: the error's diagnostics say where and why. When the formula is given back, nothing of it is left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_formula(
    engine: *const kls_engine,
    formula: *const c_char,
    parameters: *const *const c_char,
    n_parameters: usize,
    function: *mut *mut kls_function,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let formula = unsafe { text(formula, "formula") }?;
        // SAFETY: the host's promise.
        let parameters = unsafe { slice(parameters, n_parameters, "parameters") }?;
        // SAFETY: the host's promise.
        let parameters = parameters.iter().map(|&parameter| unsafe { text(parameter, "parameters") });
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(function, "function") }?;
        let made = engine.engine.formula(formula, &parameters.collect::<Result<Vec<_>, _>>()?);
        let made = made.map_err(|error| {
            kls_error::of_program(error.diagnostics().to_vec(), Source::new("formula", formula))
        })?;
        place.give(kls_function { number: engine.number, function: made.function().clone() });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// How many arguments the function takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_arity(function: *const kls_function) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(function, "function") }.map_or(0, |function| function.function.arity())
}

/// Calls the function, on a stack of its own: whatever it does, the host goes on. `result` is written when it is KLS_OK.
///
/// KLS_INTERRUPTED and KLS_TIMED_OUT when it was stopped; KLS_CALL for everything else that a program can do wrong while
/// it runs, and for another number of arguments than the function takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_call(
    function: *const kls_function,
    args: *const f64,
    n_args: usize,
    result: *mut f64,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        // SAFETY: the host's promise.
        unsafe { call(&function.function, args, n_args, result) }
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// As kls_function_call, for a call that may take so many microseconds, compiling included.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_call_within(
    function: *const kls_function,
    microseconds: u64,
    args: *const f64,
    n_args: usize,
    result: *mut f64,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        let limited = function.function.within(Duration::from_micros(microseconds));
        // SAFETY: the host's promise.
        unsafe { call(&limited, args, n_args, result) }
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// # Safety
/// The pointers are null, or point to as many values as are said, and a place.
#[inline]
unsafe fn call(
    function: &DynFunction,
    args: *const f64,
    n_args: usize,
    result: *mut f64,
) -> Result<(), kls_error> {
    // SAFETY: the caller's promise.
    let args = unsafe { slice(args, n_args, "args") }?;
    // SAFETY: the caller's promise.
    let place = unsafe { Place::new(result, "result") }?;
    place.write(function.call(args)?);
    Ok(())
}

/// Calls the function with each row of columns, of which there is one for each parameter, and writes the results to `results`, which
/// has `n_rows` values as every column has. It may not overlap with them.
///
/// After an error results of some rows have been written. A time limit is that of all rows together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_map(
    function: *const kls_function,
    columns: *const *const f64,
    n_columns: usize,
    results: *mut f64,
    n_rows: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        // SAFETY: the host's promise.
        let columns = unsafe { slice(columns, n_columns, "columns") }?;
        // SAFETY: the host's promise.
        let columns = columns.iter().map(|&column| unsafe { slice(column, n_rows, "columns") });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        // SAFETY: the host's promise.
        let results = unsafe { slice_mut(results, n_rows, "results") }?;
        function.function.map(&columns, results)?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Makes the code now that the first call would make, if the engine makes code at all. Functions that it calls are prepared when
/// they are called, or by handles of their own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_prepare(
    function: *const kls_function,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        Ok(function.function.prepare()?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// The function's address, which stays what it is whatever is defined behind it; `NULL` for `NULL`. It is valid as long as the engine,
/// and that of a formula as long as there is a handle of it.
///
/// To call it is the quickest way, and nothing stands around it: it runs on the caller's stack and cannot be stopped. What
/// it reaches must have been prepared, must be no function of the host, and must not be defined again meanwhile; otherwise
/// the process ends with a message, or worse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_address(function: *const kls_function) -> kls_address {
    // SAFETY: the host's promise.
    let function = unsafe { borrowed(function, "function") }.ok()?;
    // SAFETY: an address of code is as large as a pointer to a function; the signature is cast by the host before it calls.
    Some(unsafe { std::mem::transmute::<*const (), unsafe extern "C" fn()>(function.function.address()) })
}

/// Gives a function back; nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_free(function: *mut kls_function) {
    // SAFETY: the host's promise.
    unsafe { take_back(function) };
}
