//! The macro assembler for x86-64.
//!
//! Code refers to numbers relative to the instruction pointer: they are behind the instructions.
//! The entry is written last, right-aligned in front of the body, because only then the size of the
//! frame is known:
//!
//! ```text
//! entry:     mov rax, address of the entry counter       ; only in counting code
//!            dec qword [rax]
//!            jle tripped
//! restart:   push rbp
//!            mov rbp, rsp
//!            sub rsp, size of the frame
//!            mov qword [rbp - …], tail calls until a report
//! body:      …
//! tripped:   ; call the entry thunk, which preserves all registers but rax
//!            ; if the function calls itself in tail position, and rax is not 0: jmp rax
//!            jmp restart
//!            ; numbers
//! ```

use dynasmrt::{DynasmApi as _, SimpleAssembler, dynasm};

use crate::assembler::{
    Condition, Entry, Jump, Label, MacroAssembler, Operator, Register, Source, UnaryOperator, Word,
};
use crate::counters::Counters;
use crate::machine_code::MachineCode;

/// The most bytes of a function's entry.
const MAX_ENTRY: usize = 64;

/// The alignment of the code: that of the body, for the instruction fetch.
const ALIGN: usize = 16;

/// The size of a displacement in bytes. A displacement counts from its own end.
const DISPLACEMENT_BYTES: usize = 4;

/// The step by which a large frame is touched, so that no frame skips the guard page.
const PAGE_BYTES: usize = 4096;

/// How far behind the last use of a number the list is searched for it.
const N_RECENT: usize = 16;

/// `int3`: fills bytes that never run.
const FILLER: u8 = 0xcc;

/// Writes an instruction on a register and a word of the frame, with the shorter displacement if
/// possible.
macro_rules! on_word {
    ($self:ident, $word:expr, $instruction:ident $register:expr) => {
        match i8::try_from($word.0) {
            Ok(near) => dynasm!($self.code ; .arch x64 ; $instruction Rx($register), [BYTE rbp + near]),
            Err(_) => dynasm!($self.code ; .arch x64 ; $instruction Rx($register), [rbp + $word.0]),
        }
    };
}

/// Writes an instruction on a register and a source.
macro_rules! on_source {
    ($self:ident, $source:expr, $instruction:ident $register:expr) => {
        match $source {
            Source::Register(from) => {
                dynasm!($self.code ; .arch x64 ; $instruction Rx($register), Rx(from));
            }
            Source::Word(word) => on_word!($self, word, $instruction $register),
            Source::Number(number) => {
                dynasm!($self.code ; .arch x64 ; $instruction Rx($register), [rip + 0]);
                $self.refer_to(number.to_bits());
            }
        }
    };
}

/// The assembler. Its memory is used again for the next function.
pub(crate) struct Assembler {
    code: SimpleAssembler,
    /// The bits of the numbers that the code refers to.
    numbers: Vec<u64>,
    /// The end of each instruction that refers to a number, and the number's index.
    references: Vec<(usize, usize)>,
    has_roundings: bool,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new(is_x86_feature_detected!("sse4.1"))
    }
}

impl Assembler {
    /// An assembler for a processor with or without `roundsd`, an instruction of SSE4.1.
    fn new(has_roundings: bool) -> Self {
        Self { code: SimpleAssembler::new(), numbers: Vec::new(), references: Vec::new(), has_roundings }
    }

    /// Makes the instruction that was written last refer to a number.
    fn refer_to(&mut self, bits: u64) {
        let recent = self.numbers.len().saturating_sub(N_RECENT);
        let found = self.numbers[recent..].iter().position(|&known| known == bits);
        let index = match found {
            Some(at) => recent + at,
            None => {
                self.numbers.push(bits);
                self.numbers.len() - 1
            }
        };
        self.references.push((self.code.ops.len(), index));
    }

    /// Sets the displacement that ends at offset `end`.
    fn set_displacement(&mut self, end: usize, target: usize) {
        let displacement = (target as i64 - end as i64) as i32;
        self.code.ops[end - DISPLACEMENT_BYTES..end].copy_from_slice(&displacement.to_le_bytes());
    }

    /// The jump that was written last.
    fn last_jump(&self) -> Jump {
        Jump(self.code.ops.len())
    }

    /// Writes the code for a tripped entry counter, which continues at `restart`.
    fn trip_entry(&mut self, entry: &Entry<'_>, counters: &Counters, restart: usize) {
        self.report_entry(counters);
        if entry.has_tail_call {
            dynasm!(self.code ; .arch x64 ; test rax, rax ; jz BYTE 2 ; jmp rax);
        }
        let back = self.jump();
        self.set_target(back, Label(restart));
    }

    /// The size of the entry counter's code.
    const COUNTER_BYTES: usize = 19;
}

/// The entry's instructions: from the counter, if there is one, to the body.
fn entry_code(entry: &Entry<'_>) -> SimpleAssembler {
    let mut code = SimpleAssembler::new();
    if let Some(counters) = entry.counters {
        let counter = counters.entry() as i64;
        dynasm!(code ; .arch x64 ; mov rax, QWORD counter ; dec QWORD [rax] ; jle DWORD 0);
        debug_assert_eq!(code.ops.len(), Assembler::COUNTER_BYTES, "`finish` relies on it");
    }
    dynasm!(code ; .arch x64 ; push rbp ; mov rbp, rsp);
    let (n_pages, rest) = (entry.frame_bytes / PAGE_BYTES, entry.frame_bytes % PAGE_BYTES);
    if n_pages > 0 {
        dynasm!(code ; .arch x64 ; mov eax, n_pages as i32);
        let start = code.ops.len();
        dynasm!(code ; .arch x64 ; sub rsp, PAGE_BYTES as i32 ; or QWORD [rsp], 0 ; dec eax);
        let back = (start as i32 - code.ops.len() as i32 - 2) as i8;
        dynasm!(code ; .arch x64 ; jnz BYTE back);
    }
    if rest > 0 {
        dynasm!(code ; .arch x64 ; sub rsp, rest as i32);
    }
    if let (Some(word), Some(counters)) = (entry.tail_calls, entry.counters) {
        dynasm!(code ; .arch x64 ; mov DWORD [rbp + word.0], counters.tail_calls as i32);
    }
    code
}

impl MacroAssembler for Assembler {
    const N_REGISTER_PARAMS: usize = 8;
    const N_REGISTERS: usize = 15;
    const SCRATCH: Register = Register(15);

    fn begin(&mut self) {
        self.code.ops.clear();
        self.code.ops.resize(MAX_ENTRY, FILLER);
        self.numbers.clear();
        self.references.clear();
    }

    fn here(&self) -> Label {
        Label(self.code.ops.len())
    }

    fn rewind(&mut self, to: Label) {
        self.code.ops.truncate(to.0);
        while self.references.last().is_some_and(|(end, _)| *end > to.0) {
            self.references.pop();
        }
    }

    fn copy(&mut self, to: Register, from: Register) {
        dynasm!(self.code ; .arch x64 ; movapd Rx(to), Rx(from));
    }

    fn load(&mut self, to: Register, from: Word) {
        on_word!(self, from, movsd to);
    }

    fn number(&mut self, to: Register, number: f64) {
        if number.to_bits() == 0 {
            dynasm!(self.code ; .arch x64 ; xorpd Rx(to), Rx(to));
        } else {
            dynasm!(self.code ; .arch x64 ; movsd Rx(to), [rip + 0]);
            self.refer_to(number.to_bits());
        }
    }

    fn store(&mut self, to: Word, from: Register) {
        match i8::try_from(to.0) {
            Ok(near) => dynasm!(self.code ; .arch x64 ; movsd [BYTE rbp + near], Rx(from)),
            Err(_) => dynasm!(self.code ; .arch x64 ; movsd [rbp + to.0], Rx(from)),
        }
    }

    fn store_argument(&mut self, number: usize, from: Register) {
        dynasm!(self.code ; .arch x64 ; movsd [rsp + 8 * number as i32], Rx(from));
    }

    fn stack_param(number: usize) -> Word {
        // Behind the caller's frame pointer and the return address.
        Word(16 + 8 * number as i32)
    }

    fn load_from(&mut self, to: Register, address: usize) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD address as i64 ; movsd Rx(to), [rax]);
    }

    fn store_to(&mut self, address: usize, from: Register) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD address as i64 ; movsd [rax], Rx(from));
    }

    fn arithmetic(&mut self, operator: Operator, to: Register, right: Source) {
        match operator {
            Operator::Add => on_source!(self, right, addsd to),
            Operator::Subtract => on_source!(self, right, subsd to),
            Operator::Multiply => on_source!(self, right, mulsd to),
            Operator::Divide => on_source!(self, right, divsd to),
        }
    }

    fn unary(&mut self, operator: UnaryOperator, to: Register, from: Register) {
        let mode = match operator {
            UnaryOperator::Sqrt => {
                // Without the copy, the result would wait for the old value of `to`.
                if to != from {
                    self.copy(to, from);
                }
                dynasm!(self.code ; .arch x64 ; sqrtsd Rx(to), Rx(to));
                return;
            }
            UnaryOperator::Fabs => {
                if to != from {
                    self.copy(to, from);
                }
                dynasm!(self.code ; .arch x64 ; psllq Rx(to), 1 ; psrlq Rx(to), 1);
                return;
            }
            UnaryOperator::Rint => 4,
            UnaryOperator::Floor => 9,
            UnaryOperator::Ceil => 10,
            UnaryOperator::Trunc => 11,
        };
        if to != from {
            self.copy(to, from);
        }
        dynasm!(self.code ; .arch x64 ; roundsd Rx(to), Rx(to), mode);
    }

    fn has_unary(&self, operator: UnaryOperator) -> bool {
        match operator {
            UnaryOperator::Sqrt | UnaryOperator::Fabs => true,
            UnaryOperator::Floor | UnaryOperator::Ceil | UnaryOperator::Trunc | UnaryOperator::Rint => {
                self.has_roundings
            }
        }
    }

    fn less(&mut self, to: Register, left: Source) {
        // Not `to <= left`: `left < to`, or unordered. A mask of ones then selects the number 1.
        let scratch = Self::SCRATCH;
        match left {
            Source::Register(left) => dynasm!(self.code ; .arch x64 ; cmpnlesd Rx(to), Rx(left)),
            Source::Word(_) | Source::Number(_) => {
                left.move_to(scratch, self);
                dynasm!(self.code ; .arch x64 ; cmpnlesd Rx(to), Rx(scratch));
            }
        }
        self.number(scratch, 1.0);
        dynasm!(self.code ; .arch x64 ; andpd Rx(to), Rx(scratch));
    }

    fn compare(&mut self, left: Register, right: Source) {
        on_source!(self, right, ucomisd left);
    }

    fn test(&mut self, number: Register) {
        // A NaN compares as equal.
        let zero = Self::SCRATCH;
        dynasm!(self.code ; .arch x64 ; xorpd Rx(zero), Rx(zero) ; ucomisd Rx(number), Rx(zero));
    }

    fn test_byte(&mut self, address: usize) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD address as i64 ; cmp BYTE [rax], 0);
    }

    fn test_word(&mut self, word: Word) {
        dynasm!(self.code ; .arch x64 ; cmp QWORD [rbp + word.0], 0);
    }

    fn count_down(&mut self, address: usize) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD address as i64 ; dec QWORD [rax]);
    }

    fn count_down_word(&mut self, word: Word) {
        dynasm!(self.code ; .arch x64 ; dec DWORD [rbp + word.0]);
    }

    fn store_integer(&mut self, to: Word, integer: u32) {
        dynasm!(self.code ; .arch x64 ; mov DWORD [rbp + to.0], integer as i32);
    }

    fn jump(&mut self) -> Jump {
        dynasm!(self.code ; .arch x64 ; jmp DWORD 0);
        self.last_jump()
    }

    fn jump_if(&mut self, condition: Condition) -> Jump {
        match condition {
            Condition::Less => dynasm!(self.code ; .arch x64 ; jb DWORD 0),
            Condition::NotZero => dynasm!(self.code ; .arch x64 ; jne DWORD 0),
            Condition::Positive => dynasm!(self.code ; .arch x64 ; jg DWORD 0),
        }
        self.last_jump()
    }

    fn jump_unless(&mut self, condition: Condition) -> Jump {
        match condition {
            Condition::Less => dynasm!(self.code ; .arch x64 ; jae DWORD 0),
            Condition::NotZero => dynasm!(self.code ; .arch x64 ; je DWORD 0),
            Condition::Positive => dynasm!(self.code ; .arch x64 ; jle DWORD 0),
        }
        self.last_jump()
    }

    fn set_target(&mut self, jump: Jump, target: Label) {
        self.set_displacement(jump.0, target.0);
    }

    fn call_slot(&mut self, slot: usize) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD slot as i64 ; call QWORD [rax]);
    }

    fn call(&mut self, code: usize) {
        dynasm!(self.code ; .arch x64 ; mov rax, QWORD code as i64 ; call rax);
    }

    fn call_trip_thunk(&mut self, thunk: usize, trip: u64, osr_entry: usize, buffer: Word) {
        dynasm!(self.code
            ; .arch x64
            ; mov rdi, QWORD trip as i64
            ; mov rsi, QWORD osr_entry as i64
            ; lea rdx, [rbp + buffer.0]
        );
        self.call(thunk);
    }

    fn call_slot_thunk(&mut self, thunk: usize, slot: usize, word: Word) {
        dynasm!(self.code ; .arch x64 ; mov rdi, QWORD slot as i64 ; lea rsi, [rbp + word.0]);
        self.call(thunk);
    }

    fn report_entry(&mut self, counters: &Counters) {
        dynasm!(self.code ; .arch x64 ; mov edi, counters.code_number as i32);
        self.call(counters.entry_thunk);
    }

    fn leave_for_answer(&mut self) {
        dynasm!(self.code ; .arch x64 ; test rax, rax ; jz DWORD 0);
        let stay = self.last_jump();
        dynasm!(self.code ; .arch x64 ; leave ; jmp rax);
        let here = self.here();
        self.set_target(stay, here);
    }

    fn end(&mut self) {
        dynasm!(self.code ; .arch x64 ; leave ; ret);
    }

    fn finish(&mut self, entry: &Entry<'_>) -> MachineCode {
        let first = entry_code(entry).ops;
        let start = MAX_ENTRY - first.len();
        self.code.ops[start..MAX_ENTRY].copy_from_slice(&first);
        if let Some(counters) = entry.counters {
            let restart = start + Self::COUNTER_BYTES;
            let tripped = self.code.ops.len();
            self.set_displacement(restart, tripped);
            self.trip_entry(entry, counters, restart);
        }
        let numbers = self.code.ops.len().next_multiple_of(8);
        self.code.ops.resize(numbers, FILLER);
        for &bits in &self.numbers {
            self.code.push_u64(bits);
        }
        for at in 0..self.references.len() {
            let (end, index) = self.references[at];
            self.set_displacement(end, numbers + 8 * index);
        }
        let unused = start / ALIGN * ALIGN;
        MachineCode { bytes: self.code.ops[unused..].to_vec(), entry: start - unused, align: ALIGN }
    }
}

#[cfg(test)]
mod tests;
