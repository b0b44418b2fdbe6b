//! The lazy entry keeps every register that can hold an argument, in full.

use std::arch::{asm, naked_asm};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kaleidoscope_native::StubPool;

use crate::support::{Script, code};

/// Eight general registers, then xmm0 to xmm7 in two halves each.
const N: usize = 24;

const fn patterns() -> [u64; N] {
    let mut patterns = [0; N];
    let mut idx = 0;
    while idx < N {
        patterns[idx] = 0x0123_4567_89ab_cdef_u64.wrapping_mul(2 * idx as u64 + 1);
        idx += 1;
    }
    patterns
}

static BEFORE: [u64; N] = patterns();
static AFTER: [AtomicU64; N] = [const { AtomicU64::new(0) }; N];
static STUB: AtomicUsize = AtomicUsize::new(0);

/// Fills the registers and jumps to the stub.
#[unsafe(naked)]
extern "C" fn fill() -> f64 {
    naked_asm!(
        "lea r11, [rip + {before}]",
        "mov rdi, [r11]",
        "mov rsi, [r11 + 8]",
        "mov rdx, [r11 + 16]",
        "mov rcx, [r11 + 24]",
        "mov r8, [r11 + 32]",
        "mov r9, [r11 + 40]",
        "mov rax, [r11 + 48]",
        "mov r10, [r11 + 56]",
        "movups xmm0, [r11 + 64]",
        "movups xmm1, [r11 + 80]",
        "movups xmm2, [r11 + 96]",
        "movups xmm3, [r11 + 112]",
        "movups xmm4, [r11 + 128]",
        "movups xmm5, [r11 + 144]",
        "movups xmm6, [r11 + 160]",
        "movups xmm7, [r11 + 176]",
        "jmp qword ptr [rip + {stub}]",
        before = sym BEFORE,
        stub = sym STUB,
    )
}

/// Stores the registers.
#[unsafe(naked)]
extern "C" fn store() -> f64 {
    naked_asm!(
        "lea r11, [rip + {after}]",
        "mov [r11], rdi",
        "mov [r11 + 8], rsi",
        "mov [r11 + 16], rdx",
        "mov [r11 + 24], rcx",
        "mov [r11 + 32], r8",
        "mov [r11 + 40], r9",
        "mov [r11 + 48], rax",
        "mov [r11 + 56], r10",
        "movups [r11 + 64], xmm0",
        "movups [r11 + 80], xmm1",
        "movups [r11 + 96], xmm2",
        "movups [r11 + 112], xmm3",
        "movups [r11 + 128], xmm4",
        "movups [r11 + 144], xmm5",
        "movups [r11 + 160], xmm6",
        "movups [r11 + 176], xmm7",
        "ret",
        after = sym AFTER,
    )
}

/// Overwrites all argument registers.
fn clobber() {
    // SAFETY: registers that are named as outputs may be written.
    unsafe {
        asm!(
            "xor edi, edi", "xor esi, esi", "xor edx, edx", "xor ecx, ecx",
            "xor r8d, r8d", "xor r9d, r9d", "xor eax, eax", "xor r10d, r10d",
            "pxor xmm0, xmm0", "pxor xmm1, xmm1", "pxor xmm2, xmm2", "pxor xmm3, xmm3",
            "pxor xmm4, xmm4", "pxor xmm5, xmm5", "pxor xmm6, xmm6", "pxor xmm7, xmm7",
            out("rdi") _, out("rsi") _, out("rdx") _, out("rcx") _,
            out("r8") _, out("r9") _, out("rax") _, out("r10") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            options(nomem, nostack),
        );
    }
}

#[test]
fn the_lazy_entry_keeps_all_argument_registers() {
    let stub = StubPool::new().allocate().unwrap();
    STUB.store(stub.address().get(), Ordering::Relaxed);
    let script = Script::new().materialize(|_| {
        clobber();
        Ok(code(store as *const ()))
    });
    script.call(code(fill as *const ()), &[]).unwrap();
    assert_eq!(AFTER.each_ref().map(|word| word.load(Ordering::Relaxed)), BEFORE);
}

/// Calls a signal handler, without a context, on a stack that lies 8 bytes beside where the ABI
/// wants it.
#[unsafe(naked)]
extern "C" fn misaligned_call(_handler: usize, _signal: usize, _info: *mut libc::siginfo_t) {
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "xor edx, edx",
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 24",
        "call rax",
        "leave",
        "ret"
    )
}

pub(crate) fn call_with_misaligned_stack(handler: usize, signal: i32) {
    // SAFETY: zero is a valid value.
    let mut info = unsafe { std::mem::zeroed() };
    misaligned_call(handler, signal as usize, &raw mut info);
}

/// What remains of the stack pointer of [`note_alignment`] when it is divided by 16. The ABI wants
/// 8, beside the return address.
static ALIGNMENT: AtomicUsize = AtomicUsize::new(0);

/// A signal handler.
#[unsafe(naked)]
pub(crate) extern "C" fn note_alignment(_: i32) {
    naked_asm!("mov rax, rsp", "and eax, 15", "mov [rip + {alignment}], rax", "ret", alignment = sym ALIGNMENT)
}

/// Whether [`note_alignment`] was last called on an aligned stack.
pub(crate) fn was_aligned() -> bool {
    ALIGNMENT.load(Ordering::Relaxed) == 8
}
