//! How code counts its entries: a few instructions in front of it, written as bytes. Cranelift, given a call that is hardly
//! ever made, takes longer for that than for a small function, and keeps what the call needs at hand.
//!
//! ```text
//!         mov rax, cell
//!         dec qword [rax]
//!         jg body
//!         ; the countdown has run out: save the parameters that are in registers, call hot(number, -1), restore them
//! body:   …
//! ```
//!
//! All parameters and the result are doubles, so that rax is free, and so are the registers that a call may change.

use crate::heat::Heat;

/// Parameters in registers: the first eight, in xmm0 and the following ones.
const MOST_IN_REGISTERS: usize = 8;

/// What an entry is reported as.
const ENTRY: f64 = -1.0;

/// Jumps are measured from behind them.
const JUMP_BYTES: usize = 6;

/// Filler that is never run: it lies behind the code that ends in a jump over it, or is jumped over.
const NOP: u8 = 0x90;

/// The code with its counting in front, for a function with so many parameters. `align` is that of the code.
pub(crate) fn count_entries(code: &[u8], align: usize, n_params: usize, heat: &Heat) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(code.len() + 256);
    load_rax(&mut bytes, heat.cells as u64);
    bytes.extend([0x48, 0xff, 0x08]); // dec qword [rax]
    let jump = bytes.len();
    bytes.extend([0x0f, 0x8f, 0, 0, 0, 0]); // jg body
    report(&mut bytes, n_params.min(MOST_IN_REGISTERS), heat);
    bytes.resize(bytes.len().next_multiple_of(align), NOP);
    let distance = (bytes.len() - jump - JUMP_BYTES) as u32;
    bytes[jump + 2..jump + JUMP_BYTES].copy_from_slice(&distance.to_le_bytes());
    bytes.extend_from_slice(code);
    bytes
}

/// The call, with the parameters saved around it.
fn report(bytes: &mut Vec<u8>, n_saved: usize, heat: &Heat) {
    // The return address has made the stack odd; at a call it must be even, in words.
    let n_words = (n_saved | 1) as u8;
    bytes.extend([0x48, 0x83, 0xec, 8 * n_words]); // sub rsp, …
    for register in 0..n_saved as u8 {
        bytes.extend([0xf2, 0x0f, 0x11, 0x44 | register << 3, 0x24, 8 * register]); // movsd [rsp + …], xmm…
    }
    load_rax(bytes, f64::from(heat.body).to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc0]); // movq xmm0, rax
    load_rax(bytes, ENTRY.to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc8]); // movq xmm1, rax
    load_rax(bytes, heat.hot as u64);
    bytes.extend([0xff, 0xd0]); // call rax
    for register in 0..n_saved as u8 {
        bytes.extend([0xf2, 0x0f, 0x10, 0x44 | register << 3, 0x24, 8 * register]); // movsd xmm…, [rsp + …]
    }
    bytes.extend([0x48, 0x83, 0xc4, 8 * n_words]); // add rsp, …
}

fn load_rax(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend([0x48, 0xb8]); // mov rax, …
    bytes.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests;
