//! Enters generated code on a guest stack, and exits it: on return, or early from any instruction.
//!
//! Generated code runs on the *guest stack*, everything else on the thread's ordinary stack, the
//! *host stack*. Two stacks make two things possible. A guest stack that overflows faults in a
//! guard page of ours, so the fault is recognized and costs only this call. And the host stack
//! stays small and untouched, so that a call can be ended by restoring the host's registers.
//!
//! [`enter`] saves the callee-saved registers on the host stack, switches to the guest stack, and
//! calls the code. [`exit_guest`] is the early way out, as `longjmp` would be: it restores what
//! `enter` saved, and so skips every frame on the guest stack. Signal handlers and failed upcalls
//! go there.
//!
//! # Promises
//!
//! The assembly of this folder keeps these promises, and signal handlers rely on them:
//!
//! 1. `ThreadBlock::guest` is null, or points to the stack switch of a call that is running on this
//!    thread. It is not null exactly while generated code may run, maths thunks included.
//! 2. While `guest` is not null and the stack pointer lies in the guest stack, only frames that
//!    may be skipped lie above `enter`. So the thread can be sent to [`exit_guest`] from any
//!    instruction. To keep this true, the assembly clears `guest` before it leaves the guest stack
//!    for Rust code, and sets `guest` when it is back.
//! 3. Whenever `guest` was set, and whenever a maths function returned, the assembly checks
//!    `interrupt_pending` before generated code continues. A handler that finds 2 violated sets
//!    `interrupt_pending`. So no interrupt is lost, except one that arrives while another handler
//!    runs on top of generated code; `signals.rs` retries that one.
//!
//! Every frame has its frame pointer at the usual place, on either stack, so that the chain of
//! frames can be walked.
//!
//! # Unwind information
//!
//! A function that changes the stack says so by `.cfi_signal_frame`. Debuggers expect a caller's
//! frame above its callee's; only the frame of a signal handler may be on another stack. Without
//! it GDB stops there and says that the stack is corrupt.

#[cfg(test)]
mod tests;

use std::arch::naked_asm;
use std::mem::offset_of;

use super::N_REGISTER_ARGS;
use super::float_mode::{ENGINE, KNOWN, NOT_PROBED, PROBE, add_probe};
use super::stack_switch::StackSwitch;
use super::thread_block::{ThreadBlock, thread_offset, thread_symbol};

/// How [`enter`] ended.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Outcome {
    /// What generated code returned, if `status` is [`RETURNED`].
    pub(crate) value: f64,
    /// [`RETURNED`], [`EXITED`] or [`NOT_ENTERED`].
    pub(crate) status: usize,
}

/// Generated code returned.
pub(crate) const RETURNED: usize = 0;
/// Generated code was exited early, through [`exit_guest`].
pub(crate) const EXITED: usize = 1;
/// Generated code was not entered, because `interrupt_pending` was set.
pub(crate) const NOT_ENTERED: usize = 2;

/// The address of [`exit_guest`].
pub(super) fn exit_guest_address() -> usize {
    exit_guest as *const () as usize
}

/// Marks generated code as running: stores the stack switch in the register to `guest`, and then
/// jumps to the label if an interrupt is pending. The stack pointer is in the guest stack already.
///
/// Writes r11.
macro_rules! to_guest {
    ($register:literal, $interrupt_pending:literal) => {
        concat!(
            "mov r11, ",
            thread_offset!(),
            "\n",
            "mov fs:[r11 + {guest}], ",
            $register,
            "\n",
            "cmp dword ptr fs:[r11 + {interrupt_pending}], 0\n",
            "jne ",
            $interrupt_pending,
        )
    };
}

/// Leaves generated code for the host stack, to call Rust code there. The register holds the stack
/// switch, r11 the offset of the thread block.
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
pub(super) use {to_guest, to_host};

/// Calls `code` with the `n_args` arguments at `args`, on the guest stack of `stack_switch`.
///
/// The code also finds `args` itself in the register of a first pointer argument. So code that
/// takes a pointer and no doubles is called with `n_args` 0.
///
/// # Safety
/// - `code` can be called with these arguments, in the C ABI of doubles, and does not unwind.
/// - `args` points to `n_args` values; the guest stack has room for those that travel on it.
/// - The stack switch has no running call.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    stack_switch: &StackSwitch,
    code: usize,
    args: *const f64,
    n_args: usize,
) -> Outcome {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
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
        // Six pushes and the return address would misalign the stack.
        "push rax",
        "mov rbx, rdi",
        "mov [rbx + {frame}], rbp",
        "mov [rbx + {host_sp}], rsp",
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
        add_probe!("20f"),
        "30:",
        "call rsi",
        concat!("mov r11, ", thread_offset!()),
        "xor eax, eax",
        "32:",
        "mov qword ptr fs:[r11 + {guest}], 0",
        "cmp dword ptr [rbx + {other_mode}], 0",
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
        // The caller has another floating-point mode. A signal handler may go to `exit_guest` from
        // any of these instructions, which restores the mode once `other_mode` is set.
        "20:",
        "stmxcsr [rbx + {mxcsr}]",
        "mov eax, fs:[r11 + {host_mode}]",
        "mov [rbx + {host_mode_before}], eax",
        "mov dword ptr [rbx + {other_mode}], 1",
        "mov eax, [rbx + {mxcsr}]",
        "or eax, {known}",
        "mov fs:[r11 + {host_mode}], eax",
        "ldmxcsr [rip + {engine}]",
        "jmp 30b",
        // Arguments travel on the stack: an odd number of them would misalign it.
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
        "mov eax, {not_entered}",
        "jmp 32b",
        "25:",
        "mov dword ptr [rbx + {other_mode}], 0",
        "mov ecx, [rbx + {host_mode_before}]",
        "mov fs:[r11 + {host_mode}], ecx",
        "ldmxcsr [rbx + {mxcsr}]",
        "jmp 33b",
        ".cfi_endproc",
        frame = const offset_of!(StackSwitch, frame),
        host_sp = const offset_of!(StackSwitch, host_sp),
        top = const offset_of!(StackSwitch, top),
        mxcsr = const offset_of!(StackSwitch, mxcsr),
        guest = const offset_of!(ThreadBlock, guest),
        interrupt_pending = const offset_of!(ThreadBlock, interrupt_pending),
        other_mode = const offset_of!(StackSwitch, has_other_mode),
        host_mode_before = const offset_of!(StackSwitch, host_mode),
        host_mode = const offset_of!(ThreadBlock, host_mode),
        probe = sym PROBE,
        engine = sym ENGINE,
        known = const KNOWN,
        not_entered = const NOT_ENTERED,
        n_registers = const N_REGISTER_ARGS,
    )
}

/// Exits generated code early: returns from the running [`enter`] of `stack_switch` with
/// [`EXITED`]. All frames above that `enter` are skipped.
///
/// Restores the callee-saved registers, the floating-point mode and the direction flag. Does not
/// use the stack pointer, so the guest stack may be exhausted.
///
/// # Safety
/// All frames above that `enter` may be skipped.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn exit_guest(stack_switch: *const StackSwitch) -> ! {
    naked_asm!(
        concat!("mov r11, ", thread_offset!()),
        "mov qword ptr fs:[r11 + {guest}], 0",
        "mov rbp, [rdi + {frame}]",
        "lea rsp, [rbp - 40]",
        "mov qword ptr [rdi + {frame}], 0",
        "cmp dword ptr [rdi + {other_mode}], 0",
        "je 2f",
        "mov dword ptr [rdi + {other_mode}], 0",
        "mov eax, [rdi + {host_mode_before}]",
        "mov fs:[r11 + {host_mode}], eax",
        "ldmxcsr [rdi + {mxcsr}]",
        "jmp 3f",
        // The caller's mode is the engine's, except perhaps for the masks.
        "2:",
        "stmxcsr [rsp - 8]",
        "and dword ptr [rsp - 8], {not_probed}",
        "ldmxcsr [rsp - 8]",
        "3:",
        // Clears the x87 stack. Generated code does not change the unit's mode.
        "fnstcw [rsp - 8]",
        "fninit",
        "fldcw [rsp - 8]",
        "cld",
        "xorps xmm0, xmm0",
        "mov eax, {exited}",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        frame = const offset_of!(StackSwitch, frame),
        mxcsr = const offset_of!(StackSwitch, mxcsr),
        other_mode = const offset_of!(StackSwitch, has_other_mode),
        host_mode_before = const offset_of!(StackSwitch, host_mode),
        host_mode = const offset_of!(ThreadBlock, host_mode),
        not_probed = const NOT_PROBED,
        guest = const offset_of!(ThreadBlock, guest),
        exited = const EXITED,
    )
}
