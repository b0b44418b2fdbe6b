//! Exits: how code that was invalidated is left while it runs (deoptimization).
//!
//! Optimized code contains what other functions were when it was compiled. It checks its
//! [validity flag](Invalidation::flag) behind calls after which something inlined may begin, and
//! regularly in loops. When the flag is set, the code leaves at an *exit*: it writes what can still
//! be read of each function that it was executing, and calls [`Invalidation::exit`], which
//! completes them in the interpreter.
//!
//! Each exit is described by an [`Exit`]: which functions were active, where each continues, and
//! which of its variables and operands the code writes. The shape is that of deoptimization data in
//! other compilers: HotSpot's scope descriptors, V8's frame translations.

use crate::{Local, OpIdx};
use serde::{Deserialize, Serialize};

/// How code notices that it was invalidated, and how it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalidation {
    /// The address of a byte: 0 as long as the code is valid, and never 0 again afterwards. Valid
    /// as long as the code.
    pub flag: usize,
    /// The address of the exit function, with the C ABI of doubles: [`exit_argument`], then the
    /// address of an exit buffer as a double. Its result depends on [`CodeKind`]:
    /// - [`CodeKind::Function`] and [`CodeKind::Kernel`]: the value of the unit's function, for
    ///   this call or row; 0 if the results [are in the buffer](super::Unit::n_results_of_exit);
    /// - [`CodeKind::Osr`]: 1 if the loop has ended, or 0 if an iteration is about to begin. The
    ///   variables that the loop assigns are in the memory that the code was given.
    ///
    /// An exit buffer is an array of words: first the address that OSR code was given (0 for other
    /// code), then the [values](Exit::n_values) as doubles.
    ///
    /// The buffer of a kernel of a function with several results has room for these. When the exit
    /// function has returned, the values behind the first word are the results of this row.
    ///
    /// If the [unit continues elsewhere](super::Unit::continues_elsewhere), its buffer has room for
    /// the arguments of its function. When the exit function has returned and the first word is not
    /// 0, it is the address of code with the type of the unit's function. The unit's code then ends
    /// in a tail call of it with the words behind the first one as arguments, whatever the exit
    /// function returned.
    ///
    /// [`CodeKind`]: super::CodeKind
    /// [`CodeKind::Function`]: super::CodeKind::Function
    /// [`CodeKind::Kernel`]: super::CodeKind::Kernel
    /// [`CodeKind::Osr`]: super::CodeKind::Osr
    pub exit: usize,
    /// The number of this code.
    pub code_number: u32,
}

/// The most exits of one piece of code.
pub const MAX_EXITS: usize = 1 << 16;

/// The first argument of the exit function: the code's number and the exit's, exact in a double.
pub fn exit_argument(code_number: u32, exit: usize) -> f64 {
    debug_assert!(exit < MAX_EXITS, "code has at most {MAX_EXITS} exits");
    code_number as f64 * MAX_EXITS as f64 + exit as f64
}

/// The code's number and the exit's, of the first argument of the exit function.
pub fn of_exit_argument(argument: f64) -> (u32, usize) {
    let argument = argument as u64;
    ((argument / MAX_EXITS as u64) as u32, (argument % MAX_EXITS as u64) as usize)
}

/// One exit of optimized code, or an access of an element in an inlinee: what was active there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The functions that were active, outermost first. The first one is the unit's own; each
    /// further one is inlined into the one before.
    pub frames: Box<[ExitFrame]>,
}

/// One active function at an exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitFrame {
    /// The index of its [instance](super::Unit::instances).
    pub instance: usize,
    /// The operation to continue at. In a frame that waits for the next one, the operation behind
    /// the call: the arguments are off the stack, and the result is not on it yet.
    pub next: OpIdx,
    /// The variables whose values are in the exit buffer, in that order. No other variable is read
    /// before it is assigned.
    pub locals: Box<[Local]>,
    /// How many operands are on the function's stack. Their values follow those of the variables,
    /// the lowest first.
    pub n_operands: usize,
}

impl Exit {
    /// The number of values in the exit buffer, those of the outermost frame first.
    pub fn n_values(&self) -> usize {
        self.frames.iter().map(|frame| frame.locals.len() + frame.n_operands).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_EXITS, exit_argument, of_exit_argument};

    #[test]
    fn arguments_of_exits_are_exact() {
        for code_number in [0, 1, 77, u32::MAX] {
            for exit in [0, 1, MAX_EXITS - 1] {
                assert_eq!(of_exit_argument(exit_argument(code_number, exit)), (code_number, exit));
            }
        }
    }
}
