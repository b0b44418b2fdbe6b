//! The C functions of several formulas together.

use std::ffi::c_char;

use kaleidoscope::{Column, Formulas};

use crate::engine::kls_engine;
use crate::entry::{OutPointer, borrowed, entry, free, slice, slice_mut, text};
use crate::error::kls_error;
use crate::map_options::kls_map_options;
use crate::status::kls_status;

/// Several formulas over the same parameters, evaluated together. Freed by kls_formulas_free. They
/// keep their engine alive.
#[derive(Debug)]
pub struct kls_formulas {
    formulas: Formulas,
}

/// Defines formulas over the same parameters, each as for kls_engine_formula. Over columns, what
/// they have in common is computed once.
///
/// KLS_PROGRAM if a formula has errors, or there is none; the error's diagnostics describe those of
/// the first wrong one. Freeing the formulas also frees their definitions and code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_formulas(
    engine: *const kls_engine,
    texts: *const *const c_char,
    n_texts: usize,
    parameters: *const *const c_char,
    n_parameters: usize,
    formulas: *mut *mut kls_formulas,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let texts = unsafe { all_texts(texts, n_texts, "texts") }?;
        // SAFETY: the host's promise.
        let parameters = unsafe { all_texts(parameters, n_parameters, "parameters") }?;
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(formulas, "formulas") }?;
        let defined = engine.engine.formulas(&texts, &parameters);
        let formulas = defined.map_err(|error| {
            kls_error::of_program(error.diagnostics().to_vec(), error.text_source().clone())
        })?;
        place.give(kls_formulas { formulas });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Evaluates the formulas, and writes the result of each, in order. `n_results` is the number of
/// formulas.
///
/// Errors as for kls_function_call, KLS_CALL also for a wrong number of results.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_call(
    formulas: *const kls_formulas,
    args: *const f64,
    n_args: usize,
    results: *mut f64,
    n_results: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let formulas = unsafe { borrowed(formulas, "formulas") }?;
        // SAFETY: the host's promise.
        let args = unsafe { slice(args, n_args, "args") }?;
        // SAFETY: the host's promise.
        let results = unsafe { slice_mut(results, n_results, "results") }?;
        Ok(formulas.formulas.call(args, results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Evaluates the formulas for each row of the columns. There is one column for each parameter. The
/// results of each formula are written to one of `results`, which are as many as the formulas. Each
/// column and each of `results` has `n_rows` values. None of `results` may overlap with a column or
/// with another one.
///
/// After an error, some results may have been written. A time limit holds for the whole batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_map(
    formulas: *const kls_formulas,
    columns: *const *const f64,
    n_columns: usize,
    results: *const *mut f64,
    n_results: usize,
    n_rows: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let formulas = unsafe { borrowed(formulas, "formulas") }?;
        // SAFETY: the host's promise.
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        // SAFETY: the host's promise.
        let mut results = unsafe { all_results(results, n_results, n_rows) }?;
        Ok(formulas.formulas.map(&columns, &mut results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// As kls_formulas_map, with options; with the default ones if `options` is `NULL`. Columns may be
/// scalars (kls_map_options.scalars).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_map_with(
    formulas: *const kls_formulas,
    options: *const kls_map_options,
    columns: *const *const f64,
    n_columns: usize,
    results: *const *mut f64,
    n_results: usize,
    n_rows: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let formulas = unsafe { borrowed(formulas, "formulas") }?;
        // SAFETY: the host's promise.
        let (options, scalars) = unsafe { kls_map_options::read(options, n_columns) }?;
        // SAFETY: the host's promise.
        let columns = unsafe { columns_or_scalars(columns, n_columns, n_rows, scalars) }?;
        // SAFETY: the host's promise.
        let mut results = unsafe { all_results(results, n_results, n_rows) }?;
        Ok(formulas.formulas.map_columns(options, &columns, &mut results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Evaluates the formulas for each row, in order, with the results of the row before as first
/// arguments, one for each formula: `initial` in the first row. There is one column for each other
/// parameter. `n_results` is the number of formulas, of values in `initial`, and of `results`, to
/// which the results are written as by kls_formulas_map.
///
/// After an error, kls_error_row says in which row, and the results of all rows before it have been
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_scan(
    formulas: *const kls_formulas,
    initial: *const f64,
    columns: *const *const f64,
    n_columns: usize,
    results: *const *mut f64,
    n_results: usize,
    n_rows: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let formulas = unsafe { borrowed(formulas, "formulas") }?;
        // SAFETY: the host's promise.
        let initial = unsafe { slice(initial, n_results, "initial") }?;
        // SAFETY: the host's promise.
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        // SAFETY: the host's promise.
        let mut results = unsafe { all_results(results, n_results, n_rows) }?;
        Ok(formulas.formulas.scan(initial, &columns, &mut results)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// As kls_formulas_scan, without its results: replaces the values in `states`, which are the
/// initial ones, by the results of the last row. They stay if there are no rows; without columns
/// there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_fold(
    formulas: *const kls_formulas,
    states: *mut f64,
    n_states: usize,
    columns: *const *const f64,
    n_columns: usize,
    n_rows: usize,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let formulas = unsafe { borrowed(formulas, "formulas") }?;
        // SAFETY: the host's promise.
        let states = unsafe { slice_mut(states, n_states, "states") }?;
        // SAFETY: the host's promise.
        let columns = unsafe { all_columns(columns, n_columns, n_rows) }?;
        states.copy_from_slice(&formulas.formulas.fold(states, &columns)?);
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Frees formulas; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_formulas_free(formulas: *mut kls_formulas) {
    // SAFETY: the host's promise.
    unsafe { free(formulas) };
}

/// # Safety
/// As [`slice()`] and [`text()`].
unsafe fn all_texts<'a>(
    texts: *const *const c_char,
    n_texts: usize,
    name: &str,
) -> Result<Vec<&'a str>, kls_error> {
    // SAFETY: the caller's promise.
    let texts = unsafe { slice(texts, n_texts, name) }?;
    // SAFETY: the caller's promise.
    texts.iter().map(|&pointer| unsafe { text(pointer, name) }).collect()
}

/// # Safety
/// `columns` is null or points to as many pointers, each of which is null or points to `n_rows`
/// values that live during `'a`.
pub(crate) unsafe fn all_columns<'a>(
    columns: *const *const f64,
    n_columns: usize,
    n_rows: usize,
) -> Result<Vec<&'a [f64]>, kls_error> {
    // SAFETY: the caller's promise.
    let columns = unsafe { slice(columns, n_columns, "columns") }?;
    // SAFETY: the caller's promise.
    columns.iter().map(|&column| unsafe { slice(column, n_rows, "columns") }).collect()
}

/// # Safety
/// As [`all_columns`], except that a column points to one value if the byte with its number in
/// `scalars` is not 0. `scalars` has as many bytes, or none.
pub(crate) unsafe fn columns_or_scalars<'a>(
    columns: *const *const f64,
    n_columns: usize,
    n_rows: usize,
    scalars: &[u8],
) -> Result<Vec<Column<'a>>, kls_error> {
    // SAFETY: the caller's promise.
    let columns = unsafe { slice(columns, n_columns, "columns") }?;
    let column = |(nth, &column): (usize, &*const f64)| match scalars.get(nth) {
        None | Some(0) => {
            // SAFETY: the caller's promise.
            unsafe { slice(column, n_rows, "columns") }.map(Column::Rows)
        }
        Some(_) => {
            // SAFETY: the caller's promise.
            unsafe { slice(column, 1, "columns") }.map(|value| Column::Scalar(value[0]))
        }
    };
    columns.iter().enumerate().map(column).collect()
}

/// # Safety
/// As [`all_columns`], for values that nothing else accesses.
unsafe fn all_results<'a>(
    results: *const *mut f64,
    n_results: usize,
    n_rows: usize,
) -> Result<Vec<&'a mut [f64]>, kls_error> {
    // SAFETY: the caller's promise.
    let results = unsafe { slice(results, n_results, "results") }?;
    // SAFETY: the caller's promise.
    results.iter().map(|&result| unsafe { slice_mut(result, n_rows, "results") }).collect()
}
