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
//!            mov dword [rsp + …], tail calls until a report
//! body:      …
//! tripped:   ; call the entry thunk, which preserves all registers but rax
//!            ; if the function calls itself in tail position, and rax is not 0: jmp rax
//!            jmp restart
//!            ; numbers
//! ```
//!
//! Code for a debugger makes its first two instructions of the frame before it counts: debuggers
//! recognize a function by them.
//!
//! A few lines above 600, because a macro assembler has many methods.

use dynasmrt::{DynasmApi as _, SimpleAssembler, dynasm};
use kaleidoscope_ir::OpIdx;

use crate::assembler::{
    Condition, Entry, Jump, Label, MacroAssembler, Operator, Piece, Reference, Register, Source,
    UnaryOperator, Word,
};
use crate::counters::Counters;
use crate::machine_code::MachineCode;

/// The most bytes of a function's entry.
const MAX_ENTRY: usize = 80;

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

/// An instruction that does nothing, as long as the one that frees a frame.
const LONG_NOP: [u8; 7] = [0x0f, 0x1f, 0x80, 0, 0, 0, 0];

/// Writes instructions.
macro_rules! emit {
    ($self:ident, $($instructions:tt)*) => {
        dynasm!($self.code ; .arch x64 ; $($instructions)*)
    };
}

/// Writes an instruction whose last operand is a word, with the shorter displacement if possible.
macro_rules! on_word {
    ($self:ident, $word:expr, $instruction:ident $($register:expr),+) => {
        match $word {
            Word::Frame(offset) => match i8::try_from(offset) {
                Ok(near) => emit!($self, $instruction $(Rx($register)),+, [BYTE rsp + near]),
                Err(_) => emit!($self, $instruction $(Rx($register)),+, [rsp + offset]),
            },
            Word::Param(offset) => emit!($self, $instruction $(Rx($register)),+, [rbp + offset]),
        }
    };
}

/// Writes an instruction whose first operand is a word, with the shorter displacement if possible.
macro_rules! to_word {
    ($self:ident, $word:expr, $instruction:ident $register:expr) => {
        match $word {
            Word::Frame(offset) => match i8::try_from(offset) {
                Ok(near) => emit!($self, $instruction [BYTE rsp + near], Rx($register)),
                Err(_) => emit!($self, $instruction [rsp + offset], Rx($register)),
            },
            Word::Param(offset) => emit!($self, $instruction [rbp + offset], Rx($register)),
        }
    };
}

/// Writes an instruction whose last operand is a number.
macro_rules! on_number {
    ($self:ident, $number:expr, $instruction:ident $($register:expr),+) => {{
        emit!($self, $instruction $(Rx($register)),+, [rip + 0]);
        $self.refer_to_number($number.to_bits());
    }};
}

/// Writes an instruction whose last operand is a source.
macro_rules! on_source {
    ($self:ident, $source:expr, $instruction:ident $($register:expr),+) => {
        match $source {
            Source::Register(from) => emit!($self, $instruction $(Rx($register)),+, Rx(from)),
            Source::Word(word) => on_word!($self, word, $instruction $($register),+),
            Source::Number(number) => on_number!($self, number, $instruction $($register),+),
        }
    };
}

/// Writes an instruction that computes `to` from two operands: the one of AVX, or after a copy the
/// one of SSE.
macro_rules! binary {
    ($self:ident, $sse:ident $avx:ident $to:expr, $left:expr, $right:expr) => {
        if $self.has_avx {
            on_source!($self, $right, $avx $to, $left);
        } else {
            $self.copy_unless_same($to, $left);
            on_source!($self, $right, $sse $to);
        }
    };
}

/// The assembler. Its memory is used again for the next function.
pub(crate) struct Assembler {
    code: SimpleAssembler,
    /// The bits of the numbers that the code refers to.
    numbers: Vec<u64>,
    /// The end of each instruction that refers to something.
    references: Vec<(usize, Reference)>,
    /// The positions at which operations begin, if there is to be a layout.
    marks: Vec<(usize, OpIdx)>,
    has_roundings: bool,
    has_avx: bool,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new(is_x86_feature_detected!("sse4.1"), is_x86_feature_detected!("avx"))
    }
}

impl Assembler {
    /// An assembler for a processor with or without `roundsd`, an instruction of SSE4.1, and AVX.
    fn new(has_roundings: bool, has_avx: bool) -> Self {
        let (numbers, references, marks) = (Vec::new(), Vec::new(), Vec::new());
        Self { code: SimpleAssembler::new(), numbers, references, marks, has_roundings, has_avx }
    }

    fn copy_unless_same(&mut self, to: Register, from: Register) {
        if to != from {
            self.copy(to, from);
        }
    }

    /// Makes the instruction that was written last refer to a number.
    fn refer_to_number(&mut self, bits: u64) {
        let recent = self.numbers.len().saturating_sub(N_RECENT);
        let found = self.numbers[recent..].iter().position(|&known| known == bits);
        let index = match found {
            Some(at) => recent + at,
            None => {
                self.numbers.push(bits);
                self.numbers.len() - 1
            }
        };
        self.references.push((self.code.ops.len(), Reference::Number(index)));
    }

    /// Sets the displacement that ends at offset `end`.
    fn set_displacement(&mut self, end: usize, target: usize) {
        let displacement = (target as i64 - end as i64) as i32;
        self.code.ops[end - DISPLACEMENT_BYTES..end].copy_from_slice(&displacement.to_le_bytes());
    }

    /// Sets the size of the frame in the instruction that frees it and ends at offset `end`.
    fn set_frame_size(&mut self, end: usize, bytes: usize) {
        if bytes == 0 {
            self.code.ops[end - LONG_NOP.len()..end].copy_from_slice(&LONG_NOP);
        } else {
            self.code.ops[end - size_of::<i32>()..end].copy_from_slice(&(bytes as i32).to_le_bytes());
        }
    }

    /// The jump that was written last.
    fn last_jump(&self) -> Jump {
        Jump(self.code.ops.len())
    }

    /// Writes the code for a tripped entry counter, which continues at `restart`.
    fn trip_entry(&mut self, entry: &Entry<'_>, counters: &Counters, restart: usize) {
        self.report_entry(counters);
        match (entry.has_tail_call, entry.is_debugged) {
            (true, false) => emit!(self, test rax, rax ; jz BYTE 2 ; jmp rax),
            (true, true) => {
                emit!(self, test rax, rax ; jz BYTE 3 ; pop rbp);
                self.references.push((self.code.ops.len(), Reference::Left));
                emit!(self, jmp rax);
            }
            (false, _) => {}
        }
        let back = self.jump();
        self.set_target(back, Label(restart));
    }

    /// The size of the entry counter's code.
    const COUNTER_BYTES: usize = 19;
    /// The size of the instructions that make the frame pointer.
    const FRAME_POINTER_BYTES: usize = 4;
}

/// The offset of a word of the frame from the stack pointer.
fn in_frame(word: Word) -> i32 {
    let Word::Frame(offset) = word else { unreachable!("it is a double that a caller passes") };
    offset
}

/// The entry's instructions: from the counter, if there is one, to the body.
fn entry_code(entry: &Entry<'_>) -> SimpleAssembler {
    let mut code = SimpleAssembler::new();
    if entry.is_debugged {
        dynasm!(code ; .arch x64 ; push rbp ; mov rbp, rsp);
        debug_assert_eq!(code.ops.len(), Assembler::FRAME_POINTER_BYTES, "`finish` relies on it");
    }
    if let Some(counters) = entry.counters {
        let (counter, before) = (counters.entry() as i64, code.ops.len());
        dynasm!(code ; .arch x64 ; mov rax, QWORD counter ; dec QWORD [rax] ; jle DWORD 0);
        debug_assert_eq!(code.ops.len() - before, Assembler::COUNTER_BYTES, "`finish` relies on it");
    }
    if !entry.is_debugged {
        dynasm!(code ; .arch x64 ; push rbp ; mov rbp, rsp);
    }
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
        dynasm!(code ; .arch x64 ; mov DWORD [rsp + in_frame(word)], counters.tail_calls as i32);
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
        self.marks.clear();
    }

    fn here(&self) -> Label {
        Label(self.code.ops.len())
    }

    fn rewind(&mut self, to: Label) {
        self.code.ops.truncate(to.0);
        while self.references.last().is_some_and(|(end, _)| *end > to.0) {
            self.references.pop();
        }
        for (mark, _) in self.marks.iter_mut().rev().take_while(|(mark, _)| *mark > to.0) {
            *mark = to.0;
        }
    }

    fn cut(&mut self, from: Label) -> Piece {
        let bytes = self.code.ops.split_off(from.0);
        let first = self.references.partition_point(|(end, _)| *end <= from.0);
        let references = self.references.drain(first..).map(|(end, index)| (end - from.0, index));
        let references = references.collect();
        let mut marks = Vec::new();
        if !self.marks.is_empty() {
            let first = self.marks.partition_point(|(mark, _)| *mark < from.0);
            marks.extend(self.marks.drain(first..).map(|(mark, op)| (mark - from.0, op)));
        }
        Piece { bytes, references, marks }
    }

    fn paste(&mut self, piece: &Piece) {
        let here = self.code.ops.len();
        self.references.extend(piece.references.iter().map(|(end, index)| (here + end, *index)));
        self.marks.extend(piece.marks.iter().map(|(mark, op)| (here + mark, *op)));
        self.code.ops.extend_from_slice(&piece.bytes);
    }

    fn mark(&mut self, op: OpIdx) {
        self.marks.push((self.code.ops.len(), op));
    }

    fn no_operation(&mut self) {
        emit!(self, nop);
    }

    fn copy(&mut self, to: Register, from: Register) {
        if self.has_avx {
            emit!(self, vmovapd Rx(to), Rx(from));
        } else {
            emit!(self, movapd Rx(to), Rx(from));
        }
    }

    fn load(&mut self, to: Register, from: Word) {
        if self.has_avx {
            on_word!(self, from, vmovsd to);
        } else {
            on_word!(self, from, movsd to);
        }
    }

    fn number(&mut self, to: Register, number: f64) {
        match (number.to_bits(), self.has_avx) {
            (0, true) => emit!(self, vxorpd Rx(to), Rx(to), Rx(to)),
            (0, false) => emit!(self, xorpd Rx(to), Rx(to)),
            (_, true) => on_number!(self, number, vmovsd to),
            (_, false) => on_number!(self, number, movsd to),
        }
    }

    fn store(&mut self, to: Word, from: Register) {
        if self.has_avx {
            to_word!(self, to, vmovsd from);
        } else {
            to_word!(self, to, movsd from);
        }
    }

    fn store_argument(&mut self, number: usize, from: Register) {
        let offset = 8 * number as i32;
        if self.has_avx {
            emit!(self, vmovsd[rsp + offset], Rx(from));
        } else {
            emit!(self, movsd[rsp + offset], Rx(from));
        }
    }

    fn stack_param(number: usize) -> Word {
        // Behind the caller's frame pointer and the return address.
        Word::Param(16 + 8 * number as i32)
    }

    fn load_from(&mut self, to: Register, address: usize) {
        emit!(self, mov rax, QWORD address as i64);
        if self.has_avx {
            emit!(self, vmovsd Rx(to), [rax]);
        } else {
            emit!(self, movsd Rx(to), [rax]);
        }
    }

    fn store_to(&mut self, address: usize, from: Register) {
        emit!(self, mov rax, QWORD address as i64);
        if self.has_avx {
            emit!(self, vmovsd[rax], Rx(from));
        } else {
            emit!(self, movsd[rax], Rx(from));
        }
    }

    fn check_index(&mut self, index: Register, len: usize) -> Jump {
        // The conversion gives the smallest integer for NaN and for what is too large. As an
        // unsigned integer that is a large one, and so is a negative index.
        if self.has_avx {
            emit!(self, vcvttsd2si rax, Rx(index));
        } else {
            emit!(self, cvttsd2si rax, Rx(index));
        }
        match i32::try_from(len) {
            Ok(len) => emit!(self, cmp rax, len),
            Err(_) => emit!(self, mov rcx, QWORD len as i64 ; cmp rax, rcx),
        }
        emit!(self, jae DWORD 0);
        self.last_jump()
    }

    fn load_element(&mut self, to: Register, array: usize) {
        emit!(self, mov rcx, QWORD array as i64);
        if self.has_avx {
            emit!(self, vmovsd Rx(to), [rcx + rax * 8]);
        } else {
            emit!(self, movsd Rx(to), [rcx + rax * 8]);
        }
    }

    fn store_element(&mut self, array: usize, from: Register) {
        emit!(self, mov rcx, QWORD array as i64);
        if self.has_avx {
            emit!(self, vmovsd[rcx + rax * 8], Rx(from));
        } else {
            emit!(self, movsd[rcx + rax * 8], Rx(from));
        }
    }

    fn arithmetic(&mut self, operator: Operator, to: Register, left: Register, right: Source) {
        match operator {
            Operator::Add => binary!(self, addsd vaddsd to, left, right),
            Operator::Subtract => binary!(self, subsd vsubsd to, left, right),
            Operator::Multiply => binary!(self, mulsd vmulsd to, left, right),
            Operator::Divide => binary!(self, divsd vdivsd to, left, right),
        }
    }

    fn keeps_operands(&self) -> bool {
        self.has_avx
    }

    fn unary(&mut self, operator: UnaryOperator, to: Register, from: Register) {
        // With SSE, the result would wait for the old value of `to`, of which a half remains.
        if !self.has_avx {
            self.copy_unless_same(to, from);
        }
        let mode: i8 = match (operator, self.has_avx) {
            (UnaryOperator::Sqrt, true) => return emit!(self, vsqrtsd Rx(to), Rx(from), Rx(from)),
            (UnaryOperator::Sqrt, false) => return emit!(self, sqrtsd Rx(to), Rx(to)),
            (UnaryOperator::Fabs, true) => {
                return emit!(self, vpsllq Rx(to), Rx(from), 1 ; vpsrlq Rx(to), Rx(to), 1);
            }
            (UnaryOperator::Fabs, false) => return emit!(self, psllq Rx(to), 1 ; psrlq Rx(to), 1),
            (UnaryOperator::Rint, _) => 4,
            (UnaryOperator::Floor, _) => 9,
            (UnaryOperator::Ceil, _) => 10,
            (UnaryOperator::Trunc, _) => 11,
        };
        if self.has_avx {
            emit!(self, vroundsd Rx(to), Rx(from), Rx(from), mode);
        } else {
            emit!(self, roundsd Rx(to), Rx(to), mode);
        }
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
        let mask = Self::SCRATCH;
        if let Source::Word(_) | Source::Number(_) = left {
            left.move_to(mask, self);
        }
        let left = if let Source::Register(left) = left { left } else { mask };
        binary!(self, cmpnlesd vcmpnlesd to, to, Source::Register(left));
        self.number(mask, 1.0);
        binary!(self, andpd vandpd to, to, Source::Register(mask));
    }

    fn compare(&mut self, left: Register, right: Source) {
        if self.has_avx {
            on_source!(self, right, vucomisd left);
        } else {
            on_source!(self, right, ucomisd left);
        }
    }

    fn test(&mut self, number: Register) {
        // A NaN compares as equal.
        self.number(Self::SCRATCH, 0.0);
        self.compare(number, Source::Register(Self::SCRATCH));
    }

    fn test_byte(&mut self, address: usize) {
        emit!(self, mov rax, QWORD address as i64 ; cmp BYTE [rax], 0);
    }

    fn test_word(&mut self, word: Word) {
        emit!(self, cmp QWORD [rsp + in_frame(word)], 0);
    }

    fn count_down(&mut self, address: usize) {
        emit!(self, mov rax, QWORD address as i64 ; dec QWORD [rax]);
    }

    fn count_down_word(&mut self, word: Word) {
        emit!(self, dec DWORD [rsp + in_frame(word)]);
    }

    fn store_integer(&mut self, to: Word, integer: u32) {
        emit!(self, mov DWORD [rsp + in_frame(to)], integer as i32);
    }

    fn jump(&mut self) -> Jump {
        emit!(self, jmp DWORD 0);
        self.last_jump()
    }

    fn jump_if(&mut self, condition: Condition) -> Jump {
        match condition {
            Condition::Less => emit!(self, jb DWORD 0),
            Condition::NotZero => emit!(self, jne DWORD 0),
            Condition::Positive => emit!(self, jg DWORD 0),
        }
        self.last_jump()
    }

    fn jump_unless(&mut self, condition: Condition) -> Jump {
        match condition {
            Condition::Less => emit!(self, jae DWORD 0),
            Condition::NotZero => emit!(self, je DWORD 0),
            Condition::Positive => emit!(self, jle DWORD 0),
        }
        self.last_jump()
    }

    fn invert(&mut self, jump: Jump) {
        // The last bit of the operation code, in front of the displacement.
        self.code.ops[jump.0 - DISPLACEMENT_BYTES - 1] ^= 1;
    }

    fn set_target(&mut self, jump: Jump, target: Label) {
        self.set_displacement(jump.0, target.0);
    }

    fn call_slot(&mut self, slot: usize) {
        emit!(self, mov rax, QWORD slot as i64 ; call QWORD [rax]);
    }

    fn call(&mut self, code: usize) {
        emit!(self, mov rax, QWORD code as i64 ; call rax);
    }

    fn call_for_good(&mut self, code: usize) {
        self.call(code);
        emit!(self, ud2);
    }

    fn call_trip_thunk(&mut self, thunk: usize, trip: u64, osr_entry: usize, buffer: Word) {
        emit!(self,
            mov rdi, QWORD trip as i64
            ; mov rsi, QWORD osr_entry as i64
            ; lea rdx, [rsp + in_frame(buffer)]
        );
        self.call(thunk);
    }

    fn call_slot_thunk(&mut self, thunk: usize, slot: usize, word: Word) {
        emit!(self, mov rdi, QWORD slot as i64 ; lea rsi, [rsp + in_frame(word)]);
        self.call(thunk);
    }

    fn report_entry(&mut self, counters: &Counters) {
        emit!(self, mov edi, counters.code_number as i32);
        self.call(counters.entry_thunk);
    }

    fn leave_for_answer(&mut self) {
        emit!(self, test rax, rax ; jz DWORD 0);
        let stay = self.last_jump();
        emit!(self, mov rsp, rbp ; pop rbp);
        self.references.push((self.code.ops.len(), Reference::Left));
        emit!(self, jmp rax);
        let here = self.here();
        self.set_target(stay, here);
    }

    fn end(&mut self) {
        // Not from the frame pointer, which is known late behind a call.
        emit!(self, add rsp, DWORD 0);
        self.references.push((self.code.ops.len(), Reference::FrameSize));
        emit!(self, pop rbp ; ret);
    }

    fn finish(&mut self, entry: &Entry<'_>) -> MachineCode {
        let first = entry_code(entry).ops;
        let start = MAX_ENTRY - first.len();
        self.code.ops[start..MAX_ENTRY].copy_from_slice(&first);
        let tripped = self.code.ops.len();
        if let Some(counters) = entry.counters {
            let counter = if entry.is_debugged { start + Self::FRAME_POINTER_BYTES } else { start };
            let restart = counter + Self::COUNTER_BYTES;
            self.set_displacement(restart, tripped);
            self.trip_entry(entry, counters, restart);
        }
        let end = self.code.ops.len();
        let numbers = self.code.ops.len().next_multiple_of(8);
        self.code.ops.resize(numbers, FILLER);
        for &bits in &self.numbers {
            self.code.push_u64(bits);
        }
        for at in 0..self.references.len() {
            match self.references[at] {
                (end, Reference::Number(index)) => self.set_displacement(end, numbers + 8 * index),
                (end, Reference::FrameSize) => self.set_frame_size(end, entry.frame_bytes),
                (_, Reference::Left) => {}
            }
        }
        let unused = start / ALIGN * ALIGN;
        let bytes = self.code.ops[unused..].to_vec();
        let layout = entry.is_debugged.then(|| Box::new(self.layout(start, tripped, end).moved_back(unused)));
        MachineCode { bytes, entry: start - unused, align: ALIGN, layout }
    }
}

mod layout;
#[cfg(test)]
mod tests;
