//! How code counts its entries: a few instructions in front of it and behind it, written as bytes. Cranelift, given a call
//! that is hardly ever made, takes longer for that than for a small function, and keeps what the call needs at hand.
//!
//! ```text
//! entry:  mov rax, cell
//!         dec qword [rax]
//!         jle out
//! body:   …
//!         ; a tail call for which the countdown has run out: call entry, return
//! out:    ; save the parameters that are in registers, call hot(number, -1), restore them
//!         ; if the function calls itself in tail position, and hot has said so: jmp [slot]
//!         jmp body
//! ```
//!
//! All parameters and the result are doubles, so that rax is free, and so are the registers that a call may change.

use crate::heat::Heat;

/// Parameters in registers: the first eight, in xmm0 and the following ones.
const MOST_IN_REGISTERS: usize = 8;

/// What an entry is reported as.
const ENTRY: f64 = -1.0;

/// How far a jump or call goes is written in so many bytes, and measured from behind them.
const DISTANCE_BYTES: usize = 4;

/// Instructions that do nothing, by their length: what lies between the counting and the code is run.
const NOPS: [&[u8]; 8] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// How a function that calls itself in tail position gets from one activation into the next.
#[derive(Debug, Default)]
pub(crate) struct Reentry {
    /// Where in its code the distances are by which it calls its own entry.
    pub(crate) calls: Vec<usize>,
    /// The slot by which it is called.
    pub(crate) slot: Option<usize>,
}

/// The code with its counting, for a function with so many parameters. `align` is that of the code.
pub(crate) fn count_entries(
    code: &[u8],
    align: usize,
    n_params: usize,
    heat: &Heat,
    reentry: &Reentry,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(code.len() + 256);
    load_rax(&mut bytes, heat.cells as u64);
    bytes.extend([0x48, 0xff, 0x08]); // dec qword [rax]
    bytes.extend([0x0f, 0x8e]); // jle out
    let to_out = leave_distance(&mut bytes);
    while !bytes.len().is_multiple_of(align) {
        let n_missing = bytes.len().next_multiple_of(align) - bytes.len();
        bytes.extend(NOPS[n_missing.min(NOPS.len()) - 1]);
    }
    let body = bytes.len();
    bytes.extend_from_slice(code);
    for call in &reentry.calls {
        set_distance(&mut bytes, body + call, 0);
    }
    let out = bytes.len();
    set_distance(&mut bytes, to_out, out);
    report(&mut bytes, n_params.min(MOST_IN_REGISTERS), heat);
    if let Some(slot) = reentry.slot {
        go_on_behind(&mut bytes, slot);
    }
    bytes.push(0xe9); // jmp body
    let to_body = leave_distance(&mut bytes);
    set_distance(&mut bytes, to_body, body);
    bytes
}

/// Room for a distance; where it is.
fn leave_distance(bytes: &mut Vec<u8>) -> usize {
    let at = bytes.len();
    bytes.extend([0; DISTANCE_BYTES]);
    at
}

/// Lets the jump or call with this distance go there.
fn set_distance(bytes: &mut [u8], at: usize, target: usize) {
    let distance = target as i32 - (at + DISTANCE_BYTES) as i32;
    bytes[at..at + DISTANCE_BYTES].copy_from_slice(&distance.to_le_bytes());
}

/// The call, with the parameters saved around it. Leaves what it returns in rax.
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
    bytes.extend([0x66, 0x48, 0x0f, 0x7e, 0xc0]); // movq rax, xmm0
    for register in 0..n_saved as u8 {
        bytes.extend([0xf2, 0x0f, 0x10, 0x44 | register << 3, 0x24, 8 * register]); // movsd xmm…, [rsp + …]
    }
    bytes.extend([0x48, 0x83, 0xc4, 8 * n_words]); // add rsp, …
}

/// Jumps to what the slot leads to, if rax is not 0.
fn go_on_behind(bytes: &mut Vec<u8>, slot: usize) {
    bytes.extend([0x48, 0x85, 0xc0]); // test rax, rax
    bytes.extend([0x74, 12]); // jz over the next two
    load_rax(bytes, slot as u64);
    bytes.extend([0xff, 0x20]); // jmp [rax]
}

fn load_rax(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend([0x48, 0xb8]); // mov rax, …
    bytes.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests;
