//! Counter code for x86-64, written as bytes in front of and behind Cranelift's code.
//!
//! ```text
//! entry:     mov rax, address of the entry counter
//!            dec qword [rax]
//!            jle tripped
//!            ; if the function calls itself in tail position:
//! restart:   mov edi, tail calls until a report, plus 1
//!            push rbp
//!            mov rbp, rsp
//! tail_call: dec edi
//!            jz leave
//! body:      …
//!            ; a self tail call: free the frame's contents, jmp tail_call
//!            ; a back edge of a loop whose variables are in the frame:
//!            ;     call back_edge(variables), which returns whether OSR code ran the loop to its end
//! leave:     pop rbp
//! tripped:   ; save the register parameters, call on_trip(number, -1), restore the parameters
//!            ; if the function calls itself in tail position, and on_trip returned an address: jump there
//!            jmp restart, or body if there are no tail calls
//!
//! back_edge: mov rax, address of the loop's counter
//!            dec qword [rax]
//!            jle offer
//! stay:      xor eax, eax
//!            ret
//! offer:     ; call on_trip(number, loop); if it returned 0 or NaN, or there is no OSR entry: jmp stay
//!            ; call the OSR entry with the variables, which returns 1 if the loop has ended, or 0
//!            movq rax, xmm0
//!            ret
//! ```
//!
//! At a function's entry all parameters are doubles, and so is the result. So rax is free there,
//! and so is every register that the C ABI lets a callee change.

use crate::Counters;
use crate::counter_code::{CounterCode, CounterReference, ENTRY};

/// How many parameters are in registers, xmm0 to xmm7.
pub(crate) const N_REGISTER_PARAMS: usize = 8;

/// The size of a displacement in bytes. A displacement counts from its own end.
const DISPLACEMENT_BYTES: usize = 4;

/// The size of the code from `entry` to `restart`.
const ENTRY_BYTES: usize = 19;

/// The size of the code from `restart` to `body`, less the frame's prologue: that is moved from
/// Cranelift's code, not added.
const RESTART_BYTES: usize = 13;

/// The prologue of Cranelift's code: push rbp; mov rbp, rsp.
const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];

/// The end of a tail call in Cranelift's code: pop rbp; jmp.
const EPILOGUE_AND_JUMP: [u8; 2] = [0x5d, 0xe9];

/// `int3`: fills bytes that never run.
const FILLER: u8 = 0xcc;

/// Adds counter code to `code`. Returns all bytes and the offset of the entry point.
///
/// `code` stays at a multiple of `align` from the start of the bytes. `has_tail_call` says whether
/// the function calls itself in tail position.
///
/// Returns `None` if the prologue of `code` or the end of a tail call differs from what this module
/// can patch.
pub(crate) fn add_counters(
    code: &[u8],
    align: usize,
    n_params: usize,
    counters: &Counters,
    references: &[CounterReference],
    has_tail_call: bool,
) -> Option<(Vec<u8>, usize)> {
    let mut bytes = Vec::with_capacity(code.len() + 256);
    let tail_calls: Vec<_> =
        references.iter().filter(|reference| reference.target == CounterCode::SelfTailCall).collect();
    let n_before_code = ENTRY_BYTES + if tail_calls.is_empty() { 0 } else { RESTART_BYTES };
    // The filler goes in front of the entry, so that nothing runs between the counter and the code.
    let entry = n_before_code.next_multiple_of(align) - n_before_code;
    bytes.resize(entry, FILLER);
    decrement(&mut bytes, counters.entry());
    bytes.extend([0x0f, 0x8e]); // jle tripped
    let to_tripped = reserve_displacement(&mut bytes);
    let restart = bytes.len();
    let body = entry + n_before_code;
    if tail_calls.is_empty() {
        bytes.extend_from_slice(code);
    } else {
        let to_leave = count_tail_calls(&mut bytes, code, &tail_calls, counters)?;
        let leave = bytes.len();
        set_displacement(&mut bytes, to_leave, leave);
        bytes.push(0x5d); // pop rbp
    }
    let tripped = bytes.len();
    set_displacement(&mut bytes, to_tripped, tripped);
    trip_entry(&mut bytes, n_params.min(N_REGISTER_PARAMS), counters);
    if has_tail_call {
        jump_to_answer(&mut bytes);
    }
    bytes.push(0xe9); // jmp restart
    let to_restart = reserve_displacement(&mut bytes);
    set_displacement(&mut bytes, to_restart, restart);
    for &CounterReference { offset, target } in references {
        if let CounterCode::BackEdge(number) = target {
            let back_edge = back_edge(&mut bytes, counters, number);
            set_displacement(&mut bytes, body + offset, back_edge);
        }
    }
    Some((bytes, entry))
}

/// Writes the code from `restart` to the end of Cranelift's code, and redirects the tail calls.
/// Returns the offset of the displacement to `leave`.
///
/// Tail calls jump behind the prologue: the frame stays, and the tail-call counter with it.
fn count_tail_calls(
    bytes: &mut Vec<u8>,
    code: &[u8],
    tail_calls: &[&CounterReference],
    counters: &Counters,
) -> Option<usize> {
    bytes.push(0xbf); // mov edi, …
    bytes.extend(counters.tail_calls.saturating_add(1).to_le_bytes());
    bytes.extend(PROLOGUE);
    let tail_call = bytes.len();
    bytes.extend([0xff, 0xcf]); // dec edi
    bytes.extend([0x0f, 0x84]); // jz leave
    let to_leave = reserve_displacement(bytes);
    let body = bytes.len() - PROLOGUE.len();
    bytes.extend_from_slice(code.strip_prefix(&PROLOGUE)?);
    for CounterReference { offset, .. } in tail_calls {
        let jump = body + offset - EPILOGUE_AND_JUMP.len();
        if bytes[jump..body + offset] != EPILOGUE_AND_JUMP {
            return None;
        }
        bytes[jump] = 0xe9; // jmp tail_call
        set_displacement(bytes, jump + 1, tail_call);
        bytes[jump + 1 + DISPLACEMENT_BYTES] = FILLER;
    }
    Some(to_leave)
}

/// Writes the back-edge code of a loop, and returns its offset.
///
/// The code has the C ABI: the address of the variables in rdi. It returns 0 in rax if the loop
/// continues, and something else if OSR code ran it to its end.
fn back_edge(bytes: &mut Vec<u8>, counters: &Counters, number: usize) -> usize {
    let start = bytes.len();
    decrement(bytes, counters.back_edges(number));
    bytes.extend([0x7e, 3]); // jle over the next two
    let stay = bytes.len();
    bytes.extend([0x31, 0xc0]); // xor eax, eax
    bytes.push(0xc3); // ret
    bytes.push(0x57); // push rdi, which also aligns the stack to 16 bytes
    call_on_trip(bytes, counters, number as f64);
    bytes.push(0x5f); // pop rdi
    bytes.extend([0x0f, 0x57, 0xc9]); // xorps xmm1, xmm1
    bytes.extend([0x66, 0x0f, 0x2e, 0xc1]); // ucomisd xmm0, xmm1: a NaN compares as equal too
    jump_if_zero(bytes, stay);
    load_rax(bytes, counters.osr_entry(number) as u64);
    bytes.extend([0x48, 0x8b, 0x00]); // mov rax, [rax]
    // The OSR entry may have been invalidated since `on_trip` returned.
    bytes.extend([0x48, 0x85, 0xc0]); // test rax, rax
    jump_if_zero(bytes, stay);
    bytes.push(0x57); // push rdi
    bytes.extend([0xff, 0xd0]); // call rax
    bytes.push(0x5f); // pop rdi
    move_to_rax(bytes);
    bytes.push(0xc3); // ret
    start
}

/// Decrements the counter at this address.
fn decrement(bytes: &mut Vec<u8>, counter: usize) {
    load_rax(bytes, counter as u64);
    bytes.extend([0x48, 0xff, 0x08]); // dec qword [rax]
}

/// Reserves space for a displacement, and returns its offset.
fn reserve_displacement(bytes: &mut Vec<u8>) -> usize {
    let at = bytes.len();
    bytes.extend([0; DISPLACEMENT_BYTES]);
    at
}

/// Makes the jump or call whose displacement is at offset `at` go to offset `target`.
fn set_displacement(bytes: &mut [u8], at: usize, target: usize) {
    let displacement = target as i32 - (at + DISPLACEMENT_BYTES) as i32;
    bytes[at..at + DISPLACEMENT_BYTES].copy_from_slice(&displacement.to_le_bytes());
}

/// Calls `on_trip` for an entry, with the parameters saved around the call. Leaves the result in
/// rax, as an integer.
fn trip_entry(bytes: &mut Vec<u8>, n_saved: usize, counters: &Counters) {
    // The return address takes 8 bytes; an odd number of words more aligns the stack to
    // 16 bytes.
    let n_words = (n_saved | 1) as u8;
    bytes.extend([0x48, 0x83, 0xec, 8 * n_words]); // sub rsp, …
    for register in 0..n_saved as u8 {
        // movsd [rsp + …], xmm…
        bytes.extend([0xf2, 0x0f, 0x11, 0x44 | register << 3, 0x24, 8 * register]);
    }
    call_on_trip(bytes, counters, ENTRY);
    bytes.extend([0xf2, 0x48, 0x0f, 0x2c, 0xc0]); // cvttsd2si rax, xmm0
    for register in 0..n_saved as u8 {
        // movsd xmm…, [rsp + …]
        bytes.extend([0xf2, 0x0f, 0x10, 0x44 | register << 3, 0x24, 8 * register]);
    }
    bytes.extend([0x48, 0x83, 0xc4, 8 * n_words]); // add rsp, …
}

/// Calls `on_trip`. Leaves the result in xmm0, and the same bits in rax.
fn call_on_trip(bytes: &mut Vec<u8>, counters: &Counters, counter: f64) {
    load_rax(bytes, f64::from(counters.code_number).to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc0]); // movq xmm0, rax
    load_rax(bytes, counter.to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc8]); // movq xmm1, rax
    load_rax(bytes, counters.on_trip as u64);
    bytes.extend([0xff, 0xd0]); // call rax
    move_to_rax(bytes);
}

/// Copies the bits of a result. Those of 0 are 0.
fn move_to_rax(bytes: &mut Vec<u8>) {
    bytes.extend([0x66, 0x48, 0x0f, 0x7e, 0xc0]); // movq rax, xmm0
}

/// Jumps to `target` if the last instruction set the zero flag.
fn jump_if_zero(bytes: &mut Vec<u8>, target: usize) {
    bytes.extend([0x0f, 0x84]); // jz target
    let to_target = reserve_displacement(bytes);
    set_displacement(bytes, to_target, target);
}

/// Jumps to the address in rax if it is not 0.
fn jump_to_answer(bytes: &mut Vec<u8>) {
    bytes.extend([0x48, 0x85, 0xc0]); // test rax, rax
    bytes.extend([0x74, 2]); // jz over the next
    bytes.extend([0xff, 0xe0]); // jmp rax
}

fn load_rax(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend([0x48, 0xb8]); // mov rax, …
    bytes.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests;
