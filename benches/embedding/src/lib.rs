//! Formula benchmark: Kaleidoscope and other crates evaluate formulas of three variables.
//!
//! Each crate uses its fastest safe interface. `cargo bench --manifest-path
//! benches/embedding/Cargo.toml` measures with Criterion. The program `summary` prints a table of
//! the results.

pub mod formulas;
pub mod peers;

pub use formulas::Formula;

/// Numbers of calls of a formula, with the names of their measurements.
pub const TOTALS: &[(&str, usize)] = &[
    ("make and call once", 1),
    ("with 10 calls", 10),
    ("with 100 calls", 100),
    ("with 1,000 calls", 1_000),
    ("with 10,000 calls", 10_000),
    ("with 1,000,000 calls", 1_000_000),
];

/// A crate that evaluates formulas.
pub trait Peer {
    /// The name of the peer.
    fn name(&self) -> &'static str;

    /// Compiles a formula.
    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p>;
}

/// A compiled formula.
pub trait CompiledFormula {
    /// Calls the formula for each point and returns the sum.
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
    /// Returns the first `n` points.
    pub fn first(self, n: usize) -> Self {
        Self { rows: &self.rows[..n], columns: self.columns.map(|column| &column[..n]) }
    }
}

/// Different points, borrowed by [`Points`].
#[derive(Debug)]
pub struct PointData {
    rows: Vec<[f64; 3]>,
    columns: [Vec<f64>; 3],
}

impl PointData {
    /// Makes `n` points.
    pub fn new(n: usize) -> Self {
        let at = |n: usize, factor: f64| (n as f64 * factor).fract() * 4.0 - 2.0;
        let rows: Vec<_> = (0..n).map(|n| [at(n, 0.618), at(n, 0.414), at(n, 0.732)]).collect();
        let columns = [0, 1, 2].map(|column| rows.iter().map(|row| row[column]).collect());
        Self { rows, columns }
    }

    /// Returns all points.
    pub fn points(&self) -> Points<'_> {
        Points { rows: &self.rows, columns: self.columns.each_ref().map(Vec::as_slice) }
    }
}
