//! The crossings between the host's stack and a guest stack: into generated code, out of it to ask, back, and away.
//!
//! Promises that the assembly keeps, and that handlers of signals rely on:
//!
//! 1. `ThreadBlock::guest` is null, or points to the crossing of a call that is running on this thread. It is not null
//!    exactly while generated code may run, the maths thunks included.
//! 2. While it is not null and the stack pointer lies in the guest stack, nothing but frames that may be skipped lies
//!    above the crossing: the thread can be sent to [`land`] from any instruction. So the assembly clears `guest` before
//!    it leaves the guest stack for code in Rust, and sets it when it is back.
//! 3. Whenever `guest` has been set, and whenever a maths function has returned, `attention` is looked at before
//!    generated code goes on. A handler that finds 2 not to hold sets `attention`: so no request is overlooked, but for
//!    one that arrives while a foreign handler runs on top of generated code.
//!
//! Every frame has its frame pointer at the usual place, on either stack: the chain can be walked through it.

#[cfg(test)]
mod tests;

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::AtomicUsize;

use super::N_REGISTERS;
use super::crossing::{Crossing, MXCSR_DEFAULT};
use super::thread_block::{ThreadBlock, thread_offset, thread_symbol};
use crate::entry;
use crate::maths;

/// How [`enter`] ended.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Outcome {
    /// What generated code returned, if it was not left.
    pub(crate) value: f64,
    /// One of the constants below.
    pub(crate) left: usize,
}

/// Generated code has returned.
pub(crate) const RETURNED: usize = 0;
/// It was left by way of [`land`].
pub(crate) const LANDED: usize = 1;
/// It was not entered, because of `attention`.
pub(crate) const ATTENTION: usize = 2;

pub(crate) fn lazy_entry_address() -> usize {
    lazy_entry as *const () as usize
}

pub(crate) fn host_entry_address() -> usize {
    host_entry as *const () as usize
}

pub(crate) fn land_address() -> usize {
    land as *const () as usize
}

/// Makes `rdi` the crossing whose generated code goes on, on the guest stack already; to the label if there is attention.
/// Writes r11.
macro_rules! to_guest {
    ($register:literal, $attention:literal) => {
        concat!(
            "mov r11, ",
            thread_offset!(),
            "\n",
            "mov fs:[r11 + {guest}], ",
            $register,
            "\n",
            "cmp dword ptr fs:[r11 + {attention}], 0\n",
            "jne ",
            $attention,
        )
    };
}

/// Leaves the guest: the crossing is in the register, and r11 has the thread block. What is on the host's stack is called
/// next.
macro_rules! to_host {
    ($register:literal) => {
        concat!(
            "mov [",
            $register,
            " + {guest_sp}], rsp\n",
            "mov [",
            $register,
            " + {guest_fp}], rbp\n",
            "mov qword ptr fs:[r11 + {guest}], 0\n",
            "mov rsp, [",
            $register,
            " + {host_sp}]",
        )
    };
}

/// Calls `code` with the `n_args` arguments at `args`, on the guest stack of `crossing`. The code finds `args` itself in the
/// register of a first argument that is no double, for code that takes a pointer and no doubles.
///
/// # Safety
/// `code` can be called with these arguments, in the C ABI of doubles, and does not unwind; `args` points to `n_args`
/// values; the guest stack has room for those that travel there. The crossing has no running call.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    crossing: &Crossing,
    code: usize,
    args: *const f64,
    n_args: usize,
) -> Outcome {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        // Five registers leave the stack 8 bytes off.
        "push rax",
        "mov rbx, rdi",
        "mov [rbx + {frame}], rbp",
        "mov [rbx + {host_sp}], rsp",
        "cmp dword ptr [rbx + {mode}], 0",
        "jne 20f",
        "30:",
        "mov rsp, [rbx + {top}]",
        "cmp rcx, {n_registers}",
        "ja 21f",
        "31:",
        "cmp ecx, 1",
        "jb 34f",
        "movsd xmm0, [rdx]",
        "je 34f",
        "cmp ecx, 3",
        "movsd xmm1, [rdx + 8]",
        "jb 34f",
        "movsd xmm2, [rdx + 16]",
        "je 34f",
        "cmp ecx, 5",
        "movsd xmm3, [rdx + 24]",
        "jb 34f",
        "movsd xmm4, [rdx + 32]",
        "je 34f",
        "cmp ecx, 7",
        "movsd xmm5, [rdx + 40]",
        "jb 34f",
        "movsd xmm6, [rdx + 48]",
        "je 34f",
        "movsd xmm7, [rdx + 56]",
        "34:",
        "mov rdi, rdx",
        to_guest!("rbx", "24f"),
        "call rsi",
        concat!("mov r11, ", thread_offset!()),
        "xor eax, eax",
        "32:",
        "mov qword ptr fs:[r11 + {guest}], 0",
        "cmp dword ptr [rbx + {mode}], 0",
        "jne 25f",
        "33:",
        "mov qword ptr [rbx + {frame}], 0",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        ".cfi_remember_state",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        // The caller has another mode of arithmetic.
        "20:",
        "mov dword ptr [rsp], {default}",
        "ldmxcsr [rsp]",
        "jmp 30b",
        // There are arguments on the stack: an odd number of them would leave it 8 bytes off.
        "21:",
        "test cl, 1",
        "jz 22f",
        "push rax",
        "22:",
        "push qword ptr [rdx + 8*rcx - 8]",
        "dec rcx",
        "cmp rcx, {n_registers}",
        "ja 22b",
        "jmp 31b",
        "24:",
        "mov eax, {left}",
        "jmp 32b",
        "25:",
        "ldmxcsr [rbx + {mxcsr}]",
        "jmp 33b",
        ".cfi_endproc",
        frame = const offset_of!(Crossing, frame),
        host_sp = const offset_of!(Crossing, host_sp),
        top = const offset_of!(Crossing, top),
        mxcsr = const offset_of!(Crossing, mxcsr),
        guest = const offset_of!(ThreadBlock, guest),
        attention = const offset_of!(ThreadBlock, attention),
        mode = const offset_of!(Crossing, is_other_mode),
        default = const MXCSR_DEFAULT,
        left = const ATTENTION,
        n_registers = const N_REGISTERS,
    )
}

/// Returns from the running [`enter`] of the crossing, whatever has been called since. The stack pointer is not used.
///
/// # Safety
/// All frames above that `enter` may be skipped.
#[unsafe(naked)]
unsafe extern "C" fn land(crossing: *const Crossing) -> ! {
    naked_asm!(
        concat!("mov r11, ", thread_offset!()),
        "mov qword ptr fs:[r11 + {guest}], 0",
        "mov rbp, [rdi + {frame}]",
        "lea rsp, [rbp - 40]",
        "mov qword ptr [rdi + {frame}], 0",
        "ldmxcsr [rdi + {mxcsr}]",
        "fninit",
        "fldcw [rdi + {x87_control}]",
        "cld",
        "xorps xmm0, xmm0",
        "mov eax, {landed}",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        frame = const offset_of!(Crossing, frame),
        mxcsr = const offset_of!(Crossing, mxcsr),
        x87_control = const offset_of!(Crossing, x87_control),
        guest = const offset_of!(ThreadBlock, guest),
        landed = const LANDED,
    )
}

/// Reached from a stub without code, with its id pushed on top of the return address: saves whatever may carry an
/// argument, asks for code on the host's stack and jumps there, the stack as it was.
///
/// # Safety
/// Only jumped to from a stub, never called.
#[unsafe(naked)]
unsafe extern "C" fn lazy_entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa_offset 16",
        "pop r11",
        ".cfi_def_cfa_offset 8",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 208",
        "movaps [rsp], xmm0",
        "movaps [rsp + 16], xmm1",
        "movaps [rsp + 32], xmm2",
        "movaps [rsp + 48], xmm3",
        "movaps [rsp + 64], xmm4",
        "movaps [rsp + 80], xmm5",
        "movaps [rsp + 96], xmm6",
        "movaps [rsp + 112], xmm7",
        "mov [rsp + 128], rdi",
        "mov [rsp + 136], rsi",
        "mov [rsp + 144], rdx",
        "mov [rsp + 152], rcx",
        "mov [rsp + 160], r8",
        "mov [rsp + 168], r9",
        "mov [rsp + 176], rax",
        "mov [rsp + 184], r10",
        "mov edi, r11d",
        concat!("mov r11, ", thread_offset!()),
        "mov rsi, fs:[r11 + {guest}]",
        "mov [rsp + 192], rsi",
        "test rsi, rsi",
        // Outside a guarded call there is no other stack: the message comes from this one.
        "jz 2f",
        to_host!("rsi"),
        "2:",
        "call {materialize}",
        "test rdx, rdx",
        "jnz 5f",
        "lea rsp, [rbp - 208]",
        "3:",
        "mov rsi, [rsp + 192]",
        to_guest!("rsi", "4f"),
        "mov r11, rax",
        "movaps xmm0, [rsp]",
        "movaps xmm1, [rsp + 16]",
        "movaps xmm2, [rsp + 32]",
        "movaps xmm3, [rsp + 48]",
        "movaps xmm4, [rsp + 64]",
        "movaps xmm5, [rsp + 80]",
        "movaps xmm6, [rsp + 96]",
        "movaps xmm7, [rsp + 112]",
        "mov rdi, [rsp + 128]",
        "mov rsi, [rsp + 136]",
        "mov rdx, [rsp + 144]",
        "mov rcx, [rsp + 152]",
        "mov r8, [rsp + 160]",
        "mov r9, [rsp + 168]",
        "mov rax, [rsp + 176]",
        "mov r10, [rsp + 184]",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "jmp r11",
        ".cfi_restore_state",
        "4:",
        "mov [rsp + 200], rax",
        "mov rdi, rsi",
        to_host!("rdi"),
        "call {attend}",
        "mov rdx, rax",
        "test rdx, rdx",
        "jnz 5f",
        "lea rsp, [rbp - 208]",
        "mov rax, [rsp + 200]",
        "jmp 3b",
        "5:",
        "mov rdi, rdx",
        "jmp {land}",
        ".cfi_endproc",
        materialize = sym entry::materialize,
        attend = sym entry::attend,
        land = sym land,
        host_sp = const offset_of!(Crossing, host_sp),
        guest_sp = const offset_of!(Crossing, guest_sp),
        guest_fp = const offset_of!(Crossing, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        attention = const offset_of!(ThreadBlock, attention),
    )
}

/// Reached from a host stub, with the word of its slot pushed on top of the return address: hands the arguments over
/// on the host's stack and returns the value.
///
/// # Safety
/// Only jumped to from a host stub, never called.
#[unsafe(naked)]
unsafe extern "C" fn host_entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa_offset 16",
        "pop rdi",
        ".cfi_def_cfa_offset 8",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 80",
        "movsd [rsp], xmm0",
        "movsd [rsp + 8], xmm1",
        "movsd [rsp + 16], xmm2",
        "movsd [rsp + 24], xmm3",
        "movsd [rsp + 32], xmm4",
        "movsd [rsp + 40], xmm5",
        "movsd [rsp + 48], xmm6",
        "movsd [rsp + 56], xmm7",
        "mov rsi, rsp",
        "lea rdx, [rbp + 16]",
        concat!("mov r11, ", thread_offset!()),
        "mov rcx, fs:[r11 + {guest}]",
        "mov [rsp + 64], rcx",
        "test rcx, rcx",
        // Outside a guarded call there is no other stack.
        "jz 2f",
        to_host!("rcx"),
        "2:",
        "call {host_call}",
        "test rax, rax",
        "jnz 5f",
        "lea rsp, [rbp - 80]",
        "mov rcx, [rsp + 64]",
        "test rcx, rcx",
        "jz 3f",
        to_guest!("rcx", "4f"),
        "3:",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "4:",
        "jmp {attend_with_value}",
        "5:",
        "mov rdi, rax",
        "jmp {land}",
        ".cfi_endproc",
        host_call = sym entry::host_call,
        attend_with_value = sym attend_with_value,
        land = sym land,
        host_sp = const offset_of!(Crossing, host_sp),
        guest_sp = const offset_of!(Crossing, guest_sp),
        guest_fp = const offset_of!(Crossing, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        attention = const offset_of!(ThreadBlock, attention),
    )
}

/// What generated code calls for the maths function number `FUNCTION`: the same function, on the host's stack. Where no
/// guarded call is running, that is the stack it is called on.
///
/// # Safety
/// The address of the function has been put into [`maths::TARGETS`], and its arguments are as it takes them.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn maths_thunk<const FUNCTION: usize>() {
    naked_asm!(
        ".cfi_startproc",
        concat!("mov r11, ", thread_offset!()),
        "mov rax, fs:[r11 + {guest}]",
        "test rax, rax",
        "jz 2f",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, [rax + {host_sp}]",
        "call qword ptr [rip + {targets} + {offset}]",
        "mov rsp, rbp",
        concat!("mov r11, ", thread_offset!()),
        "cmp dword ptr fs:[r11 + {attention}], 0",
        "jne 3f",
        ".cfi_remember_state",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "3:",
        "jmp {attend_with_value}",
        ".cfi_def_cfa rsp, 8",
        "2:",
        "jmp qword ptr [rip + {targets} + {offset}]",
        ".cfi_endproc",
        targets = sym maths::TARGETS,
        offset = const FUNCTION * size_of::<AtomicUsize>(),
        attend_with_value = sym attend_with_value,
        host_sp = const offset_of!(Crossing, host_sp),
        guest = const offset_of!(ThreadBlock, guest),
        attention = const offset_of!(ThreadBlock, attention),
    )
}

/// Reached on the guest stack when there is attention, with a value in xmm0 that is about to be returned to generated
/// code, from a function that has pushed nothing that matters but its frame pointer.
///
/// # Safety
/// Only jumped to by the assembly of this file, on a guest stack.
#[unsafe(naked)]
unsafe extern "C" fn attend_with_value() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        "lea rsp, [rbp - 16]",
        "movsd [rsp], xmm0",
        concat!("mov r11, ", thread_offset!()),
        "mov rdi, fs:[r11 + {guest}]",
        "mov [rsp + 8], rdi",
        "2:",
        to_host!("rdi"),
        "call {attend}",
        "test rax, rax",
        "jnz 3f",
        "lea rsp, [rbp - 16]",
        "mov rdi, [rsp + 8]",
        to_guest!("rdi", "2b"),
        "movsd xmm0, [rsp]",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "3:",
        "mov rdi, rax",
        "jmp {land}",
        ".cfi_endproc",
        attend = sym entry::attend,
        land = sym land,
        host_sp = const offset_of!(Crossing, host_sp),
        guest_sp = const offset_of!(Crossing, guest_sp),
        guest_fp = const offset_of!(Crossing, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        attention = const offset_of!(ThreadBlock, attention),
    )
}
