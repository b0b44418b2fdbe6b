//! Generated code for tests: hand-written, and copied to where generated code lies, outside of all loaded objects.

use std::arch::naked_asm;
use std::ops::Range;
use std::ptr::null_mut;

use kaleidoscope_native::{CodeAddress, StackTrace};

/// How many bytes each function takes at most.
const SIZE: usize = 256;

/// A function as generated code. Never freed.
#[derive(Clone, Debug)]
pub(crate) struct Guest(Range<usize>);

impl Guest {
    /// A copy of a function that refers to nothing outside itself.
    fn copy(function: *const ()) -> Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: no address is asked for.
        let page = unsafe { libc::mmap(null_mut(), SIZE, protection, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        // SAFETY: both are that long: the executable goes on after each of its functions.
        unsafe { function.cast::<u8>().copy_to(page.cast(), SIZE) };
        // SAFETY: the mapping is ours.
        assert_eq!(unsafe { libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC) }, 0);
        Self(page.addr()..page.addr() + SIZE)
    }

    pub(crate) fn code(&self) -> CodeAddress {
        CodeAddress::new(self.0.start)
    }

    /// Its address as an argument.
    pub(crate) fn bits(&self) -> f64 {
        bits(self.code())
    }

    pub(crate) fn contains(&self, address: CodeAddress) -> bool {
        self.0.contains(&address.get())
    }

    /// Checks that a trace has so many frames, all of this function.
    pub(crate) fn is_all_of(&self, trace: &StackTrace, n: usize) {
        assert_eq!(trace.addresses().len(), n, "{trace:?}");
        assert_eq!(trace.top(), trace.addresses().first().copied());
        assert!(trace.addresses().iter().all(|&address| self.contains(address)), "{self:x?}: {trace:?}");
    }
}

/// An address as an argument.
pub(crate) fn bits(code: CodeAddress) -> f64 {
    f64::from_bits(code.get() as u64)
}

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
    fn recursion() { "2:", "push rbp", "mov rbp, rsp", "call 2b", "pop rbp", "ret" }

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

    /// Loops.
    fn endless() { "push rbp", "mov rbp, rsp", "2:", "jmp 2b" }

    /// `f(g, x): g(x)` for ever.
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

    /// `f(g, x): g(x); f(g, x)`, with `padding` bytes more in the first frame.
    fn calls_on_the_way_down() {
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

    /// `f(g, x): g(x)`, then loops.
    fn calls_and_loops() {
        "push rbp",
        "mov rbp, rsp",
        "movq rax, xmm0",
        "movsd xmm0, xmm1",
        "call rax",
        "2:",
        "jmp 2b",
    }

    /// Spoils all that a callee must keep, then loops.
    fn spoils_and_loops() {
        "mov dword ptr [rsp - 8], 0x7f80",
        "ldmxcsr [rsp - 8]",
        "mov dword ptr [rsp - 8], 0x0f7f",
        "fldcw [rsp - 8]",
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

    /// Spoils all that a callee must keep, then recurses.
    fn spoils_and_recurses() {
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

    /// Goes so near to the end of the stack that no handler has room there, then sends the thread a signal.
    /// `f(thread, signal, stack_size)`
    fn signal_near_the_end() {
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
