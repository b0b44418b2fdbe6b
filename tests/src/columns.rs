//! Columns: applies the last function of a random program to columns and compares it with calls:
//! alone, beside scalars, twice together, and as a scan.
//!
//! Each row must give what the interpreter gives for a call with the row's arguments. A few
//! different rows repeat, so that there are enough of them for the engine to lower the function for
//! the column interpreter, and to compile a kernel.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use kaleidoscope::lang::number;
use kaleidoscope::{
    Column, DiagnosticCode, DynFunction, Engine, Event, MapOptions, Mode, Observer, Origin, OutputBuffer,
    Statistics, Tier,
};

use crate::generate::Program;
use crate::run::add_prelude;

/// First arguments. Callers of a random program's functions promise a first argument below 8.
const FIRST: &[f64] = &[0.0, 3.0, -0.0, 7.5, f64::NAN, 1.0, -2.25];

/// All other arguments.
const OTHER: &[f64] = &[0.5, f64::INFINITY, -0.0, 3.0, f64::NAN, -1e308, 5e-324, 2.0, 1e16, -7.0, 0.25];

/// Number of rows: enough for a compiled kernel, and not a multiple of any vector width.
const N_ROWS: usize = 1_001;

/// Number of different rows: the arguments of all columns repeat after these.
const N_DIFFERENT: usize = FIRST.len() * OTHER.len();

/// How long a kernel may take to compile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Maps the last function of the program, in baseline and in lazy mode, and compares each row. In
/// lazy mode, a first batch that ran by columns is followed by one that runs by a kernel.
///
/// # Errors
///
/// Returns the first row that differs, and the program.
pub fn check_columns(program: &Program) -> Result<(), String> {
    let text = program.text();
    let Some(reference) = last_function(Mode::Off, &text, Statistics::new()) else { return Ok(()) };
    let values = |column: usize| if column == 0 { FIRST } else { OTHER };
    let value = |column: usize, row: usize| values(column)[(row + column) % values(column).len()];
    let columns: Vec<Vec<f64>> =
        (0..reference.arity()).map(|column| (0..N_ROWS).map(|row| value(column, row)).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let rows: Vec<Column<'_>> = columns.iter().map(|column| Column::Rows(column)).collect();
    let expected = rows_by_calls(&reference, &rows);
    // Callers promise something about the first argument only.
    let mixed = columns.iter().enumerate();
    let mixed: Vec<Column<'_>> = mixed
        .map(
            |(nth, column)| if nth % 2 == 1 { Column::Scalar(column[2 * nth]) } else { Column::Rows(column) },
        )
        .collect();
    let expected_of_mixed = rows_by_calls(&reference, &mixed);
    let check = |mode, mapped: &DynFunction| {
        let difference = difference(&expected, mapped, &rows).or_else(|| {
            let difference = difference(&expected_of_mixed, mapped, &mixed);
            difference.map(|difference| format!("beside scalars, {difference}"))
        });
        let name = reference.name();
        difference.map_or(Ok(()), |difference| {
            Err(format!(
                "mapped over columns in mode {mode}, `{name}`: {difference}\n── the program ──\n{text}\n"
            ))
        })
    };
    if let Some(mapped) = last_function(Mode::Baseline, &text, Statistics::new()) {
        check("baseline", &mapped)?;
    }
    let (sender, ways) = channel();
    let Some(mapped) = last_function(Mode::Lazy, &text, WayObserver(sender)) else { return Ok(()) };
    check("lazy", &mapped)?;
    if waits_for_kernel(&ways) {
        check("lazy", &mapped)?;
    }
    check_formulas(&reference.name(), &text, &columns)
}

/// The results of all different rows, each by a call.
fn rows_by_calls(function: &DynFunction, columns: &[Column<'_>]) -> Result<Vec<f64>, DiagnosticCode> {
    let value = |column: &Column<'_>, row: usize| match *column {
        Column::Rows(values) => values[row],
        Column::Scalar(value) => value,
    };
    let call = |row| {
        let args: Vec<f64> = columns.iter().map(|column| value(column, row)).collect();
        function.call(&args).map_err(|error| error.code())
    };
    (0..N_DIFFERENT).map(call).collect()
}

/// Evaluates formulas that call the function.
fn check_formulas(name: &str, text: &str, columns: &[&[f64]]) -> Result<(), String> {
    if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        // An operator.
        return Ok(());
    }
    let parameters: Vec<_> = (0..columns.len()).map(|nth| format!("p{nth}")).collect();
    let parameters: Vec<_> = parameters.iter().map(String::as_str).collect();
    let call = |args: &[&str]| format!("{name}({})", args.join(", "));
    // Callers promise something about the first argument only.
    let reversed: Vec<_> = parameters[..1].iter().chain(parameters[1..].iter().rev()).copied().collect();
    let together = [call(&parameters), format!("{} * {}", call(&reversed), call(&parameters))];
    let scanned = format!("fmod({}, 8)", call(&parameters));
    let engine = |mode| engine_with(mode, text, Statistics::new());
    let reference = engine(Mode::Off);
    for mode in [Mode::Baseline, Mode::Lazy] {
        let tested = engine(mode);
        let difference = together_difference(&reference, &tested, &together, &parameters, columns)
            .or_else(|| scan_difference(&reference, &tested, &scanned, &parameters, &columns[1..]));
        if let Some(difference) = difference {
            return Err(format!(
                "formulas in mode {mode:?}, `{name}`: {difference}\n── the program ──\n{text}\n"
            ));
        }
    }
    Ok(())
}

/// How formulas that are evaluated together differ from calls of each.
fn together_difference(
    reference: &Engine,
    tested: &Engine,
    texts: &[String; 2],
    parameters: &[&str],
    columns: &[&[f64]],
) -> Option<String> {
    let texts = texts.each_ref().map(String::as_str);
    let reference = reference.formulas(&texts, parameters).expect("a call of a known function");
    let tested = tested.formulas(&texts, parameters).expect("a call of a known function");
    let expected: Result<Vec<[f64; 2]>, _> = (0..N_DIFFERENT)
        .map(|row| {
            let args: Vec<f64> = columns.iter().map(|column| column[row]).collect();
            let mut results = [0.0; 2];
            reference.call(&args, &mut results).map(|()| results).map_err(|error| error.code())
        })
        .collect();
    // By calls and columns, then by the kernel.
    for _ in 0..2 {
        let (mut one, mut two) = (vec![0.0; N_ROWS], vec![0.0; N_ROWS]);
        let options = MapOptions::new().on_this_thread();
        let got = tested.map_with(options, columns, &mut [&mut one, &mut two]);
        let got = got.map_err(|error| error.code());
        let (Ok(expected), Ok(())) = (&expected, got) else {
            let (expected, got) = (expected.as_ref().err().copied(), got.err());
            return (expected != got)
                .then(|| format!("together: expected the error {expected:?}, got {got:?}"));
        };
        let difference = (0..N_ROWS).find_map(|row| {
            let shown = |results: [f64; 2]| results.map(number::format);
            let (expected, got) = (shown(expected[row % N_DIFFERENT]), shown([one[row], two[row]]));
            (expected != got).then(|| format!("together: row {row}: expected {expected:?}, got {got:?}"))
        });
        if difference.is_some() {
            return difference;
        }
    }
    None
}

/// How a scan differs from calls. The interpreter makes those of the first rows.
fn scan_difference(
    reference: &Engine,
    tested: &Engine,
    text: &str,
    parameters: &[&str],
    columns: &[&[f64]],
) -> Option<String> {
    let reference = reference.formula(text, parameters).expect("a call of a known function");
    let tested = tested.formula(text, parameters).expect("a call of a known function");
    let mut expected = Vec::new();
    let mut failed = None;
    let mut state = 1.0;
    for row in 0..N_DIFFERENT {
        let args: Vec<f64> = std::iter::once(state).chain(columns.iter().map(|column| column[row])).collect();
        match reference.call(&args) {
            Ok(value) => state = value,
            Err(error) => {
                failed = Some((row, error.code()));
                break;
            }
        }
        expected.push(number::format(state));
    }
    for _ in 0..2 {
        let mut out = vec![0.0; N_ROWS];
        let got = tested.scan(1.0, columns, &mut out);
        let got = got.err().map(|error| (error.row().expect("the arguments fit"), error.code()));
        let is_right = match (failed, got) {
            (None, Some((row, _))) => row >= N_DIFFERENT,
            (failed, got) => failed == got || failed.is_none(),
        };
        if !is_right {
            return Some(format!("scan: expected the error {failed:?}, got {got:?}"));
        }
        let written = out.iter().map(|value| number::format(*value));
        if let Some((row, (expected, got))) =
            expected.iter().zip(written).enumerate().find(|(_, (expected, got))| *expected != got)
        {
            return Some(format!("scan: row {row}: expected {expected}, got {got}"));
        }
    }
    None
}

/// What an observer saw of batches and kernels.
enum Seen {
    Columns,
    Kernel,
}

/// Reports batches that ran by columns, and kernels that were compiled or could not be.
struct WayObserver(Sender<Seen>);

impl Observer for WayObserver {
    fn observe(&self, event: &Event) {
        let seen = match event {
            Event::Mapped { rows, .. } if rows.by_columns > 0 => Seen::Columns,
            Event::Compiled { tier: Tier::Kernel, .. } | Event::CompileFailed { .. } => Seen::Kernel,
            _ => return,
        };
        // The receiver may be gone.
        drop(self.0.send(seen));
    }
}

/// Whether the only batch so far ran by columns. Then waits for the kernel.
fn waits_for_kernel(ways: &Receiver<Seen>) -> bool {
    let seen: Vec<_> = ways.try_iter().collect();
    if !seen.iter().any(|seen| matches!(seen, Seen::Columns)) {
        return false;
    }
    if !seen.iter().any(|seen| matches!(seen, Seen::Kernel)) {
        ways.recv_timeout(PATIENCE).expect("the kernel is compiled in the background");
    }
    true
}

/// Maps the function. Returns how the results differ from those of calls of all different rows.
fn difference(
    expected: &Result<Vec<f64>, DiagnosticCode>,
    mapped: &DynFunction,
    columns: &[Column<'_>],
) -> Option<String> {
    let mut out = vec![0.0; N_ROWS];
    let options = MapOptions::new().on_this_thread();
    let got = mapped.map_columns(options, columns, &mut out).map_err(|error| error.code());
    match (expected, got) {
        (Ok(expected), Ok(())) => (0..N_ROWS).find_map(|row| {
            let (expected, got) = (number::format(expected[row % N_DIFFERENT]), number::format(out[row]));
            (expected != got).then(|| format!("row {row}: expected {expected}, got {got}"))
        }),
        (expected, got) => {
            let (expected, got) = (expected.as_ref().err().copied(), got.err());
            (expected != got).then(|| format!("expected the error {expected:?}, got {got:?}"))
        }
    }
}

/// Runs the program in this mode and returns its last function that has parameters.
fn last_function(mode: Mode, text: &str, observer: impl Observer + 'static) -> Option<DynFunction> {
    let engine = engine_with(mode, text, observer);
    let is_from_program = |origin: &Origin| matches!(origin, Origin::Program { .. });
    let mut functions = engine.functions().into_iter();
    let last = functions.rfind(|function| function.arity > 0 && is_from_program(&function.origin))?;
    engine.dyn_function(&last.name).ok()
}

/// An engine that has run the program.
fn engine_with(mode: Mode, text: &str, observer: impl Observer + 'static) -> Engine {
    let engine = Engine::builder().mode(mode).output(OutputBuffer::default()).observer(observer).build();
    let engine = engine.expect("the machine of a test has memory for an engine");
    add_prelude(&engine, text);
    // Items of random programs may fail.
    drop(engine.run(text));
    engine
}
