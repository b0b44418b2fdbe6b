//! What counts around the code: a few instructions in front of it and behind it, written as bytes. Cranelift, given a call
//! that is hardly ever made, takes longer for that than for a small function, and keeps what the call needs at hand.
//!
//! ```text
//! entry:  mov rax, cell
//!         dec qword [rax]
//!         jle out
//!         ; if the function calls itself in tail position:
//! anew:   mov edi, as many tail calls as there are before one is reported, and 1
//!         ; begin the frame
//! again:  dec edi
//!         jz end
//! body:   …
//!         ; a tail call: give back what is in the frame, jmp again
//!         ; a turn of a loop whose variables are in the frame: call turn(variables), to be told whether the loop is left
//! end:    ; leave the frame
//! out:    ; save the parameters that are in registers, call hot(number, -1), restore them
//!         ; if the function calls itself in tail position, and hot has said so: jmp [slot]
//!         jmp anew, or body
//! turn:   mov rax, cell of the loop
//!         dec qword [rax]
//!         jle offer
//! stay:   xor eax, eax
//!         ret
//! offer:  ; call hot(number, loop); unless it has said so, and there is code for the rest of the loop: jmp stay
//!         ; call that with the variables
//!         mov eax, 1
//!         ret
//! ```
//!
//! Where the function is entered all parameters and the result are doubles, so that rax is free, and so are the registers that a
//! call may change.

use cranelift_codegen::ir::UserExternalName;
use kaleidoscope_lang::code::Function;

use crate::heat::Heat;

/// Parameters in registers: the first eight, in xmm0 and the following ones.
pub(crate) const MOST_IN_REGISTERS: usize = 8;

/// What an entry is reported as.
pub(crate) const ENTRY: f64 = -1.0;

/// How far a jump or call goes is written in so many bytes, and measured from behind them.
const DISTANCE_BYTES: usize = 4;

/// How long the counting in front of the code is.
const COUNT_BYTES: usize = 19;

/// How long that of tail calls is, behind it. The beginning of the frame is not counted: the code has it already.
const COUNT_TAIL_CALLS_BYTES: usize = 13;

/// How code begins its frame.
const BEGIN_FRAME: [u8; 4] = [0x55, 0x48, 0x89, 0xe5]; // push rbp; mov rbp, rsp

/// How it leaves that for a tail call, when it has given back all that is in it.
const LEAVE_FRAME_AND_JUMP: [u8; 2] = [0x5d, 0xe9]; // pop rbp; jmp …

/// `int3`: what is never run.
const FILLER: u8 = 0xcc;

/// What code refers to around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Where a tail call is counted, and the function entered anew.
    Again,
    /// What is called at each turn of the loop of this number.
    Turn(usize),
}

impl Target {
    /// As Cranelift names it.
    pub(crate) fn name(self) -> UserExternalName {
        let (namespace, index) = match self {
            Self::Again => (0, 0),
            Self::Turn(number) => (1, u32::try_from(number).expect("loops are fewer than operations")),
        };
        UserExternalName { namespace, index }
    }

    /// What Cranelift names like this.
    pub(crate) fn of_name(name: &UserExternalName) -> Self {
        match name.namespace {
            0 => Self::Again,
            _ => Self::Turn(name.index as usize),
        }
    }
}

/// A jump or call out of the code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    /// Where in the code its distance is.
    pub(crate) at: usize,
    pub(crate) target: Target,
}

/// The code of the function, to be aligned like this, with its counting, and where it is entered. `slot` is that by which it is
/// called, if it calls itself. None if the code does not begin or end its frame as is known here.
pub(crate) fn count_around(
    code: &[u8],
    align: usize,
    function: &Function,
    heat: &Heat,
    references: &[Reference],
    slot: Option<usize>,
) -> Option<(Vec<u8>, usize)> {
    let mut bytes = Vec::with_capacity(code.len() + 256);
    let tail_calls: Vec<_> =
        references.iter().filter(|reference| reference.target == Target::Again).collect();
    let n_counting = COUNT_BYTES + if tail_calls.is_empty() { 0 } else { COUNT_TAIL_CALLS_BYTES };
    // So that the code comes at its alignment, and nothing is run in between.
    let entry = n_counting.next_multiple_of(align) - n_counting;
    bytes.resize(entry, FILLER);
    count(&mut bytes, heat.entries());
    bytes.extend([0x0f, 0x8e]); // jle out
    let to_out = leave_distance(&mut bytes);
    let anew = bytes.len();
    let body = entry + n_counting;
    if tail_calls.is_empty() {
        bytes.extend_from_slice(code);
    } else {
        let to_end = count_tail_calls(&mut bytes, code, &tail_calls, heat)?;
        let end = bytes.len();
        set_distance(&mut bytes, to_end, end);
        bytes.push(0x5d); // pop rbp
    }
    let out = bytes.len();
    set_distance(&mut bytes, to_out, out);
    report_entry(&mut bytes, (function.n_params as usize).min(MOST_IN_REGISTERS), heat);
    if let Some(slot) = slot {
        go_on_behind(&mut bytes, slot);
    }
    bytes.push(0xe9); // jmp anew, which is the body without tail calls
    let to_anew = leave_distance(&mut bytes);
    set_distance(&mut bytes, to_anew, anew);
    for &Reference { at, target } in references {
        if let Target::Turn(number) = target {
            let turn = turn(&mut bytes, heat, number);
            set_distance(&mut bytes, body + at, turn);
        }
    }
    Some((bytes, entry))
}

/// The code, in whose frame the counting of tail calls is put: they need not leave it. Returns the distance to where it is left.
fn count_tail_calls(
    bytes: &mut Vec<u8>,
    code: &[u8],
    tail_calls: &[&Reference],
    heat: &Heat,
) -> Option<usize> {
    bytes.push(0xbf); // mov edi, …
    bytes.extend(heat.tail_calls.saturating_add(1).to_le_bytes());
    bytes.extend(BEGIN_FRAME);
    let again = bytes.len();
    bytes.extend([0xff, 0xcf]); // dec edi
    bytes.extend([0x0f, 0x84]); // jz end
    let to_end = leave_distance(bytes);
    let body = bytes.len() - BEGIN_FRAME.len();
    bytes.extend_from_slice(code.strip_prefix(&BEGIN_FRAME)?);
    for Reference { at, .. } in tail_calls {
        let jump = body + at - LEAVE_FRAME_AND_JUMP.len();
        if bytes[jump..body + at] != LEAVE_FRAME_AND_JUMP {
            return None;
        }
        bytes[jump] = 0xe9; // jmp again
        set_distance(bytes, jump + 1, again);
        bytes[jump + 1 + DISTANCE_BYTES] = FILLER;
    }
    Some(to_end)
}

/// What a turn of the loop calls, with the C ABI: the variables' address in rdi, whether the loop is left in rax.
fn turn(bytes: &mut Vec<u8>, heat: &Heat, number: usize) -> usize {
    let start = bytes.len();
    count(bytes, heat.turns(number));
    bytes.extend([0x7e, 3]); // jle over the next two
    let stay = bytes.len();
    bytes.extend([0x31, 0xc0]); // xor eax, eax
    bytes.push(0xc3); // ret
    bytes.push(0x57); // push rdi: now the stack is even, in words
    call_hot(bytes, heat, number as f64);
    bytes.push(0x5f); // pop rdi
    bytes.extend([0x0f, 0x57, 0xc9]); // xorps xmm1, xmm1
    bytes.extend([0x66, 0x0f, 0x2e, 0xc1]); // ucomisd xmm0, xmm1: a NaN is equal too
    jump_if_zero(bytes, stay);
    load_rax(bytes, heat.rest(number) as u64);
    bytes.extend([0x48, 0x8b, 0x00]); // mov rax, [rax]
    // Whoever has answered may have taken the code away again meanwhile.
    bytes.extend([0x48, 0x85, 0xc0]); // test rax, rax
    jump_if_zero(bytes, stay);
    bytes.push(0x57); // push rdi
    bytes.extend([0xff, 0xd0]); // call rax
    bytes.push(0x5f); // pop rdi
    bytes.extend([0xb8, 1, 0, 0, 0]); // mov eax, 1
    bytes.push(0xc3); // ret
    start
}

/// Takes 1 off the countdown.
fn count(bytes: &mut Vec<u8>, cell: usize) {
    load_rax(bytes, cell as u64);
    bytes.extend([0x48, 0xff, 0x08]); // dec qword [rax]
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

/// The call for an entry, with the parameters saved around it. Leaves what it returns in rax.
fn report_entry(bytes: &mut Vec<u8>, n_saved: usize, heat: &Heat) {
    // The return address has made the stack odd; at a call it must be even, in words.
    let n_words = (n_saved | 1) as u8;
    bytes.extend([0x48, 0x83, 0xec, 8 * n_words]); // sub rsp, …
    for register in 0..n_saved as u8 {
        bytes.extend([0xf2, 0x0f, 0x11, 0x44 | register << 3, 0x24, 8 * register]); // movsd [rsp + …], xmm…
    }
    call_hot(bytes, heat, ENTRY);
    for register in 0..n_saved as u8 {
        bytes.extend([0xf2, 0x0f, 0x10, 0x44 | register << 3, 0x24, 8 * register]); // movsd xmm…, [rsp + …]
    }
    bytes.extend([0x48, 0x83, 0xc4, 8 * n_words]); // add rsp, …
}

/// Calls `hot`; what it returns is in xmm0, and its bits in rax.
fn call_hot(bytes: &mut Vec<u8>, heat: &Heat, counter: f64) {
    load_rax(bytes, f64::from(heat.body).to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc0]); // movq xmm0, rax
    load_rax(bytes, counter.to_bits());
    bytes.extend([0x66, 0x48, 0x0f, 0x6e, 0xc8]); // movq xmm1, rax
    load_rax(bytes, heat.hot as u64);
    bytes.extend([0xff, 0xd0]); // call rax
    bytes.extend([0x66, 0x48, 0x0f, 0x7e, 0xc0]); // movq rax, xmm0
}

/// Jumps back to the target if the last result was 0, or the last comparison said equal.
fn jump_if_zero(bytes: &mut Vec<u8>, target: usize) {
    bytes.extend([0x0f, 0x84]); // jz target
    let to_target = leave_distance(bytes);
    set_distance(bytes, to_target, target);
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
