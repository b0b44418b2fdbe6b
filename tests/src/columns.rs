//! Columns: maps the last function of a random program over columns and compares it with calls.
//!
//! Each row must give what the interpreter gives for a call with the row's arguments. A few
//! different rows repeat, so that there are enough of them for the engine to compile a kernel.

use kaleidoscope::lang::number;
use kaleidoscope::{DynFunction, Engine, MapOptions, Mode, Origin, OutputBuffer};

use crate::generate::Program;

/// First arguments. Callers of a random program's functions promise a first argument below 8.
const FIRST: &[f64] = &[0.0, 3.0, -0.0, 7.5, f64::NAN, 1.0, -2.25];

/// All other arguments.
const OTHER: &[f64] = &[0.5, f64::INFINITY, -0.0, 3.0, f64::NAN, -1e308, 5e-324, 2.0, 1e16, -7.0, 0.25];

/// Number of rows: enough for a compiled kernel, and not a multiple of any vector width.
const N_ROWS: usize = 1_001;

/// Number of different rows: the arguments of all columns repeat after these.
const N_DIFFERENT: usize = FIRST.len() * OTHER.len();

/// Maps the last function of the program in lazy mode and compares each row.
///
/// # Errors
///
/// Returns the first row that differs, and the program.
pub fn check_columns(program: &Program) -> Result<(), String> {
    let text = program.text();
    let (Some(reference), Some(mapped)) = (last_function(Mode::Off, &text), last_function(Mode::Lazy, &text))
    else {
        return Ok(());
    };
    let values = |column: usize| if column == 0 { FIRST } else { OTHER };
    let value = |column: usize, row: usize| values(column)[(row + column) % values(column).len()];
    let columns: Vec<Vec<f64>> =
        (0..reference.arity()).map(|column| (0..N_ROWS).map(|row| value(column, row)).collect()).collect();
    let expected: Result<Vec<f64>, _> = (0..N_DIFFERENT)
        .map(|row| {
            let args: Vec<f64> = columns.iter().map(|column| column[row]).collect();
            reference.call(&args).map_err(|error| error.code())
        })
        .collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut out = vec![0.0; N_ROWS];
    let options = MapOptions::new().on_this_thread();
    let got = mapped.map_with(options, &columns, &mut out).map_err(|error| error.code());
    let difference = match (expected, got) {
        (Ok(expected), Ok(())) => (0..N_ROWS).find_map(|row| {
            let (expected, got) = (number::format(expected[row % N_DIFFERENT]), number::format(out[row]));
            (expected != got).then(|| format!("row {row}: expected {expected}, got {got}"))
        }),
        (expected, got) => {
            let (expected, got) = (expected.err(), got.err());
            (expected != got).then(|| format!("expected the error {expected:?}, got {got:?}"))
        }
    };
    match difference {
        None => Ok(()),
        Some(difference) => {
            let name = reference.name();
            Err(format!("mapped over columns, `{name}`: {difference}\n── the program ──\n{text}\n"))
        }
    }
}

/// Runs the program in this mode and returns its last function that has parameters.
fn last_function(mode: Mode, text: &str) -> Option<DynFunction> {
    let engine = Engine::builder().mode(mode).output(OutputBuffer::default()).build();
    let engine = engine.expect("the machine of a test has memory for an engine");
    engine.run(text);
    let is_from_program = |origin: &Origin| matches!(origin, Origin::Program { .. });
    let mut functions = engine.functions().into_iter();
    let last = functions.rfind(|function| function.arity > 0 && is_from_program(&function.origin))?;
    engine.dyn_function(&last.name).ok()
}
