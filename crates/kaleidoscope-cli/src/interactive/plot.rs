//! `:plot EXPRESSION, x = A..B`: a curve in the terminal, of Braille patterns.

use super::Talk;
use kaleidoscope::lang::{is_name, number};
use rustix::termios::tcgetwinsize;
use std::io;

/// Rows of characters.
const N_ROWS: usize = 16;

/// Columns of characters, where the terminal does not tell its width.
const N_COLUMNS: usize = 72;

/// The room that the labels of the vertical axis take.
const LABEL_WIDTH: usize = 12;

/// The room in front of the curve: the labels and the vertical axis.
const AXIS_WIDTH: usize = LABEL_WIDTH + 2;

/// The most columns of the curve itself.
const MOST_COLUMNS: usize = 200;

/// Dots in a Braille pattern: 2 beside each other, 4 above each other.
const DOTS_ACROSS: usize = 2;
const DOTS_DOWN: usize = 4;

/// `:plot EXPRESSION, x = A..B`
pub(super) fn plot(talk: &mut Talk<'_>, argument: &str) {
    let Some(request) = Request::parse(argument) else {
        return talk
            .refuse("`:plot` takes an expression and a range, for example `:plot sin(x)/x, x = -10..10`");
    };
    let n_columns = tcgetwinsize(io::stdout()).map_or(N_COLUMNS, |size| usize::from(size.ws_col));
    let n_columns = n_columns.saturating_sub(AXIS_WIDTH).min(MOST_COLUMNS);
    if n_columns == 0 {
        return talk.refuse("the terminal is too narrow for a curve");
    }
    match curve(talk, &request, n_columns * DOTS_ACROSS) {
        Ok((from, to, values)) => talk.print(&picture(&values, n_columns, from, to)),
        Err(message) => talk.refuse(&message),
    }
}

struct Request<'t> {
    expression: &'t str,
    variable: &'t str,
    from: &'t str,
    to: &'t str,
}

impl<'t> Request<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        // The commas in parentheses belong to calls.
        let mut n_open = 0_i32;
        let is_outside = |&(_, character): &(usize, char)| {
            n_open += i32::from(character == '(') - i32::from(character == ')');
            character == ',' && n_open == 0
        };
        let (comma, _) = text.char_indices().filter(is_outside).last()?;
        let (expression, range) = (&text[..comma], &text[comma + 1..]);
        let (variable, range) = range.split_once('=')?;
        let (from, to) = range.split_once("..")?;
        let parts = [expression, variable, from, to].map(str::trim);
        let [expression, variable, from, to] = parts;
        let is_whole = is_name(variable) && parts.iter().all(|part| !part.is_empty());
        is_whole.then_some(Self { expression, variable, from, to })
    }
}

/// The ends of the range, and the values at `n` places between them.
fn curve(talk: &Talk<'_>, request: &Request<'_>, n: usize) -> Result<(f64, f64, Vec<f64>), String> {
    let engine = &talk.session.engine;
    let bound = |text: &str| {
        // Without the prelude, the language has no minus sign in front of a number.
        if let Ok(number) = text.parse() {
            return Ok(number);
        }
        let formula = engine.formula(text, &[]).map_err(|error| error.to_string())?;
        formula.call(&[]).map_err(|error| error.to_string())
    };
    let (from, to): (f64, f64) = (bound(request.from)?, bound(request.to)?);
    if !(from.is_finite() && to.is_finite()) {
        let (from, to) = (number::format(from), number::format(to));
        return Err(format!("a range has two finite ends, and this one goes from {from} to {to}"));
    }
    if from >= to {
        return Err("the range must go up from one number to another".to_owned());
    }
    // The difference of the ends may be infinite.
    let place = |share: f64| from * (1.0 - share) + to * share;
    let places: Vec<_> = (0..n).map(|i| place(i as f64 / (n - 1) as f64)).collect();
    let formula =
        engine.formula(request.expression, &[request.variable]).map_err(|error| error.to_string())?;
    let mut values = vec![0.0; n];
    formula.map(&[&places], &mut values).map_err(|error| error.to_string())?;
    Ok((from, to, values))
}

/// The picture with its axes. Values that are not finite leave gaps.
fn picture(values: &[f64], n_columns: usize, from: f64, to: f64) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return "no value is finite there\n".to_owned();
    }
    let n_dots = N_ROWS * DOTS_DOWN;
    // Halves: the difference of two values may be infinite.
    let height = if high > low { high / 2.0 - low / 2.0 } else { 1.0 };
    let row_of = |value: f64| {
        let up = ((value / 2.0 - low / 2.0) / height * (n_dots - 1) as f64).round() as usize;
        n_dots - 1 - up.min(n_dots - 1)
    };
    let mut cells = vec![0_u8; N_ROWS * n_columns];
    let mut set = |column: usize, row: usize| {
        cells[row / DOTS_DOWN * n_columns + column / DOTS_ACROSS] |=
            dot(column % DOTS_ACROSS, row % DOTS_DOWN);
    };
    let mut before: Option<usize> = None;
    for (column, &value) in values.iter().enumerate() {
        let row = value.is_finite().then(|| row_of(value));
        if let Some(row) = row {
            // A steep curve stays one line.
            let last = before.unwrap_or(row);
            (row.min(last)..=row.max(last))
                .filter(|&between| between != last || before.is_none())
                .for_each(|row| set(column, row));
            set(column, row);
        }
        before = row;
    }
    let mut text = String::new();
    for (row, cells) in cells.chunks(n_columns).enumerate() {
        let label = match row {
            0 => short(high),
            _ if row == N_ROWS - 1 => short(low),
            _ => String::new(),
        };
        let line: String =
            cells.iter().map(|&dots| char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')).collect();
        text.push_str(&format!("{label:>LABEL_WIDTH$} ┤{line}\n"));
    }
    let (from, to) = (short(from), short(to));
    text.push_str(&format!("{:LABEL_WIDTH$} └{}\n", "", "─".repeat(n_columns)));
    if from.len() + to.len() < n_columns {
        let room = n_columns - from.len();
        text.push_str(&format!("{:LABEL_WIDTH$}  {from}{to:>room$}\n", ""));
    } else {
        text.push_str(&format!("from {from}\nto {to}\n"));
    }
    text
}

/// The bit of a dot of a Braille pattern (Unicode, "Braille Patterns").
fn dot(across: usize, down: usize) -> u8 {
    [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][down][across]
}

/// A number that fits beside the axis.
fn short(value: f64) -> String {
    let exact = number::format(value);
    if exact.len() < LABEL_WIDTH { exact } else { format!("{value:.4e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_an_expression_and_a_range() {
        let request = Request::parse("atan2(x, 1), x = -2 .. 3").unwrap();
        assert_eq!((request.expression, request.variable), ("atan2(x, 1)", "x"));
        assert_eq!((request.from, request.to), ("-2", "3"));
        let request = Request::parse("x, x = 0..max(1, atan2(2, 3))").unwrap();
        assert_eq!((request.expression, request.to), ("x", "max(1, atan2(2, 3))"));
        for text in ["sin(x)", "max(x, 1)", "sin(x), x", "x, x = 1", "x, = 1..2", ", x = 1..2"] {
            assert!(Request::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let values: Vec<_> = (0..40).map(f64::from).collect();
        let text = picture(&values, 20, 0.0, 39.0);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), N_ROWS + 2);
        assert!(lines[0].contains("39 ┤") && !lines[0].ends_with('\u{2800}'), "{text}");
        assert!(lines[N_ROWS - 1].contains(" 0 ┤") && !lines[N_ROWS - 1].contains("┤\u{2800}"), "{text}");
    }

    #[test]
    fn a_narrow_terminal_gets_no_long_lines() {
        let text = picture(&[-1e300, 1e300], 6, -1.234_567_89e-7, 1.234_567_89e200);
        assert!(text.lines().all(|line| line.chars().count() <= 20), "{text}");
        assert!(text.ends_with("from -1.2346e-7\nto 1.2346e200\n"), "{text}");
    }

    #[test]
    fn the_largest_numbers_have_a_curve() {
        let text = picture(&[-f64::MAX, 0.0, f64::MAX], 2, -f64::MAX, f64::MAX);
        assert!(text.lines().next().unwrap().ends_with(['⠁', '⡇', '⢀', '⣀']), "{text}");
        assert_eq!(text.lines().count(), N_ROWS + 3, "{text}");
    }

    #[test]
    fn values_that_are_not_finite_leave_gaps() {
        assert_eq!(picture(&[f64::NAN, f64::INFINITY], 1, 0.0, 1.0), "no value is finite there\n");
        let text = picture(&[1.0, f64::NAN, f64::NAN, 1.0], 2, 0.0, 1.0);
        assert_eq!(text.matches(['⠁', '⠈', '⡀', '⢀']).count(), 2, "{text}");
    }
}
