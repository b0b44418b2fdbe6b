//! The frame: the words of memory that an activation has.
//!
//! ```text
//!   parameters that the C ABI passes on the stack     above the frame pointer
//!   caller's frame pointer                            at the frame pointer
//!   the OSR buffer, in code with loops that count:    below it
//!       the variables, the last one highest
//!       the trip thunk's result
//!   homes of variables, and words of operands
//!   arguments that calls pass on the stack            at the stack pointer
//! ```

use kaleidoscope_ir::Local;

use crate::assembler::Word;

/// The size of a word in bytes.
const WORD: usize = 8;

/// The words of the frame that are in use.
#[derive(Debug, Default)]
pub(super) struct Frame {
    n_words: usize,
    n_arguments: usize,
    /// The size of the OSR buffer in words, 0 without.
    n_buffer: usize,
}

impl Frame {
    /// A frame, with an OSR buffer for a function with this many variables if it needs one.
    pub(super) fn new(buffer_of: Option<usize>) -> Self {
        let n_buffer = buffer_of.map_or(0, |n_variables| 1 + n_variables);
        Self { n_words: n_buffer, n_arguments: 0, n_buffer }
    }

    pub(super) fn has_buffer(&self) -> bool {
        self.n_buffer > 0
    }

    /// The OSR buffer's first word, which has the lowest address: the trip thunk's result.
    pub(super) fn buffer(&self) -> Word {
        word(self.n_buffer)
    }

    /// A variable's word in the OSR buffer.
    pub(super) fn in_buffer(&self, variable: Local) -> Word {
        word(self.n_buffer - 1 - variable.index())
    }

    /// A word that is not in use yet.
    pub(super) fn allocate(&mut self) -> Word {
        self.n_words += 1;
        word(self.n_words)
    }

    /// Makes room for arguments that a call passes on the stack.
    pub(super) fn reserve_arguments(&mut self, n: usize) {
        self.n_arguments = self.n_arguments.max(n);
    }

    /// The size in bytes, which keeps the stack aligned.
    pub(super) fn bytes(&self) -> usize {
        (WORD * (self.n_words + self.n_arguments)).next_multiple_of(2 * WORD)
    }
}

/// The `number`th word below the frame pointer, from 1.
fn word(number: usize) -> Word {
    Word(-((WORD * number) as i32))
}
