//! The layout of finished code for a debugger: how frames are unwound, and where operations begin.

use kaleidoscope_ir::OpIdx;

use super::Assembler;
use crate::assembler::Reference;
use crate::machine_code::{CodeLayout, FrameState};

impl Assembler {
    /// The layout of finished code for a debugger, which begins at `start`. `tripped` is where the
    /// code for a tripped entry counter begins, and `end` where all code ends.
    pub(super) fn layout(&mut self, start: usize, tripped: usize, end: usize) -> CodeLayout {
        let mut unwind = vec![
            (start, FrameState::Entered),
            (start + 1, FrameState::Pushed),
            (start + Self::FRAME_POINTER_BYTES, FrameState::Framed),
        ];
        for &(at, reference) in &self.references {
            match reference {
                // Here are `pop rbp` and `ret`.
                Reference::FrameSize => {
                    unwind.extend([(at + 1, FrameState::Entered), (at + 2, FrameState::Framed)]);
                }
                // Here is `jmp rax`.
                Reference::Left => {
                    unwind.extend([(at, FrameState::Entered), (at + 2, FrameState::Framed)]);
                }
                Reference::Number(_) => {}
            }
        }
        let mut ops = std::mem::take(&mut self.marks);
        if tripped < end {
            // It belongs to the beginning of the function.
            ops.push((tripped, OpIdx::new(0)));
        }
        CodeLayout { ops, end, unwind, homes: Vec::new() }
    }
}
