//! The encodings, and what a callee must keep.

use super::*;

#[test]
fn a_stub_is_encoded_as_an_assembler_would() {
    // jmp [rip+0x1ffa]; push 0x12345678; jmp rel32 back by 0x20.
    let place = StubPlace { id: 0x1234_5678, stub: 0x1010, slot: 0x3010, header: 0x1000 };
    let expected = "ff 25 fa 1f 00 00 68 78 56 34 12 e9 e0 ff ff ff";
    assert_eq!(hex(stub(place)), expected);
    assert_eq!(lazy_part(place.stub), 0x1016);
}

#[test]
fn a_host_stub_and_a_header_are_encoded_as_an_assembler_would() {
    let place = StubPlace { id: 7, stub: 0x1010, slot: 0x3010, header: 0x1000 };
    assert_eq!(hex(host_stub(place)), "ff 35 fa 1f 00 00 e9 e5 ff ff ff cc cc cc cc cc");
    assert_eq!(hex(header(0x1122_3344_5566_7788)), "ff 25 02 00 00 00 cc cc 88 77 66 55 44 33 22 11");
}

fn hex(bytes: [u8; STUB_SIZE]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(" ")
}

/// Overwrites everything that a callee must keep, then lands. The landing comes as the bits of the argument.
#[unsafe(naked)]
extern "C" fn clobber_and_land(landing: f64) -> f64 {
    naked_asm!(
        "movq rdi, xmm0",
        // Rounding towards zero, in both units.
        "mov dword ptr [rsp - 8], 0x7f80",
        "ldmxcsr [rsp - 8]",
        "mov dword ptr [rsp - 8], 0x0f7f",
        "fldcw [rsp - 8]",
        "std",
        "mov rbx, -1",
        "mov rbp, -1",
        "mov r12, -1",
        "mov r13, -1",
        "mov r14, -1",
        "mov r15, -1",
        "sub rsp, 4096",
        "jmp {land}",
        land = sym land,
    )
}

/// Uses the registers that a callee must keep as a callee may, and returns.
#[unsafe(naked)]
extern "C" fn use_and_return(_: f64) -> f64 {
    naked_asm!("push rbx", "mov rbx, -1", "pop rbx", "ret")
}

/// [`enter`] with known values in all that a callee must keep: 0 if they are there afterwards.
#[unsafe(naked)]
unsafe extern "C" fn difference_after_enter(
    landing: &Landing,
    code: usize,
    registers: &[f64; N_REGISTERS],
    stack: *const f64,
    n_stack: usize,
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
        // Control bits only: the others are the caller's.
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

/// On both ways out, with an odd and an even number of arguments on the stack.
fn check_callee_saved(code: extern "C" fn(f64) -> f64) {
    for n_stack in 0..4 {
        let landing = Landing::new();
        let mut registers = [0.0; N_REGISTERS];
        registers[0] = f64::from_bits((&raw const landing).addr() as u64);
        let code = code as *const () as usize;
        // SAFETY: the functions called here take one argument, and the others are the caller's to give and to drop.
        let difference =
            unsafe { difference_after_enter(&landing, code, &registers, [0.0; 4].as_ptr(), n_stack) };
        assert_eq!(difference, 0, "{n_stack} arguments on the stack");
    }
}

#[test]
fn callee_saved_state_survives_an_early_exit() {
    check_callee_saved(clobber_and_land);
}

#[test]
fn callee_saved_state_survives_a_normal_exit() {
    check_callee_saved(use_and_return);
}
