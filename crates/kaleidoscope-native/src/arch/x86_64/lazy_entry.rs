//! The lazy entry: where a call of a function without code arrives.
//!
//! A JIT that compiles functions at their first call must get control at that call. Here every call
//! goes through the callee's slot. While a function has no code, its slot points to the second half
//! of its stub, which pushes the stub's id and jumps to the lazy entry:
//!
//! 1. The lazy entry runs in the middle of a call. The caller has placed arguments
//!    in registers and on the stack, and expects the callee to use them. So it saves every
//!    register that can hold an argument.
//! 2. It switches to the host stack: a compiler needs more stack than generated code may have left.
//! 3. It calls [`upcall::materialize`], which asks the runtime for the function's code. The runtime
//!    compiles, or waits until another thread has compiled, and redirects the slot.
//! 4. It switches back, restores the registers, and jumps to the code. The function starts as if it
//!    had been called directly. Later calls find the code in the slot and never come here.
//!
//! If the runtime returns a trap instead of code, the lazy entry exits the guarded call.
//!
//! LLVM's ORC calls this a lazy reexport, and its entry a resolver; .NET calls the stub a precode.

use std::arch::naked_asm;
use std::mem::offset_of;

use super::enter::{exit_guest, to_guest, to_host};
use super::stack_switch::StackSwitch;
use super::thread_block::{ThreadBlock, thread_offset, thread_symbol};
use crate::upcall;

/// The address of the lazy entry.
pub(crate) fn lazy_entry_address() -> usize {
    lazy_entry as *const () as usize
}

/// Gets code for the stub whose id lies on top of the return address, and jumps to the code. All
/// argument registers and the stack are as the caller left them.
///
/// # Safety
/// Only jumped to from a stub, never called.
#[unsafe(naked)]
unsafe extern "C" fn lazy_entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
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
        // Outside a guarded call there is no host stack to switch to: `materialize` reports that.
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
        "call {check_interrupts}",
        "mov rdx, rax",
        "test rdx, rdx",
        "jnz 5f",
        "lea rsp, [rbp - 208]",
        "mov rax, [rsp + 200]",
        "jmp 3b",
        "5:",
        "mov rdi, rdx",
        "jmp {exit_guest}",
        ".cfi_endproc",
        materialize = sym upcall::materialize,
        check_interrupts = sym upcall::check_interrupts,
        exit_guest = sym exit_guest,
        host_sp = const offset_of!(StackSwitch, host_sp),
        guest_sp = const offset_of!(StackSwitch, guest_sp),
        guest_fp = const offset_of!(StackSwitch, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        interrupt_pending = const offset_of!(ThreadBlock, interrupt_pending),
    )
}
