//! Counters in baseline code: the memory layout, and the protocol for a counter that trips.

use kaleidoscope_ir::Function;

/// The counters of one piece of baseline code, and what the code calls when one trips.
///
/// The counter table at `table` belongs to the code as long as it can run: an array of `i64`, as
/// many as [`counter_table_len`] says.
/// - Word 0 is the entry counter.
/// - The loop with number `k` (from 0, in order of the loops' `Op::Loop`) has its back-edge counter
///   in word `1 + 2 * k`, and the address of its OSR entry in the next word, 0 while there is none.
///
/// Counters count down. At each entry, and at each back edge, the code subtracts 1 in memory; when
/// the result is 0 or less, the counter trips and the code calls `on_trip` through a thunk. There
/// are neither locks nor atomic instructions: when two threads count at once, a count may be lost.
/// Each activation counts its self tail calls in its frame, and reports an entry trip after every
/// `tail_calls` of them.
///
/// `on_trip`, which the thunks were made for, is a function with the C ABI of doubles and two
/// parameters: `code_number`, and -1 for an entry or the loop's number. It resets the counter. Its
/// result means:
/// - for an entry: 0, or, if the function has self tail calls, the address of code of the same
///   version, in which the call continues: not the slot, because an activation stays in its
///   version;
/// - for a loop: if it is neither 0 nor NaN, and the word of the OSR entry is not 0, the loop is
///   replaced on the stack (OSR). The code stores its locals in an array of as many doubles as the
///   function has locals, by index, and calls the OSR entry with a pointer to the array. The OSR
///   entry runs iterations, beginning with the one that was about to start. It returns 1 if the
///   loop has ended, or 0 if it was left before another iteration. The code then reads back the
///   locals that the loop assigns, and continues behind the loop, or with that iteration. The array
///   contains the locals from before the loop that the loop reads or assigns; its other elements
///   are undefined.
///
/// The thunks preserve all registers for doubles: the parameters and the loop's variables are in
/// registers, and a trip hardly ever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The address of the counter table, a multiple of 8.
    pub table: usize,
    /// The address of the [entry thunk](crate::Compiler::entry_thunk).
    pub entry_thunk: usize,
    /// The address of the [trip thunk](crate::Compiler::trip_thunk). Not needed by code without
    /// loops.
    pub trip_thunk: Option<usize>,
    /// The first argument of `on_trip`.
    pub code_number: u32,
    /// The number of self tail calls after which an activation reports a trip. Not 0, and at most
    /// `i32::MAX`.
    pub tail_calls: u32,
}

/// The second argument of the report that an entry counter tripped. A loop's report has the loop's
/// number there.
pub(crate) const ENTRY: f64 = -1.0;

/// The size of a word of the counter table in bytes.
const WORD: usize = size_of::<i64>();

impl Counters {
    /// The address of the entry counter.
    pub(crate) fn entry(&self) -> usize {
        self.table
    }

    /// The address of a loop's back-edge counter.
    pub(crate) fn back_edges(&self, loop_number: usize) -> usize {
        self.table + WORD * (1 + 2 * loop_number)
    }

    /// The address of the word with a loop's OSR entry.
    pub(crate) fn osr_entry(&self, loop_number: usize) -> usize {
        self.back_edges(loop_number) + WORD
    }
}

/// The length of a function's counter table in words.
pub fn counter_table_len(function: &Function) -> usize {
    1 + 2 * function.n_loops()
}
