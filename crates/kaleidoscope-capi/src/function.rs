//! The C functions of functions and formulas.

use std::ffi::c_char;
use std::time::Duration;

use kaleidoscope::{DynFunction, Source};

use crate::engine::kls_engine;
use crate::entry::{OutPointer, borrowed, entry, free, slice, slice_mut, text};
use crate::error::kls_error;
use crate::formulas::{all_columns, columns_or_scalars};
use crate::map_options::kls_map_options;
use crate::status::kls_status;

/// A function of a program, of the host or of the maths library, or a formula. Freed by
/// kls_function_free.
///
/// It follows its name: after a redefinition, the next call runs the new definition. It keeps its
/// engine alive.
#[derive(Debug)]
pub struct kls_function {
    /// The number of its engine.
    pub(crate) number: u64,
    pub(crate) function: DynFunction,
}

/// The address of a C function that takes as many `double`s as the function has parameters, and
/// returns a `double`. Cast it before you call it.
pub type kls_address = Option<unsafe extern "C" fn()>;

/// Finds the function of this name. It is compiled at its first call, or by kls_function_prepare.
///
/// KLS_UNKNOWN_FUNCTION if no function has the name.
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
        let place = unsafe { OutPointer::new(function, "function") }?;
        let function = engine.engine.dyn_function(name)?;
        place.give(kls_function { number: engine.number, function });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Defines a formula: an expression over these parameters, as a user types it. It may call
/// everything that a program may call.
///
/// KLS_PROGRAM if the formula has errors; the error's diagnostics describe them. Freeing the
/// function also frees the formula's definition and code.
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
        let place = unsafe { OutPointer::new(function, "function") }?;
        let defined = engine.engine.formula(formula, &parameters.collect::<Result<Vec<_>, _>>()?);
        let defined = defined.map_err(|error| {
            kls_error::of_program(error.diagnostics().to_vec(), Source::new("formula", formula))
        })?;
        place.give(kls_function { number: engine.number, function: defined.function().clone() });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// The number of arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_arity(function: *const kls_function) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(function, "function") }.map_or(0, |function| function.function.arity())
}

/// Calls the function on a stack of its own. Whatever the program does, the host continues.
/// `result` is written if the call succeeds.
///
/// KLS_INTERRUPTED and KLS_TIMED_OUT if the call was stopped. KLS_CALL for every other failure,
/// also for a wrong number of arguments.
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

/// As kls_function_call, with a time limit in microseconds, compilation included.
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
/// `args` is null or points to `n_args` values. `result` is null or may be written to.
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
    let place = unsafe { OutPointer::new(result, "result") }?;
    place.write(function.call(args)?);
    Ok(())
}

/// Applies the function to each row of the columns, and writes the results to `results`. There is
/// one column for each parameter. Each column and `results` have `n_rows` values. `results` must
/// not overlap with a column.
///
/// After an error, some results may have been written. A time limit holds for the whole batch.
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
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        // SAFETY: the host's promise.
        let results = unsafe { slice_mut(results, n_rows, "results") }?;
        function.function.map(&columns, results)?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// As kls_function_map, with options; with the default ones if `options` is `NULL`. Columns may be
/// scalars (kls_map_options.scalars).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_map_with(
    function: *const kls_function,
    options: *const kls_map_options,
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
        let (options, scalars) = unsafe { kls_map_options::read(options, n_columns) }?;
        // SAFETY: the host's promise.
        let columns = unsafe { columns_or_scalars(columns, n_columns, n_rows, scalars) }?;
        // SAFETY: the host's promise.
        let results = unsafe { slice_mut(results, n_rows, "results") }?;
        Ok(function.function.map_columns(options, &columns, results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Applies the function to each row, in order, with the result of the row before as first argument:
/// `initial` in the first row. There is one column for each other parameter. Each column and
/// `results` have `n_rows` values. `results` must not overlap with a column.
///
/// After an error, kls_error_row says in which row, and the results of all rows before it have been
/// written. A time limit holds for the whole scan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_scan(
    function: *const kls_function,
    initial: f64,
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
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        // SAFETY: the host's promise.
        let results = unsafe { slice_mut(results, n_rows, "results") }?;
        Ok(function.function.scan(initial, &columns, results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// As kls_function_scan, without its results: writes that of the last row to `result`. It is
/// `initial` if there are no rows; without columns there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_fold(
    function: *const kls_function,
    initial: f64,
    columns: *const *const f64,
    n_columns: usize,
    n_rows: usize,
    result: *mut f64,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let function = unsafe { borrowed(function, "function") }?;
        // SAFETY: the host's promise.
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(result, "result") }?;
        place.write(function.function.fold(initial, &columns)?);
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Compiles the function now, instead of at its first call. Its callees are still compiled at their
/// own first calls. In KLS_MODE_OFF, nothing is compiled.
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

/// The function's address, which never changes, also when the function is redefined; `NULL` for
/// `NULL`. It is valid as long as the engine; for a formula, as long as a handle of the formula.
///
/// A call of the address is fast and has no guard: it runs on the caller's stack and cannot be
/// stopped. All functions that it reaches must have been prepared, must not be host functions, and
/// must not be redefined during the call; each index must mean an element of its array. Otherwise
/// the process ends with a message, or the behavior is undefined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_address(function: *const kls_function) -> kls_address {
    // SAFETY: the host's promise.
    let function = unsafe { borrowed(function, "function") }.ok()?;
    // SAFETY: both types have the size of an address. The host casts the pointer before it calls.
    Some(unsafe { std::mem::transmute::<*const (), unsafe extern "C" fn()>(function.function.address()) })
}

/// Frees a function; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_function_free(function: *mut kls_function) {
    // SAFETY: the host's promise.
    unsafe { free(function) };
}
