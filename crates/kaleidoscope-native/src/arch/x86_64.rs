//! x86-64 Linux: the bytes of stubs, and the assembly that enters, interrupts and leaves generated code.
//!
//! The ABI is System V's (psABI 1.0, section 3.2): doubles in xmm0–xmm7, the rest on the stack, the first lowest; the
//! stack is aligned to 16 bytes before a call; rbx, rbp, r12–r15 and the control bits of mxcsr and of the x87 unit are
//! the callee's to keep. Vector registers are the caller's, and only doubles are passed: the upper parts of ymm and zmm
//! hold nothing, and the code here, being SSE, leaves them alone. Every function has a frame pointer at the usual place,
//! so that the chain can be walked through it.

#[cfg(test)]
mod tests;

use std::arch::naked_asm;
use std::cell::Cell;
use std::mem::offset_of;

use crate::entry;

/// The size of a page in bytes: the processor has no other that a mapping could start at.
pub(crate) const PAGE_SIZE: usize = 4096;

/// The size of a stub and of a mapping's header, in bytes.
pub(crate) const STUB_SIZE: usize = 16;

/// How many arguments travel in registers.
pub(crate) const N_REGISTERS: usize = 8;

/// The length in bytes of a jump or push through a pointer: `op modrm disp32`.
const INDIRECT: usize = 6;
/// The length in bytes of a `push imm32` and of a `jmp rel32`.
const SHORT: usize = 5;

/// Where a stub lies, and what it refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StubPlace {
    pub(crate) id: u32,
    /// The addresses of the stub, of its slot, and of the header of its mapping.
    pub(crate) stub: usize,
    pub(crate) slot: usize,
    pub(crate) header: usize,
}

/// `jmp [slot]; lazy: push id; jmp header`.
pub(crate) fn stub(place: StubPlace) -> [u8; STUB_SIZE] {
    let mut bytes = [0; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x25]);
    bytes[2..6].copy_from_slice(&relative(place.stub + INDIRECT, place.slot));
    bytes[6] = 0x68;
    bytes[7..11].copy_from_slice(&place.id.to_le_bytes());
    bytes[11] = 0xe9;
    bytes[12..].copy_from_slice(&relative(place.stub + INDIRECT + 2 * SHORT, place.header));
    bytes
}

/// Where the part of a stub starts that leads into the lazy entry.
pub(crate) fn lazy_part(stub: usize) -> usize {
    stub + INDIRECT
}

/// `push [slot]; jmp header`: the slot holds the word for the host entry. The rest is `int3`.
pub(crate) fn host_stub(place: StubPlace) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x35]);
    bytes[2..6].copy_from_slice(&relative(place.stub + INDIRECT, place.slot));
    bytes[6] = 0xe9;
    bytes[7..11].copy_from_slice(&relative(place.stub + INDIRECT + SHORT, place.header));
    bytes
}

/// `jmp [rip+2]`, two bytes of `int3`, and the address it jumps to: an entry may lie anywhere.
pub(crate) fn header(entry: usize) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..6].copy_from_slice(&[0xff, 0x25, 2, 0, 0, 0]);
    bytes[8..].copy_from_slice(&entry.to_le_bytes());
    bytes
}

/// The distance from the end of an instruction.
fn relative(end: usize, target: usize) -> [u8; 4] {
    let distance = target.wrapping_sub(end) as isize;
    i32::try_from(distance).expect("a mapping is far smaller than 2 GiB").to_le_bytes()
}

pub(crate) fn lazy_entry_address() -> usize {
    lazy_entry as *const () as usize
}

pub(crate) fn host_entry_address() -> usize {
    host_entry as *const () as usize
}

/// Where and how to go on when generated code is left early. Written by [`enter`], read by [`land`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Landing {
    /// The frame pointer of `enter`, below which it has saved the caller's registers.
    frame: Cell<usize>,
    mxcsr: Cell<u32>,
    x87_control: Cell<u16>,
}

impl Landing {
    /// A landing not yet filled.
    pub(crate) const fn new() -> Self {
        Self { frame: Cell::new(0), mxcsr: Cell::new(0), x87_control: Cell::new(0) }
    }
}

/// How generated code ended.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Outcome {
    /// What it returned, if it was not left.
    pub(crate) value: f64,
    /// Not 0 if it was left by way of the landing.
    pub(crate) left: usize,
}

/// Fills the landing and calls `code` with the arguments of `registers` and the `n_stack` at `stack`.
///
/// # Safety
/// `code` can be called with these arguments, in the C ABI of doubles, and does not unwind; `stack` points to `n_stack`
/// values.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    landing: &Landing,
    code: usize,
    registers: &[f64; N_REGISTERS],
    stack: *const f64,
    n_stack: usize,
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
        "mov [rdi + {frame}], rbp",
        "stmxcsr [rdi + {mxcsr}]",
        "fnstcw [rdi + {x87_control}]",
        // Five registers leave the stack 8 bytes off; an odd number of arguments puts it right by itself.
        "test r8, r8",
        "jz 3f",
        "test r8b, 1",
        "jnz 2f",
        "push rax",
        "2:",
        "push qword ptr [rcx + 8*r8 - 8]",
        "dec r8",
        "jnz 2b",
        "jmp 4f",
        "3:",
        "push rax",
        "4:",
        "movsd xmm0, [rdx]",
        "movsd xmm1, [rdx + 8]",
        "movsd xmm2, [rdx + 16]",
        "movsd xmm3, [rdx + 24]",
        "movsd xmm4, [rdx + 32]",
        "movsd xmm5, [rdx + 40]",
        "movsd xmm6, [rdx + 48]",
        "movsd xmm7, [rdx + 56]",
        "call rsi",
        "xor eax, eax",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        frame = const offset_of!(Landing, frame),
        mxcsr = const offset_of!(Landing, mxcsr),
        x87_control = const offset_of!(Landing, x87_control),
    )
}

/// Returns from the [`enter`] that filled the landing, whatever has been called since.
///
/// # Safety
/// That `enter` has not returned, and all frames above it may be skipped.
#[unsafe(naked)]
unsafe extern "C" fn land(landing: *const Landing) -> ! {
    naked_asm!(
        "mov rbp, [rdi + {frame}]",
        "ldmxcsr [rdi + {mxcsr}]",
        "fldcw [rdi + {x87_control}]",
        "cld",
        "xorps xmm0, xmm0",
        "mov eax, 1",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        frame = const offset_of!(Landing, frame),
        mxcsr = const offset_of!(Landing, mxcsr),
        x87_control = const offset_of!(Landing, x87_control),
    )
}

/// Reached from a stub without code, with its id pushed on top of the return address: saves whatever may carry an
/// argument, asks for code and jumps there, the stack as it was.
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
        "sub rsp, 192",
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
        "call {materialize}",
        "test rdx, rdx",
        "jnz 2f",
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
        "2:",
        "mov rdi, rdx",
        "jmp {land}",
        ".cfi_endproc",
        materialize = sym entry::materialize,
        land = sym land,
    )
}

/// Reached from a host stub, with the word of its slot pushed on top of the return address: hands the arguments over
/// and returns the value.
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
        "sub rsp, 64",
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
        "call {host_call}",
        "test rax, rax",
        "jnz 2f",
        ".cfi_remember_state",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_restore_state",
        "2:",
        "mov rdi, rax",
        "jmp {land}",
        ".cfi_endproc",
        host_call = sym entry::host_call,
        land = sym land,
    )
}
