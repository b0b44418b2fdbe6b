//! How code counts how often it runs, and where it asks for better code.

use kaleidoscope_lang::code::{Function, Op};

/// Counters, and whom the code calls when one has run out.
///
/// The cells at `cells` belong to the code as long as it can run: an array of as many `i64` as [`n_cells`] says.
/// - Cell 0 is the countdown of entries.
/// - The loop of number `k`, from 0 in the order of their `Op::Loop`s, has cell `1 + 2 * k`, the countdown of its
///   turns, and the next, the address of code for the rest of the loop, 0 while there is none.
/// - If the function calls itself in tail position, the last cell is the countdown of that.
///
/// At each entry, each turn of a loop after its first and each tail call, the code takes 1 off the countdown in
/// memory, and when that leaves 0 or less it reports. A tail call is reported as an entry: it is made one, which takes a
/// frame of stack, with the countdown of entries at 0. The code neither locks nor uses atomic instructions: when two threads
/// count at once, a count may be lost.
///
/// Whom it reports to is a function with the C ABI of doubles and two parameters: `body`, and -1 for an entry or the
/// number of the loop. It sets the countdown again, for an entry that of tail calls as
/// well. What its result means:
/// - for an entry, if it is not 0 and the function calls itself in tail position: the call goes on to what is behind the
///   function's own slot;
/// - for a loop, when it is neither 0 nor NaN and there still is an address in the loop's second cell: the code stores
///   its variables in an array of as many doubles as the function has locals, by index, calls the address, which takes
///   a pointer to the array and gives nothing back, reads the variables back that the loop assigns, and goes on behind
///   the loop. What is called does the rest of the loop, beginning with the body of the turn that was about to start.
///   In the array are the variables from before the loop that it reads or assigns; what else it holds says nothing.
///
/// Loops do not call the function directly but by a thunk, made once by
/// [`Compiler::hot_thunk`](crate::Compiler::hot_thunk), which keeps all registers. With an ordinary call in it, even
/// one that is hardly ever made, a loop keeps next to nothing in registers: it ran four times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heat {
    /// The address of the cells, aligned to 8.
    pub cells: usize,
    /// The address of the function to report to.
    pub hot: usize,
    /// The address of the thunk. Code without loops can do without.
    pub thunk: Option<usize>,
    /// The first argument of the function that it calls.
    pub body: u32,
}

/// How many cells the code of a function needs.
pub fn n_cells(function: &Function) -> usize {
    let has_tail_call = function.ops.iter().any(|op| matches!(op, Op::TailCall));
    1 + 2 * function.n_loops() + usize::from(has_tail_call)
}
