//! What unwind and debug information say of the processor: numbers of registers, and where a frame
//! has what. The numbers are those of the psABI 1.0, section 3.6.2.

/// The processor, in an ELF header.
pub(crate) const ELF_MACHINE: u16 = 62;

/// The frame pointer, rbp.
pub(crate) const FRAME_POINTER: u8 = 6;
/// The stack pointer, rsp.
pub(crate) const STACK_POINTER: u8 = 7;
/// The return address.
pub(crate) const RETURN_ADDRESS: u8 = 16;

/// How far the stack pointer of the caller is above that of the callee at its entry.
pub(crate) const ENTERED_BYTES: u64 = 8;
/// How far it is above the callee's frame pointer.
pub(crate) const FRAMED_BYTES: u64 = 16;
