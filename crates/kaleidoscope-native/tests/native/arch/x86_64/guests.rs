//! Functions of generated code, written in assembly.

use std::arch::naked_asm;

use crate::guest::Guest;

macro_rules! guests {
    ($($(#[$attribute:meta])* fn $name:ident() { $($line:literal),* $(,)? })*) => {
        $(
            $(#[$attribute])*
            pub(crate) fn $name() -> Guest {
                #[unsafe(naked)]
                extern "C" fn code() -> f64 {
                    naked_asm!($($line),*)
                }
                Guest::copy(code as *const ())
            }
        )*
    };
}

guests! {
    /// `f(): f()`
    fn endless_recursion() { "2:", "push rbp", "mov rbp, rsp", "call 2b", "pop rbp", "ret" }

    /// `f(n): if n == 0 then 0 else f(n - 1) + 1`, in frames of 32 bytes.
    fn descent() {
        "mov eax, 1",
        "cvtsi2sd xmm1, eax",
        "xorps xmm2, xmm2",
        "2:",
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 16",
        "ucomisd xmm0, xmm2",
        "je 3f",
        "subsd xmm0, xmm1",
        "call 2b",
        "addsd xmm0, xmm1",
        "3:",
        "leave",
        "ret",
    }

    /// Loops without end.
    fn endless_loop() { "push rbp", "mov rbp, rsp", "2:", "jmp 2b" }

    /// `f(g, x): g(x)`, without end.
    fn endless_calls() {
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 32",
        "movq rbx, xmm0",
        "movsd [rsp], xmm1",
        "2:",
        "movsd xmm0, [rsp]",
        "call rbx",
        "jmp 2b",
    }

    /// `f(g, x, padding): g(x); f(g, x)`, with `padding` more bytes in the first frame.
    fn calls_and_recurses() {
        "cvttsd2si rax, xmm2",
        "sub rsp, rax",
        "2:",
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 16",
        "movsd [rsp], xmm0",
        "movsd [rsp + 8], xmm1",
        "movq rax, xmm0",
        "movsd xmm0, xmm1",
        "call rax",
        "movsd xmm0, [rsp]",
        "movsd xmm1, [rsp + 8]",
        "call 2b",
        "leave",
        "ret",
    }

    /// `f(g, x): g(x)`
    fn calls_once() {
        "push rbp",
        "mov rbp, rsp",
        "movq rax, xmm0",
        "movsd xmm0, xmm1",
        "call rax",
        "pop rbp",
        "ret",
    }

    /// `f(g, a, x, y): g(a)`, then `x / y`.
    fn calls_and_divides() {
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 16",
        "movsd [rsp], xmm2",
        "movsd [rsp + 8], xmm3",
        "movq rax, xmm0",
        "movsd xmm0, xmm1",
        "call rax",
        "movsd xmm0, [rsp]",
        "divsd xmm0, [rsp + 8]",
        "leave",
        "ret",
    }

    /// `f(g, x): g(x)`, then loops without end.
    fn calls_and_loops() {
        "push rbp",
        "mov rbp, rsp",
        "movq rax, xmm0",
        "movsd xmm0, xmm1",
        "call rax",
        "2:",
        "jmp 2b",
    }

    /// Overwrites everything that a callee must keep, then loops without end.
    fn clobbers_and_loops() {
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
        "2:",
        "jmp 2b",
    }

    /// Overwrites everything that a callee must keep, then recurses without end.
    fn clobbers_and_recurses() {
        "mov dword ptr [rsp - 8], 0x7f80",
        "ldmxcsr [rsp - 8]",
        "fld1",
        "std",
        "mov rbx, -1",
        "mov r12, -1",
        "mov r13, -1",
        "mov r14, -1",
        "mov r15, -1",
        "2:",
        "mov rbp, 0x7fffffffffff",
        "call 2b",
    }

    /// `f(x, y): x / y`
    fn division() { "divsd xmm0, xmm1", "ret" }

    /// `f(thread, signal, stack_size)`: uses the stack up to its last 512 bytes, so that no
    /// handler has room there, and then sends the thread a signal.
    fn signal_near_stack_end() {
        "push rbp",
        "mov rbp, rsp",
        "cvttsd2si r8, xmm0",
        "cvttsd2si r9, xmm1",
        "cvttsd2si r10, xmm2",
        "sub r10, 512",
        "sub rsp, r10",
        "mov eax, 39",
        "syscall",
        "mov edi, eax",
        "mov rsi, r8",
        "mov rdx, r9",
        "mov eax, 234",
        "syscall",
        "leave",
        "ret",
    }
}
