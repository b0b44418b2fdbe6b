//! Machine code: what the compiler returns.

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
}
