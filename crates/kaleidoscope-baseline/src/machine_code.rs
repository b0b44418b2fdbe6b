//! Machine code: what the compiler returns.

use kaleidoscope_ir::OpIdx;

/// Position-independent machine code: a function with the C ABI of doubles, wherever the bytes are
/// copied to.
#[derive(Clone, Debug)]
pub struct MachineCode {
    /// The machine code, its constants included.
    pub bytes: Vec<u8>,
    /// The offset of the entry.
    pub entry: usize,
    /// The alignment that the bytes need, a power of two.
    pub align: usize,
    /// What debug information says of the code, if it was asked for.
    pub layout: Option<Box<CodeLayout>>,
}

/// How machine code corresponds to the function that it was compiled from. Offsets are those of
/// [`MachineCode::bytes`].
#[derive(Clone, Debug, Default)]
pub struct CodeLayout {
    /// Where the code of operations begins, by offset. The code in front of the first one makes the
    /// frame.
    pub(crate) ops: Vec<(usize, OpIdx)>,
    /// The end of the instructions.
    pub(crate) end: usize,
    /// How a frame is unwound, from each offset on.
    pub(crate) unwind: Vec<(usize, FrameState)>,
    /// The offset of each variable's home from the frame pointer. `None` for one that is never set.
    pub(crate) homes: Vec<Option<i32>>,
}

impl CodeLayout {
    /// The layout of the same code, whose first bytes are cut off.
    pub(crate) fn moved_back(mut self, n_bytes: usize) -> Self {
        let offsets = self.ops.iter_mut().map(|(offset, _)| offset);
        for offset in offsets.chain(self.unwind.iter_mut().map(|(offset, _)| offset)) {
            *offset -= n_bytes;
        }
        self.end -= n_bytes;
        self
    }
}

/// The state of a function's own frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameState {
    /// The return address is on top of the stack.
    Entered,
    /// The caller's frame pointer is on top of it.
    Pushed,
    /// The frame pointer points to the caller's.
    Framed,
}
