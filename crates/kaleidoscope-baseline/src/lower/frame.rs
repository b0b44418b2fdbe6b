//! The frame: the words of memory that an activation has.
//!
//! ```text
//!   parameters that the C ABI passes on the stack     above the frame pointer
//!   caller's frame pointer                            at the frame pointer
//!   homes of variables, and words of operands         below it
//!   the OSR buffer, in code with loops that count:
//!       the variables, the last one highest
//!       the trip thunk's result
//!   arguments that calls pass on the stack            at the stack pointer
//! ```
//!
//! The stack pointer is the same in the whole body, and the most arguments of a call are known
//! before. So words are counted from the stack pointer while the size of the frame is still open.

use kaleidoscope_ir::Local;

use crate::assembler::Word;

/// The size of a word in bytes.
const WORD: usize = 8;

/// The words of the frame that are in use.
#[derive(Debug, Default)]
pub(super) struct Frame {
    n_words: usize,
    /// The words of arguments that calls pass on the stack: the first ones.
    n_arguments: usize,
    /// The size of the OSR buffer in words, 0 without.
    n_buffer: usize,
}

impl Frame {
    /// A frame with room for arguments on the stack, and with an OSR buffer for a function with
    /// this many variables if it needs one.
    pub(super) fn new(n_arguments: usize, buffer_of: Option<usize>) -> Self {
        let n_buffer = buffer_of.map_or(0, |n_variables| 1 + n_variables);
        Self { n_words: n_arguments + n_buffer, n_arguments, n_buffer }
    }

    pub(super) fn has_buffer(&self) -> bool {
        self.n_buffer > 0
    }

    /// The OSR buffer's first word, which has the lowest address: the trip thunk's result.
    pub(super) fn buffer(&self) -> Word {
        word(self.n_arguments)
    }

    /// A variable's word in the OSR buffer.
    pub(super) fn in_buffer(&self, variable: Local) -> Word {
        word(self.n_arguments + 1 + variable.index())
    }

    /// A word that is not in use yet.
    pub(super) fn allocate(&mut self) -> Word {
        self.n_words += 1;
        word(self.n_words - 1)
    }

    /// The size in bytes, which keeps the stack aligned.
    pub(super) fn bytes(&self) -> usize {
        (WORD * self.n_words).next_multiple_of(2 * WORD)
    }
}

/// A word of the frame, counted from the stack pointer.
fn word(number: usize) -> Word {
    Word::Frame((WORD * number) as i32)
}
