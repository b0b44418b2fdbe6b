//! The tables of `docs/formulas.md`: what to write here has the value that they say, in every mode.

use kaleidoscope::lang::number;
use kaleidoscope::{Engine, Mode};
use kaleidoscope_tests::folder;
use std::fs;

/// The parameters of the formulas, as the document says.
const PARAMETERS: &[(&str, f64)] = &[("a", 5.0), ("b", 2.0), ("c", 0.0), ("x", 0.5)];

/// A row of a table: what to write here, and its value.
struct Row {
    text: String,
    value: String,
}

/// The rows of three cells whose second one is code. `\|` is a `|` in a table.
fn rows() -> Vec<Row> {
    let document = fs::read_to_string(folder("docs/formulas.md")).expect("the document can be read");
    let cells = |line: &str| {
        let line = line.replace("\\|", "\u{1}");
        let cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        let cells: Vec<_> = cells.map(|cell| cell.replace('\u{1}', "|")).collect();
        let [_, here, value] = <[String; 3]>::try_from(cells).ok()?;
        let text = here.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some(Row { text, value })
    };
    document.lines().filter_map(cells).collect()
}

#[test]
fn entries_of_the_guide_have_their_values() {
    let rows = rows();
    assert!(rows.len() > 50, "the tables are missing");
    let names: Vec<_> = PARAMETERS.iter().map(|&(name, _)| name).collect();
    let values: Vec<_> = PARAMETERS.iter().map(|&(_, value)| value).collect();
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).prelude().build().expect("there is memory");
        for Row { text, value } in &rows {
            if value.is_empty() {
                let outcome = engine.run(text);
                assert_eq!(outcome.diagnostics().count(), 0, "{text}");
                continue;
            }
            let formula = engine.formula(text, &names).unwrap_or_else(|error| panic!("{text}: {error}"));
            for _ in 0..2 {
                let result = formula.call(&values).expect("nothing fails");
                assert_eq!(&number::format(result), value, "{text} in mode {}", mode.name());
            }
        }
    }
}
