//! The ways from generated code to host functions and maths functions, and back.
//!
//! Both kinds of function run on the host stack: how much stack they need is not ours to know. A
//! host function may call guarded code again, or end the call with a trap. A maths function does
//! neither, so its thunk is shorter.

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::AtomicUsize;

use super::enter::{exit_guest, to_guest, to_host};
use super::float_mode::{NOT_PROBED, PROBE, add_probe};
use super::stack_switch::StackSwitch;
use super::thread_block::{ThreadBlock, thread_offset, thread_symbol};
use crate::maths::targets;
use crate::upcall;

/// The address of the host entry.
pub(crate) fn host_entry_address() -> usize {
    host_entry as *const () as usize
}

/// Calls the host function whose slot word lies on top of the return address, and returns its
/// value.
///
/// # Safety
/// Only jumped to from a host stub, never called.
#[unsafe(naked)]
unsafe extern "C" fn host_entry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
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
        // Outside a guarded call there is no host stack to switch to.
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
        // The host function may have set another floating-point mode.
        add_probe!("6f"),
        "3:",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "4:",
        "jmp {check_interrupts_with_value}",
        "5:",
        "mov rdi, rax",
        "jmp {exit_guest}",
        "6:",
        "stmxcsr [rsp]",
        "and dword ptr [rsp], {not_probed}",
        "ldmxcsr [rsp]",
        "jmp 3b",
        ".cfi_endproc",
        probe = sym PROBE,
        not_probed = const NOT_PROBED,
        host_call = sym upcall::host_call,
        check_interrupts_with_value = sym check_interrupts_with_value,
        exit_guest = sym exit_guest,
        host_sp = const offset_of!(StackSwitch, host_sp),
        guest_sp = const offset_of!(StackSwitch, guest_sp),
        guest_fp = const offset_of!(StackSwitch, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        interrupt_pending = const offset_of!(ThreadBlock, interrupt_pending),
    )
}

/// The maths function number `FUNCTION`, for generated code: runs it on the host stack. Without a
/// guarded call, it runs on the caller's stack.
///
/// # Safety
/// [`targets::TARGETS`] holds the address of the function, and the arguments are as the function
/// takes them.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn maths_thunk<const FUNCTION: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
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
        "cmp dword ptr fs:[r11 + {interrupt_pending}], 0",
        "jne 3f",
        ".cfi_remember_state",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "3:",
        "jmp {check_interrupts_with_value}",
        ".cfi_def_cfa rsp, 8",
        "2:",
        "jmp qword ptr [rip + {targets} + {offset}]",
        ".cfi_endproc",
        targets = sym targets::TARGETS,
        offset = const FUNCTION * size_of::<AtomicUsize>(),
        check_interrupts_with_value = sym check_interrupts_with_value,
        host_sp = const offset_of!(StackSwitch, host_sp),
        guest = const offset_of!(ThreadBlock, guest),
        interrupt_pending = const offset_of!(ThreadBlock, interrupt_pending),
    )
}

/// Checks for an interrupt before generated code continues with the value in xmm0. Either returns
/// that value, or exits generated code.
///
/// The function that jumps here has pushed only its frame pointer, or nothing else that matters.
///
/// # Safety
/// Only jumped to by the assembly of this file, on a guest stack.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn check_interrupts_with_value() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        "lea rsp, [rbp - 16]",
        "movsd [rsp], xmm0",
        concat!("mov r11, ", thread_offset!()),
        "mov rdi, fs:[r11 + {guest}]",
        "mov [rsp + 8], rdi",
        "2:",
        to_host!("rdi"),
        "call {check_interrupts}",
        "test rax, rax",
        "jnz 3f",
        "lea rsp, [rbp - 16]",
        "mov rdi, [rsp + 8]",
        to_guest!("rdi", "2b"),
        add_probe!("4f"),
        "5:",
        "movsd xmm0, [rsp]",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "3:",
        "mov rdi, rax",
        "jmp {exit_guest}",
        "4:",
        "stmxcsr [rsp + 8]",
        "and dword ptr [rsp + 8], {not_probed}",
        "ldmxcsr [rsp + 8]",
        "jmp 5b",
        ".cfi_endproc",
        probe = sym PROBE,
        not_probed = const NOT_PROBED,
        check_interrupts = sym upcall::check_interrupts,
        exit_guest = sym exit_guest,
        host_sp = const offset_of!(StackSwitch, host_sp),
        guest_sp = const offset_of!(StackSwitch, guest_sp),
        guest_fp = const offset_of!(StackSwitch, guest_fp),
        guest = const offset_of!(ThreadBlock, guest),
        interrupt_pending = const offset_of!(ThreadBlock, interrupt_pending),
    )
}
