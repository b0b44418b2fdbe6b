//! Column interpreter: applies a function to the rows of a batch without machine code, one
//! operation after the other, each to a whole block of rows.
//!
//! A block is so short that its values stay in the first-level cache. One decision on what to do
//! serves all of its rows, and the loop over the rows is compiled code with vector instructions.
//! Databases call this vectorized execution (Boncz, Zukowski, Nes: MonetDB/X100, CIDR 2005), and
//! numexpr does the same for NumPy. Results have the bits of the row-by-row interpreter.
//!
//! A [`ColumnProgram`] is made in two steps, and run in a third:
//!
//! 1. `lower.rs` walks over the function and its inlinees, and turns the operand stack and the
//!    variables into values that are computed once (`numbering.rs`). A value that is the same in
//!    all rows is a *uniform*: it is computed once for many blocks.
//! 2. `body.rs` drops what no result needs, and gives each value a *slot*: a buffer of one block.
//!    Slots are reused after the last use of their value. Operands are read from the columns in
//!    place, and the results are written to the outputs in place.
//! 3. `run.rs` runs the steps, block by block. The loops over rows are in `block_loop.rs`.
//!
//! An `if` with little work in its branches computes both and selects for each row. Any other `if`
//! is a *fork*: each branch is computed only for the rows that take it, which are gathered into a
//! shorter block (`join.rs`). So no maths function is called for a row that does not need it.
//!
//! Only functions that end soon and have no effects qualify: no loops, no tail calls, no
//! assignments of host variables or elements of arrays, and no calls except of inlinees and of C's
//! maths functions. Elements of arrays are gathered. Where an index is wrong, the embedder computes
//! the rows in another way, which finds the first one.
//!
//! This module uses no instructions of a certain processor. The embedder may compile the loops for
//! several instruction sets ([`ColumnEnvironment::run_loop`]).

mod block_loop;
mod body;
mod join;
mod lower;
mod node;
mod numbering;
mod operation;
mod quick_hash;
mod row_lists;
mod run;
mod text;

pub use block_loop::BlockLoop;
pub use run::ColumnScratch;

use crate::compile::{ScalarColumns, Unit};
use crate::{HostArray, HostVariable, MathsFunction};
use body::Body;
use node::n_gathers;
use operation::Uniform;

/// A function in the form that the column interpreter runs.
#[derive(Clone, Debug)]
pub struct ColumnProgram {
    n_params: usize,
    scalars: ScalarColumns,
    /// Each may use those before it.
    uniforms: Vec<Uniform>,
    body: Body,
    /// The length of a block.
    rows_per_block: usize,
}

/// What the column interpreter asks for while it runs.
pub trait ColumnEnvironment {
    /// Calls a maths function for each row. The slices have the same length, one for each
    /// parameter of the function.
    fn maths(&self, function: MathsFunction, args: &[&[f64]], out: &mut [f64]);

    /// Reads a host variable.
    fn variable(&self, variable: HostVariable) -> f64;

    /// Reads the elements of an array of the host that the indices mean. The slices have the same
    /// length. Returns whether each index means an element; otherwise the results are of no use.
    fn gather(&self, array: HostArray, indices: &[f64], out: &mut [f64]) -> bool;

    /// These rows will be read or written soon.
    fn prefetch(&self, _rows: &[f64]) {}

    /// Runs a loop by [`BlockLoop::run`], perhaps in a copy of it that uses more instructions of
    /// this processor.
    fn run_loop(&self, block_loop: BlockLoop<'_>) {
        block_loop.run();
    }
}

/// The bytes that the values of a block may take: about a first-level data cache. The columns' own
/// cache lines pass through it as well.
const BLOCK_BYTES: usize = 48 << 10;

/// The longest and the shortest block. In longer ones, deciding what to do already takes less than
/// a hundredth of the time. A function with more values than fit leaves the first-level cache.
const MAX_ROWS_PER_BLOCK: usize = 1_024;
const MIN_ROWS_PER_BLOCK: usize = 128;

impl ColumnProgram {
    /// The program of a unit, as planned for a kernel, for columns with the unit's scalars. Returns
    /// `None` if the function with its inlinees does not qualify.
    pub fn new(unit: &Unit) -> Option<Self> {
        let lowered = lower::lower(unit)?;
        let n_gathers = n_gathers(&lowered.nodes);
        let body = Body::new(lowered.nodes, &lowered.results);
        if body.n_gathers() < n_gathers {
            // No result needs some element, but its index may be wrong.
            return None;
        }
        let n_values = body.n_values();
        let rows = BLOCK_BYTES / (size_of::<f64>() * n_values.max(1));
        // Whole cache lines, so that all slots begin at one.
        let rows_per_block = rows.clamp(MIN_ROWS_PER_BLOCK, MAX_ROWS_PER_BLOCK) / 8 * 8;
        let n_params = unit.function.n_params as usize;
        Some(Self { n_params, scalars: unit.scalars, uniforms: lowered.uniforms, body, rows_per_block })
    }

    /// The number of steps, those of all leaves included.
    pub fn n_steps(&self) -> usize {
        self.body.n_steps()
    }

    /// How many rows are computed at once.
    pub fn rows_per_block(&self) -> usize {
        self.rows_per_block
    }
}

#[cfg(test)]
mod tests;
