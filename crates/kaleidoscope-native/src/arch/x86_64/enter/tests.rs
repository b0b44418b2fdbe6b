//! Callee-saved state survives every way out of generated code.

use std::arch::asm;
use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::arch::x86_64::thread_block::thread_block;

/// Overwrites everything that a callee must keep, then exits. The bits of the argument are the
/// address of the stack switch.
#[unsafe(naked)]
extern "C" fn clobber_and_exit(stack_switch: f64) -> f64 {
    naked_asm!(
        "movq rdi, xmm0",
        // Rounding towards zero.
        "mov dword ptr [rsp - 8], 0x7f80",
        "ldmxcsr [rsp - 8]",
        "fld1",
        "std",
        "mov rbx, -1",
        "mov rbp, -1",
        "mov r12, -1",
        "mov r13, -1",
        "mov r14, -1",
        "mov r15, -1",
        "sub rsp, 4096",
        "jmp {exit_guest}",
        exit_guest = sym exit_guest,
    )
}

/// Uses a callee-saved register as a callee may, and returns.
#[unsafe(naked)]
extern "C" fn use_and_return(_: f64) -> f64 {
    naked_asm!("push rbx", "mov rbx, -1", "pop rbx", "ret")
}

/// Calls [`enter`] with known values in everything that a callee must keep. Returns 0 if all of
/// them survive.
#[unsafe(naked)]
unsafe extern "C" fn difference_after_enter(
    stack_switch: &StackSwitch,
    code: usize,
    args: *const f64,
    n_args: usize,
) -> usize {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov rbx, 1",
        "mov rbp, 2",
        "mov r12, 3",
        "mov r13, 4",
        "mov r14, 5",
        "mov r15, 6",
        "call {enter}",
        "sub rbx, 1",
        "sub rbp, 2",
        "sub r12, 3",
        "sub r13, 4",
        "sub r14, 5",
        "sub r15, 6",
        "or rbx, rbp",
        "or rbx, r12",
        "or rbx, r13",
        "or rbx, r14",
        "or rbx, r15",
        // Control bits only: a callee may change the status bits.
        "stmxcsr [rsp]",
        "mov eax, [rsp]",
        "and eax, 0xffc0",
        "xor eax, 0x1f80",
        "or rbx, rax",
        "fnstcw [rsp]",
        "movzx eax, word ptr [rsp]",
        "xor eax, 0x037f",
        "or rbx, rax",
        "pushfq",
        "pop rax",
        "and eax, 0x400",
        "or rax, rbx",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        enter = sym enter,
    )
}

fn set_mxcsr(mxcsr: u32) {
    // SAFETY: the tests pass modes that exist, and restore the default.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack)) };
}

/// A guest stack for one call.
#[repr(align(16))]
struct Guest {
    _bytes: [u8; 16 << 10],
}

/// Checks one way out, with every number of arguments in registers and a few on the stack.
fn check_callee_saved(code: extern "C" fn(f64) -> f64, host_mode: u32) {
    for n_args in 1..N_REGISTER_ARGS + 4 {
        let guest = Box::new(Guest { _bytes: [0; 16 << 10] });
        let stack_switch = StackSwitch::new((&raw const *guest).addr() + size_of::<Guest>());
        let mut args = [0.0; N_REGISTER_ARGS + 4];
        args[0] = f64::from_bits((&raw const stack_switch).addr() as u64);
        let code = code as *const () as usize;
        set_mxcsr(host_mode);
        // SAFETY: the functions called here take one argument; the caller passes and frees the
        // others.
        let difference = unsafe { difference_after_enter(&stack_switch, code, args.as_ptr(), n_args) };
        set_mxcsr(ENGINE);
        // Only the mode that was set above may differ.
        assert_eq!(difference, (host_mode ^ ENGINE) as usize, "{n_args} arguments");
        assert!(!stack_switch.is_running());
        assert!(thread_block().guest.load(Relaxed).is_null());
        assert_eq!(thread_block().host_mode.get(), 0);
    }
}

/// Rounding up.
const UP: u32 = 0x5f80;

#[test]
fn callee_saved_state_survives_an_early_exit() {
    check_callee_saved(clobber_and_exit, ENGINE);
    check_callee_saved(clobber_and_exit, UP);
}

#[test]
fn callee_saved_state_survives_a_normal_exit() {
    check_callee_saved(use_and_return, ENGINE);
    check_callee_saved(use_and_return, UP);
}

#[test]
fn callee_saved_state_survives_not_entering() {
    thread_block().interrupt_pending.store(1, Relaxed);
    check_callee_saved(clobber_and_exit, ENGINE);
    check_callee_saved(clobber_and_exit, UP);
    thread_block().interrupt_pending.store(0, Relaxed);
}
