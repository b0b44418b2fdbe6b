//! How code counts how often it runs, and where it asks for better code.

use kaleidoscope_ir::Function;

/// Counters, and whom the code calls when one has run out.
///
/// The cells at `cells` belong to the code as long as it can run: an array of as many `i64` as [`n_cells`] says.
/// - Cell 0 is the countdown of entries.
/// - The loop of number `k`, from 0 in the order of their `Op::Loop`s, has cell `1 + 2 * k`, the countdown of its
///   turns, and the next, the address of code for the rest of the loop, 0 while there is none.
///
/// At each entry and each turn of a loop after its first, the code takes 1 off the countdown in memory, and when that leaves 0 or
/// less it reports. It neither locks nor uses atomic instructions: when two threads count at once, a count may be lost.
/// Calls of the function itself in tail position are counted by each activation for itself, in a register, and reported as the
/// entries that they are when there have been `tail_calls` of them, and again after as many.
///
/// Whom it reports to is a function with the C ABI of doubles and two parameters: `body`, and -1 for an entry or the
/// number of the loop. It sets the countdown again. What its result means:
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
/// one that is hardly ever made, a loop keeps next to nothing in registers: it ran four times as long. Loops that call a function
/// of the program in every turn keep nothing there anyway; they count and report by an ordinary call around the code.
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
    /// After how many calls of the function itself in tail position an activation reports; not 0.
    pub tail_calls: u32,
}

/// The size of a cell in bytes.
const CELL: usize = size_of::<i64>();

impl Heat {
    /// Where the countdown of entries is.
    pub(crate) fn entries(&self) -> usize {
        self.cells
    }

    /// Where the countdown of a loop is.
    pub(crate) fn turns(&self, number: usize) -> usize {
        self.cells + CELL * (1 + 2 * number)
    }

    /// Where the address of code for the rest of the loop is.
    pub(crate) fn rest(&self, number: usize) -> usize {
        self.turns(number) + CELL
    }
}

/// How many cells the code of a function needs.
pub fn n_cells(function: &Function) -> usize {
    1 + 2 * function.n_loops()
}
