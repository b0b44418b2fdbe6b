//! The thunks: code shared by all functions, which preserves all registers around a call.
//!
//! Loops keep their variables in registers that an ordinary call would change. Through a thunk, a
//! loop can make a call that hardly ever happens without storing and loading its variables in each
//! iteration.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi as _, DynasmLabelApi as _, VecAssembler, dynasm};

use crate::assembler::Register;
use crate::counters::ENTRY;
use crate::machine_code::{CodeLayout, FrameState, MachineCode};

/// The xmm registers.
const N_REGISTERS: u8 = 16;

/// Where a thunk keeps its own two arguments, below the saved registers.
const SAVED_BYTES: i32 = 8 * N_REGISTERS as i32;
const FRAME_BYTES: i32 = SAVED_BYTES + 16;

/// The trip thunk, which calls the function at `on_trip`. Its arguments are those of
/// [`call_trip_thunk`](crate::assembler::MacroAssembler::call_trip_thunk): rdi is the code's number
/// in the upper half and the loop's in the lower, rsi the address of the word with the OSR entry,
/// rdx the address of the OSR buffer. It writes the buffer's first word: 0 if the loop continues,
/// otherwise not 0.
pub(crate) fn trip_thunk(on_trip: usize) -> MachineCode {
    let mut code = VecAssembler::<X64Relocation>::new(0);
    begin(&mut code);
    dynasm!(code
        ; .arch x64
        ; mov [rsp + SAVED_BYTES], rsi
        ; mov [rsp + SAVED_BYTES + 8], rdx
        ; movsxd rax, edi
        ; shr rdi, 32
        ; cvtsi2sd xmm0, rdi
        ; cvtsi2sd xmm1, rax
        ; mov rax, QWORD on_trip as i64
        ; call rax
        ; xorpd xmm1, xmm1
        ; ucomisd xmm0, xmm1              // a NaN compares as equal too
        ; mov rdx, [rsp + SAVED_BYTES + 8]
        ; je >stay
        ; mov rax, [rsp + SAVED_BYTES]
        ; mov rax, [rax]
        ; test rax, rax                   // the OSR entry may have been invalidated meanwhile
        ; jz >stay
        ; lea rdi, [rdx + 8]
        ; call rax
        ; mov rdx, [rsp + SAVED_BYTES + 8]
        ; movsd [rdx], xmm0               // 1 or 0, as a double: the bits of 0 are 0
        ; jmp >end
        ; stay:
        ; mov QWORD [rdx], 0
        ; end:
    );
    finish(code)
}

/// The entry thunk, which calls the function at `on_trip`. Its argument, in edi, is the code's
/// number. It returns the answer as an integer, in rax.
pub(crate) fn entry_thunk(on_trip: usize) -> MachineCode {
    let mut code = VecAssembler::<X64Relocation>::new(0);
    begin(&mut code);
    dynasm!(code
        ; .arch x64
        ; mov eax, edi
        ; cvtsi2sd xmm0, rax
        ; mov rax, QWORD ENTRY.to_bits() as i64
        ; movq xmm1, rax
        ; mov rax, QWORD on_trip as i64
        ; call rax
        ; cvttsd2si rax, xmm0
    );
    finish(code)
}

/// The slot thunk. Its arguments are those of
/// [`call_slot_thunk`](crate::assembler::MacroAssembler::call_slot_thunk): rdi is the address of a
/// slot, rsi the address of a word with the argument, which the result replaces.
pub(crate) fn slot_thunk() -> MachineCode {
    let mut code = VecAssembler::<X64Relocation>::new(0);
    begin(&mut code);
    dynasm!(code
        ; .arch x64
        ; mov [rsp + SAVED_BYTES], rsi
        ; movsd xmm0, [rsi]
        ; call QWORD [rdi]
        ; mov rsi, [rsp + SAVED_BYTES]
        ; movsd [rsi], xmm0
    );
    finish(code)
}

/// Saves the registers, and aligns the stack: a function's entry has not made its frame yet. The
/// halves of registers that hold no double are not used by baseline code.
fn begin(code: &mut VecAssembler<X64Relocation>) {
    dynasm!(code ; .arch x64 ; push rbp ; mov rbp, rsp ; and rsp, -16 ; sub rsp, FRAME_BYTES);
    for register in 0..N_REGISTERS {
        dynasm!(code ; .arch x64 ; movsd [rsp + 8 * i32::from(register)], Rx(Register(register)));
    }
}

/// Restores the registers and returns.
fn finish(mut code: VecAssembler<X64Relocation>) -> MachineCode {
    for register in 0..N_REGISTERS {
        dynasm!(code ; .arch x64 ; movsd Rx(Register(register)), [rsp + 8 * i32::from(register)]);
    }
    dynasm!(code ; .arch x64 ; leave ; ret);
    let bytes = code.finalize().expect("both labels are in the thunk");
    // `push rbp` is the first byte, `mov rbp, rsp` the next three, and `ret` the last one.
    let end = bytes.len();
    let unwind = vec![
        (0, FrameState::Entered),
        (1, FrameState::Pushed),
        (4, FrameState::Framed),
        (end - 1, FrameState::Entered),
    ];
    let layout = CodeLayout { end, unwind, ..CodeLayout::default() };
    MachineCode { bytes, entry: 0, align: 16, layout: Some(Box::new(layout)) }
}
