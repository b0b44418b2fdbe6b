//! Running a column program: block after block, and the steps of each in order.

use super::block_loop::{BlockLoop, LoopKind, Source};
use super::body::{Body, Fork, Leaf, Operand, Slot, Step};
use super::operation::{Operation, Uniform};
use super::row_lists::{list_rows, whole_number};
use super::{ColumnEnvironment, ColumnProgram};
use crate::op::holds;
use std::cell::Cell;
use std::collections::TryReserveError;
use std::mem::take;

/// The memory that a program needs while it runs. One that runs again can use it again.
#[derive(Debug)]
pub struct ColumnScratch {
    /// The length of a block here.
    n_rows: usize,
    values: Vec<f64>,
    /// Where the values begin: at a cache line.
    first: usize,
    /// Lists of row numbers, each as long as a block.
    lists: Vec<u32>,
}

/// Doubles in a cache line.
const LINE: usize = 8;

impl ColumnScratch {
    /// Memory for runs of the program over at most `n_rows` rows each.
    ///
    /// # Errors
    /// If the process has no memory.
    pub fn new(program: &ColumnProgram, n_rows: usize) -> Result<Self, TryReserveError> {
        let n_rows = n_rows.clamp(1, program.rows_per_block).next_multiple_of(LINE);
        let n_values = program.body.n_scratch() * n_rows + LINE;
        let mut values = Vec::new();
        values.try_reserve_exact(n_values)?;
        values.resize(n_values, 0.0);
        let first = values.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        let len = program.body.n_lists() * n_rows;
        let mut lists = Vec::new();
        lists.try_reserve_exact(len)?;
        lists.resize(len, 0);
        Ok(Self { n_rows, values, first, lists })
    }
}

impl ColumnProgram {
    /// Applies the function to the first `n_rows` rows of the columns, one for each parameter, and
    /// writes the results to `outs`, one for each result. A column that is a scalar has one value.
    /// Host variables are read once. What is behind these rows is expected to be computed next.
    ///
    /// Returns whether each index of an array means an element. Otherwise the results are of no
    /// use.
    ///
    /// # Panics
    /// If the number of columns is not that of the parameters, or that of `outs` is not that of the
    /// results, or they are not all equally long apart from scalars, or there are fewer rows, or
    /// the memory is that of another program.
    pub fn run(
        &self,
        env: &(impl ColumnEnvironment + ?Sized),
        columns: &[&[f64]],
        outs: &mut [&mut [f64]],
        n_rows: usize,
        scratch: &mut ColumnScratch,
    ) -> bool {
        assert_eq!(columns.len(), self.n_params, "there is a column for each parameter");
        assert_eq!(outs.len(), self.body.n_results, "there is room for each result");
        let n_all = outs[0].len();
        assert!(outs.iter().all(|out| out.len() == n_all), "results are equally long");
        let len = |column| if self.scalars.contains(column) { 1 } else { n_all };
        let are_long = columns.iter().enumerate().all(|(nth, column)| column.len() == len(nth));
        assert!(are_long, "columns are as long as the results");
        let uniforms = self.uniforms(env, columns);
        // No step reads a scalar by row.
        let columns = columns.iter().enumerate().map(|(nth, &column)| match self.scalars.contains(nth) {
            true => None,
            false => Some(column),
        });
        let columns: Vec<_> = columns.collect();
        let block_rows = scratch.n_rows;
        let run = Run { env, uniforms: &uniforms, block_rows, has_bad_index: Cell::new(false) };
        let mut block_columns = Vec::with_capacity(columns.len());
        for first in (0..n_rows).step_by(block_rows) {
            let end = n_rows.min(first + block_rows);
            block_columns.clear();
            block_columns
                .extend(columns.iter().map(|column| column.map_or(&[][..], |column| &column[first..end])));
            let mut block_outs = Vec::with_capacity(outs.len());
            let mut next_outs = Vec::with_capacity(outs.len());
            for out in outs.iter_mut() {
                let (block_out, next_out) = out[first..].split_at_mut(end - first);
                block_outs.push(block_out);
                next_outs.push(&*next_out);
            }
            let values = &mut scratch.values[scratch.first..];
            let mut memory = Memory { values, lists: &mut scratch.lists };
            // While a block is computed, the memory of the next one is fetched: a piece of each
            // column after each step. The processor itself would begin with each column again.
            let n_steps = self.body.steps.len();
            let n_next = (n_all - end).min(block_rows);
            let prefetch = |step: usize| {
                let piece = n_next * step / n_steps..n_next * (step + 1) / n_steps;
                columns.iter().flatten().for_each(|column| env.prefetch(&column[end..][piece.clone()]));
                next_outs.iter().for_each(|out| env.prefetch(&out[piece.clone()]));
            };
            run.body(&self.body, &block_columns, &mut block_outs, &mut memory, prefetch);
            if run.has_bad_index.get() {
                return false;
            }
        }
        true
    }

    /// The values of the uniforms now.
    fn uniforms(&self, env: &(impl ColumnEnvironment + ?Sized), columns: &[&[f64]]) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.uniforms.len());
        for &uniform in &self.uniforms {
            values.push(match uniform {
                Uniform::Number(bits) => f64::from_bits(bits),
                Uniform::Variable(variable) => env.variable(variable),
                Uniform::Scalar(param) => columns[param as usize][0],
                Uniform::Operation(operation) => operation.map(|number| values[number as usize]).apply(env),
            });
        }
        values
    }
}

/// Memory that no running body uses.
struct Memory<'m> {
    values: &'m mut [f64],
    lists: &'m mut [u32],
}

/// A run over some rows.
struct Run<'a, E: ?Sized> {
    env: &'a E,
    uniforms: &'a [f64],
    /// The length of a slot. Blocks may be shorter.
    block_rows: usize,
    /// Whether an index meant no element.
    has_bad_index: Cell<bool>,
}

/// What the steps of a body read and write.
struct Values<'v, 'm> {
    columns: &'v [&'v [f64]],
    uniforms: &'v [f64],
    /// A slot that a step writes is empty meanwhile.
    slots: Vec<&'m mut [f64]>,
}

impl Values<'_, '_> {
    fn source(&self, operand: Operand) -> Source<'_> {
        match operand {
            Operand::Column(column) => Source::Rows(self.columns[column]),
            Operand::Uniform(uniform) => Source::Uniform(self.uniforms[uniform]),
            Operand::Slot(Slot(slot)) => Source::Rows(&*self.slots[slot]),
        }
    }

    /// The values of an operand that is no uniform.
    fn rows(&self, operand: Operand) -> &[f64] {
        match self.source(operand) {
            Source::Rows(rows) => rows,
            Source::Uniform(_) => unreachable!("lowering copies uniforms where rows are needed"),
        }
    }
}

impl<E: ColumnEnvironment + ?Sized> Run<'_, E> {
    /// Runs the steps for one block, whose length is that of the outputs. Calls `after` with the
    /// index of each step behind it.
    fn body(
        &self,
        body: &Body,
        columns: &[&[f64]],
        outs: &mut [&mut [f64]],
        memory: &mut Memory<'_>,
        after: impl Fn(usize),
    ) {
        let n_rows = outs.first().map_or(0, |out| out.len());
        let (own, values) = memory.values.split_at_mut(body.n_own_scratch() * self.block_rows);
        let own = own.chunks_exact_mut(self.block_rows).map(|slot| &mut slot[..n_rows]);
        let slots = outs.iter_mut().map(|out| &mut **out).chain(own).collect();
        let mut memory = Memory { values, lists: &mut *memory.lists };
        let mut state = Values { columns, uniforms: self.uniforms, slots };
        for (nth, step) in body.steps.iter().enumerate() {
            match step {
                Step::Operation { operation, out } => {
                    let result = take(&mut state.slots[out.0]);
                    self.operation(*operation, &state, result);
                    state.slots[out.0] = result;
                }
                Step::Fork(fork) => {
                    let mut results: Vec<_> =
                        fork.outs.iter().map(|out| take(&mut state.slots[out.0])).collect();
                    self.fork(fork, &state, &mut results, &mut memory);
                    for (out, result) in fork.outs.iter().zip(results) {
                        state.slots[out.0] = result;
                    }
                }
            }
            after(nth);
        }
    }

    fn operation(&self, operation: Operation<Operand>, values: &Values<'_, '_>, out: &mut [f64]) {
        let block_loop = match operation {
            Operation::Copy(x) => return copy(values.source(x), out),
            Operation::Maths1(function, x) => {
                return self.env.maths(function, &[values.rows(x)], out);
            }
            Operation::Maths2(function, x, y) => {
                return self.env.maths(function, &[values.rows(x), values.rows(y)], out);
            }
            Operation::Gather(array, x) => {
                if !self.env.gather(array, values.rows(x), out) {
                    self.has_bad_index.set(true);
                }
                return;
            }
            Operation::Exact(exact, x) => LoopKind::Exact { exact, x: values.rows(x), out },
            Operation::Arithmetic(arithmetic, x, y) => {
                LoopKind::Arithmetic { arithmetic, x: values.source(x), y: values.source(y), out }
            }
            Operation::SelectLess { left, right, then, otherwise } => LoopKind::SelectLess {
                left: values.source(left),
                right: values.source(right),
                then: values.source(then),
                otherwise: values.source(otherwise),
                out,
            },
            Operation::Select { condition, then, otherwise } => {
                let (then, otherwise) = (values.source(then), values.source(otherwise));
                match values.source(condition) {
                    Source::Rows(condition) => LoopKind::Select { condition, then, otherwise, out },
                    Source::Uniform(condition) => {
                        return copy(if holds(condition) { then } else { otherwise }, out);
                    }
                }
            }
        };
        self.env.run_loop(BlockLoop(block_loop));
    }

    fn fork(&self, fork: &Fork, values: &Values<'_, '_>, outs: &mut [&mut [f64]], memory: &mut Memory<'_>) {
        let (own_lists, lists) = memory.lists.split_at_mut(fork.n_own_lists() * self.block_rows);
        let mut memory = Memory { values: &mut *memory.values, lists };
        let selector = match values.source(fork.selector) {
            Source::Rows(rows) if differ(rows) => rows,
            Source::Rows(&[selector, ..]) | Source::Uniform(selector) => {
                // All rows take the same leaf.
                return match fork.leaves.get(whole_number(selector).wrapping_sub(1)) {
                    Some(leaf) => self.for_all(leaf, values, outs, &mut memory),
                    None => copy_rest(fork, values, outs),
                };
            }
            Source::Rows(&[]) => return,
        };
        copy_rest(fork, values, outs);
        let n_rows = list_rows(selector, own_lists, self.block_rows);
        let own_lists = own_lists.chunks_exact(self.block_rows).zip(n_rows).skip(1);
        for (leaf, (list, n_rows)) in fork.leaves.iter().zip(own_lists) {
            if n_rows > 0 {
                self.for_some(leaf, values, outs, &list[..n_rows], &mut memory);
            }
        }
    }

    /// Computes a leaf for all rows of the block, in place.
    fn for_all(
        &self,
        leaf: &Leaf,
        values: &Values<'_, '_>,
        outs: &mut [&mut [f64]],
        memory: &mut Memory<'_>,
    ) {
        let columns: Vec<_> = leaf.captures.iter().map(|&operand| values.rows(operand)).collect();
        self.body(&leaf.body, &columns, outs, memory, |_| {});
    }

    /// Computes a leaf for some rows of the block.
    fn for_some(
        &self,
        leaf: &Leaf,
        values: &Values<'_, '_>,
        outs: &mut [&mut [f64]],
        rows: &[u32],
        memory: &mut Memory<'_>,
    ) {
        let block_rows = self.block_rows;
        let (gathered, rest) = memory.values.split_at_mut(leaf.captures.len() * block_rows);
        let (results, rest) = rest.split_at_mut(outs.len() * block_rows);
        for (column, &operand) in gathered.chunks_exact_mut(block_rows).zip(&leaf.captures) {
            let from = values.rows(operand);
            for (value, &row) in column.iter_mut().zip(rows) {
                *value = from[row as usize];
            }
        }
        let columns: Vec<_> = gathered.chunks_exact(block_rows).map(|column| &column[..rows.len()]).collect();
        let mut results: Vec<_> =
            results.chunks_exact_mut(block_rows).map(|result| &mut result[..rows.len()]).collect();
        let mut memory = Memory { values: rest, lists: &mut *memory.lists };
        self.body(&leaf.body, &columns, &mut results, &mut memory, |_| {});
        for (out, result) in outs.iter_mut().zip(results) {
            for (&value, &row) in result.iter().zip(rows) {
                out[row as usize] = value;
            }
        }
    }
}

/// Whether there are different values. Does not end at the first one, so that the loop is
/// vectorized.
fn differ(rows: &[f64]) -> bool {
    let first = rows.first();
    first.is_some_and(|first| rows.iter().fold(false, |differ, row| differ | (row != first)))
}

/// Writes the values of rows that take no leaf, in all rows.
fn copy_rest(fork: &Fork, values: &Values<'_, '_>, outs: &mut [&mut [f64]]) {
    for (out, &operand) in outs.iter_mut().zip(fork.rest.iter().flatten()) {
        copy(values.source(operand), out);
    }
}

fn copy(from: Source<'_>, out: &mut [f64]) {
    match from {
        Source::Rows(from) => out.copy_from_slice(from),
        Source::Uniform(from) => out.fill(from),
    }
}
