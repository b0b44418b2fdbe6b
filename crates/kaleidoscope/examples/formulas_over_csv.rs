//! A small spreadsheet: formulas from a file compute new columns of a CSV file.
//!
//! Run by `cargo run -p kaleidoscope --example formulas_over_csv -- FORMULAS.txt TABLE.csv`.
//! Without arguments it reads the two files in `examples/data`. A line of the first file is `name
//! = formula`. A formula may use all columns of numbers.

use kaleidoscope::{Color, Engine};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A table, with its columns of numbers apart.
struct Table {
    names: Vec<String>,
    rows: Vec<csv::StringRecord>,
    numbers: Vec<(String, Vec<f64>)>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut reader = csv::Reader::from_path(path)?;
        let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<Vec<_>, _>>()?;
        let column = |at: usize| rows.iter().map(|row| row[at].parse().ok()).collect::<Option<Vec<f64>>>();
        let numbers =
            names.iter().enumerate().filter_map(|(at, name)| Some((name.clone(), column(at)?))).collect();
        Ok(Self { names, rows, numbers })
    }

    /// Adds a column that the formula computes from the columns of numbers.
    fn add(&mut self, engine: &Engine, name: &str, formula: &str) -> Result<(), Box<dyn Error>> {
        let parameters: Vec<&str> = self.numbers.iter().map(|(name, _)| name.as_str()).collect();
        let formula = engine.formula(formula, &parameters).map_err(|error| error.render(Color::Never))?;
        let columns: Vec<&[f64]> = self.numbers.iter().map(|(_, column)| column.as_slice()).collect();
        let mut values = vec![0.0; self.rows.len()];
        formula.map(&columns, &mut values)?;
        for (row, value) in self.rows.iter_mut().zip(&values) {
            row.push_field(&value.to_string());
        }
        self.names.push(name.to_owned());
        self.numbers.push((name.to_owned(), values));
        Ok(())
    }

    fn to_csv(&self) -> Result<String, Box<dyn Error>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.names)?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let given: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [formulas, table] = match given.as_slice() {
        [formulas, table] => [formulas.clone(), table.clone()],
        _ => [data.join("formulas.txt"), data.join("orders.csv")],
    };
    let engine = Engine::new()?;
    engine.prelude()?;
    let mut table = Table::read(&table)?;
    for line in fs::read_to_string(formulas)?.lines().filter(|line| !line.starts_with('#')) {
        let (name, formula) = line.split_once('=').ok_or("a line is `name = formula`")?;
        table.add(&engine, name.trim(), formula.trim())?;
    }
    let csv = table.to_csv()?;
    print!("{csv}");
    if given.is_empty() {
        assert_eq!(csv, fs::read_to_string(data.join("expected.csv"))?);
    }
    Ok(())
}
