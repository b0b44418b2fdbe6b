//! The macro assembler: what lowering asks of a processor architecture.
//!
//! Lowering decides which value is in which register and which word of the frame. A macro assembler
//! turns each decision into instructions. The model is the one of Winch, Wasmtime's baseline
//! compiler.

use kaleidoscope_ir::OpIdx;

use crate::counters::Counters;
use crate::machine_code::MachineCode;

/// A register for one double, by its number. The C ABI passes the first arguments in the registers
/// from 0 on, and returns the result in register 0. A call may change all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Register(pub(crate) u8);

impl From<Register> for u8 {
    fn from(Register(number): Register) -> Self {
        number
    }
}

/// A word of memory that belongs to an activation, by its offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A word of the frame, from the stack pointer. The frame pointer would do as well, but behind
    /// a call it is known later: the callee has just loaded it.
    Frame(i32),
    /// A parameter that the C ABI passes on the stack, from the frame pointer.
    Param(i32),
}

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    Register(Register),
    Word(Word),
    Number(f64),
}

/// An instruction with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// An instruction with one operand: a maths function whose result is exact by definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Sqrt,
    Fabs,
    Floor,
    Ceil,
    Trunc,
    Rint,
}

impl UnaryOperator {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Sqrt, Self::Fabs, Self::Floor, Self::Ceil, Self::Trunc, Self::Rint];
}

/// A condition on the processor's flags. Instructions that move doubles or compute with them leave
/// the flags as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// [`MacroAssembler::compare`] found the left operand less, or the operands unordered.
    Less,
    /// [`MacroAssembler::test`] found a number that is neither 0 nor NaN, or
    /// [`MacroAssembler::test_byte`] or [`MacroAssembler::test_word`] found bits that are not 0.
    NotZero,
    /// [`MacroAssembler::count_down`] or [`MacroAssembler::count_down_word`] left more than 0.
    Positive,
}

/// A jump whose target is not known yet.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Jump(pub(crate) usize);

/// A position in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) usize);

/// Code that was taken out of its place.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// The instructions that refer to something, by the end of each.
    pub(crate) references: Vec<(usize, Reference)>,
    /// The operations that were marked.
    pub(crate) marks: Vec<(usize, OpIdx)>,
}

/// What an instruction refers to before its place or its value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A number, by its index.
    Number(usize),
    /// The size of the frame.
    FrameSize,
    /// Nothing: behind the instruction the frame is gone, and a jump leaves the function.
    Left,
}

/// What the code in front of a function's body needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The size of the frame in bytes, a multiple of 16. It is above the stack pointer and below
    /// the frame pointer.
    pub(crate) frame_bytes: usize,
    pub(crate) counters: Option<&'a Counters>,
    /// The word that counts the self tail calls until the next report, in counting code of a
    /// function with such calls. The entry sets it.
    pub(crate) tail_calls: Option<Word>,
    /// Whether the function calls itself in tail position.
    pub(crate) has_tail_call: bool,
    /// Whether the code is for a debugger: the frame comes first, and the layout is returned.
    pub(crate) is_debugged: bool,
}

/// Writes the instructions of one function after the other.
pub(crate) trait MacroAssembler {
    /// How many parameters the C ABI passes in registers.
    const N_REGISTER_PARAMS: usize;
    /// The registers that lowering may use: those from 0 on, at most
    /// [`MAX_REGISTERS`](crate::lower::MAX_REGISTERS).
    const N_REGISTERS: usize;
    /// One register more. Each method may change it, except [`load`](Self::load),
    /// [`store`](Self::store), [`store_argument`](Self::store_argument) and [`copy`](Self::copy).
    const SCRATCH: Register;

    /// Begins a function.
    fn begin(&mut self);

    /// The current position.
    fn here(&self) -> Label;
    /// Forgets the code from a position on, to which nothing refers.
    fn rewind(&mut self, to: Label);

    /// Takes the code from a position on out, to be written again at another position. It has no
    /// jumps, and nothing refers to it.
    fn cut(&mut self, from: Label) -> Piece;
    /// Writes code that was taken out.
    fn paste(&mut self, piece: &Piece);

    /// Marks the current position as the beginning of an operation, for the layout.
    fn mark(&mut self, op: OpIdx);
    /// An instruction that does nothing.
    fn no_operation(&mut self);

    /// Copies a register.
    fn copy(&mut self, to: Register, from: Register);
    /// Loads a word of the frame.
    fn load(&mut self, to: Register, from: Word);
    /// Loads a number.
    fn number(&mut self, to: Register, number: f64);
    /// Stores to a word of the frame.
    fn store(&mut self, to: Word, from: Register);
    /// Stores an argument that the C ABI passes on the stack. The first of them has number 0.
    fn store_argument(&mut self, number: usize, from: Register);
    /// The word with a parameter that the C ABI passes on the stack. The first of them has number
    /// 0.
    fn stack_param(number: usize) -> Word;
    /// Loads the double at an address, by one instruction.
    fn load_from(&mut self, to: Register, address: usize);
    /// Stores a double to an address, by one instruction.
    fn store_to(&mut self, address: usize, from: Register);
    /// Truncates an index, and jumps if an array with this number of elements has no such element.
    /// The next instructions are those of [`load_element`](Self::load_element) or
    /// [`store_element`](Self::store_element).
    fn check_index(&mut self, index: Register, len: usize) -> Jump;
    /// Loads the element that was checked, of the array at an address, by one instruction.
    fn load_element(&mut self, to: Register, array: usize);
    /// Stores to the element that was checked, of the array at an address, by one instruction.
    fn store_element(&mut self, array: usize, from: Register);

    /// Computes `left ∘ right`. If `to` is the right operand, it is the left one too, or the
    /// processor [keeps operands](Self::keeps_operands).
    fn arithmetic(&mut self, operator: Operator, to: Register, left: Register, right: Source);
    /// Whether [`arithmetic`](Self::arithmetic) is one instruction for any three registers.
    fn keeps_operands(&self) -> bool;
    /// Computes `∘ from`.
    fn unary(&mut self, operator: UnaryOperator, to: Register, from: Register);
    /// Whether the processor has an instruction for the operator.
    fn has_unary(&self, operator: UnaryOperator) -> bool;
    /// Computes 1 if `left` is less than `to` or they are unordered, otherwise 0.
    fn less(&mut self, to: Register, left: Source);

    /// Compares for [`Condition::Less`].
    fn compare(&mut self, left: Register, right: Source);
    /// Tests a number for [`Condition::NotZero`].
    fn test(&mut self, number: Register);
    /// Tests the byte at an address.
    fn test_byte(&mut self, address: usize);
    /// Tests the bits of a word of the frame.
    fn test_word(&mut self, word: Word);
    /// Subtracts 1 from the integer at an address.
    fn count_down(&mut self, address: usize);
    /// Subtracts 1 from the integer in a word of the frame.
    fn count_down_word(&mut self, word: Word);
    /// Stores an integer to a word of the frame.
    fn store_integer(&mut self, to: Word, integer: u32);

    /// Jumps in any case.
    fn jump(&mut self) -> Jump;
    /// Jumps if the condition holds.
    fn jump_if(&mut self, condition: Condition) -> Jump;
    /// Jumps unless the condition holds.
    fn jump_unless(&mut self, condition: Condition) -> Jump;
    /// Makes a conditional jump jump when it would not have, and the other way round.
    fn invert(&mut self, jump: Jump);
    /// Sets the target of a jump.
    fn set_target(&mut self, jump: Jump, target: Label);

    /// Calls the code whose address is in the slot at this address. The slot is read by one load.
    fn call_slot(&mut self, slot: usize);
    /// Calls the code at this address.
    fn call(&mut self, code: usize);
    /// Calls the code at this address, which never returns.
    fn call_for_good(&mut self, code: usize);
    /// Calls the [trip thunk](crate::Compiler::trip_thunk) with its three arguments: what tripped,
    /// the address of the word with the OSR entry, and the address of the OSR buffer.
    fn call_trip_thunk(&mut self, thunk: usize, trip: u64, osr_entry: usize, buffer: Word);
    /// Calls the [slot thunk](crate::Compiler::slot_thunk) with its two arguments: the address of
    /// the slot, and that of the word with the argument and then the result.
    fn call_slot_thunk(&mut self, thunk: usize, slot: usize, word: Word);

    /// Reports, through the [entry thunk](crate::Compiler::entry_thunk), that an entry counter
    /// tripped. Preserves all registers for doubles.
    fn report_entry(&mut self, counters: &Counters);
    /// Frees the frame and jumps to the answer of the last [report](Self::report_entry), unless it
    /// is 0. In between there are only moves of doubles.
    fn leave_for_answer(&mut self);
    /// Frees the frame and returns register 0.
    fn end(&mut self);

    /// Ends a function: writes its entry in front of the body.
    fn finish(&mut self, entry: &Entry<'_>) -> MachineCode;
}

impl Source {
    /// Moves the operand to a register.
    pub(crate) fn move_to<A: MacroAssembler>(self, to: Register, assembler: &mut A) {
        match self {
            Self::Register(from) if from == to => {}
            Self::Register(from) => assembler.copy(to, from),
            Self::Word(from) => assembler.load(to, from),
            Self::Number(number) => assembler.number(to, number),
        }
    }
}
