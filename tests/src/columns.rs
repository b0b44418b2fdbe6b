//! Random programs over columns: the function that a program knows last, mapped, must give for each row what the evaluator gives for a
//! call. The rows are few, over and over, so that there are enough of them for code.

use kaleidoscope::lang::number;
use kaleidoscope::{DynFunction, Engine, MapOptions, Mode, Origin, OutputBuffer};

use crate::generate::Program;

/// First arguments: below 8, as who calls a function of a random program promises.
const FIRST: &[f64] = &[0.0, 3.0, -0.0, 7.5, f64::NAN, 1.0, -2.25];

/// All others.
const OTHER: &[f64] = &[0.5, f64::INFINITY, -0.0, 3.0, f64::NAN, -1e308, 5e-324, 2.0, 1e16, -7.0, 0.25];

/// More than it takes to have code made, and a multiple of no width of vectors.
const N_ROWS: usize = 1_001;

/// Rows after which the arguments of all columns come again.
const N_DIFFERENT: usize = FIRST.len() * OTHER.len();

/// Maps the last function of the program in lazy mode.
///
/// # Errors
///
/// Where the rows and the evaluator differ, and the program.
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

/// The function that the program knows last, of those with parameters, after a run in this mode.
fn last_function(mode: Mode, text: &str) -> Option<DynFunction> {
    let engine = Engine::builder().mode(mode).output(OutputBuffer::default()).build();
    let engine = engine.expect("the machine of a test has memory for an engine");
    engine.run(text);
    let is_programs = |origin: &Origin| matches!(origin, Origin::Program { .. });
    let mut functions = engine.functions().into_iter();
    let last = functions.rfind(|function| function.arity > 0 && is_programs(&function.origin))?;
    engine.dyn_function(&last.name).ok()
}
