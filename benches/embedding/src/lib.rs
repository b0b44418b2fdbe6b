//! Formulas of three variables, evaluated by Kaleidoscope and by other crates, each in the quickest way it offers.
//!
//! `cargo bench --manifest-path benches/embedding/Cargo.toml` measures with Criterion; the program `summary` makes a table of
//! what was measured.

pub mod formulas;
pub mod peers;

pub use formulas::Formula;

/// A way to evaluate formulas.
pub trait Peer {
    /// Its name.
    fn name(&self) -> &'static str;

    /// From the text to something that can be called.
    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p>;
}

/// A formula that can be called.
pub trait Made {
    /// Calls it for each point, and adds up.
    fn sum(&mut self, points: Points<'_>) -> f64;
}

/// Arguments of many calls, by rows and by columns.
#[derive(Clone, Copy, Debug)]
pub struct Points<'p> {
    /// `x`, `y` and `z` of each call.
    pub rows: &'p [[f64; 3]],
    /// All `x`, all `y`, all `z`.
    pub columns: [&'p [f64]; 3],
}

impl Points<'_> {
    /// The first ones.
    pub fn first(self, n: usize) -> Self {
        Self { rows: &self.rows[..n], columns: self.columns.map(|column| &column[..n]) }
    }
}

/// So many points, all different: what [`Points`] borrows.
#[derive(Debug)]
pub struct Cloud {
    rows: Vec<[f64; 3]>,
    columns: [Vec<f64>; 3],
}

impl Cloud {
    /// Of `n` points.
    pub fn new(n: usize) -> Self {
        let at = |n: usize, factor: f64| (n as f64 * factor).fract() * 4.0 - 2.0;
        let rows: Vec<_> = (0..n).map(|n| [at(n, 0.618), at(n, 0.414), at(n, 0.732)]).collect();
        let columns = [0, 1, 2].map(|column| rows.iter().map(|row| row[column]).collect());
        Self { rows, columns }
    }

    /// All of them.
    pub fn points(&self) -> Points<'_> {
        Points { rows: &self.rows, columns: self.columns.each_ref().map(Vec::as_slice) }
    }
}
