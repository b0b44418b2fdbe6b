//! x86-64: guest functions, floating-point modes, registers.

pub(crate) mod guests;
mod modes;
mod registers;
mod vectors;

pub(crate) use modes::*;
pub(crate) use registers::{call_with_misaligned_stack, note_alignment, was_aligned};
pub(crate) use vectors::call_with_two_lanes;

/// `f(x): x + number`
pub(crate) fn adds_constant(number: f64) -> Vec<u8> {
    let mut code = vec![0x48, 0xb8]; // mov rax, number
    code.extend(number.to_bits().to_le_bytes());
    code.extend([0x66, 0x48, 0x0f, 0x6e, 0xc8]); // movq xmm1, rax
    code.extend([0xf2, 0x0f, 0x58, 0xc1, 0xc3]); // addsd xmm0, xmm1; ret
    code
}

/// `push rbp; mov rbp, rsp; self: jmp self`
pub(crate) const ENDLESS_LOOP: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0xeb, 0xfe];
