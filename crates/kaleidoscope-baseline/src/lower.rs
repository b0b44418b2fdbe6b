//! Lowering: IR to machine code, in one walk over the operations.
//!
//! Each value has a place: a register or a word of the frame. The operand stack is a list of
//! places, so most operations that only move values (`Number`, `Get`, `Set`, `Drop`) write no
//! instruction. An instruction is written when an operation computes something.
//!
//! - A **variable** is in a register, in its home, or in both. `Get` pushes a *deferred* operand:
//!   the variable is read when the operand is used. A register is free again once its variable is
//!   read for the last time.
//! - A **call** changes all registers. So what is still needed is stored before it, once.
//! - Where control flow **joins**, the second branch moves its values to where the first one left
//!   them (`control.rs`).
//! - A **loop** that calls nothing keeps its variables in registers. In a loop with calls they are
//!   in their homes at the header.
//! - **Comparisons** become part of the branch behind them.
//!
//! `places.rs` moves values between registers and memory. Code that hardly ever runs is written
//! behind the function (`cold.rs`).

mod call;
mod cold;
mod control;
mod count;
mod debugged;
mod element;
mod frame;
mod moves;
mod places;
mod registers;
mod scan;

pub(crate) use call::Maths;
pub(crate) use registers::MAX_REGISTERS;

use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::walk::{BackEdge, Emitter, Join, Region, walk};
use kaleidoscope_ir::{
    Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, MathsFunction, OpIdx,
};

use crate::Counters;
use crate::assembler::{Condition, Entry, Label, MacroAssembler, Operator, Register, Source, Word};
use crate::machine_code::MachineCode;
use cold::Cold;
use control::{OpenIf, OpenLoop};
use frame::Frame;
use registers::Registers;

/// What lowering is asked for, besides the unit.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) counters: Option<&'a Counters>,
    /// The address of the slot thunk, if the unit wants it.
    pub(crate) slot_thunk: Option<usize>,
    pub(crate) maths: &'a Maths,
    /// The number of registers for doubles that the code may use.
    pub(crate) n_registers: usize,
    /// Whether the code is for a debugger: it stores each variable in its home when it is assigned,
    /// and its layout is wanted.
    pub(crate) is_debugged: bool,
}

/// Lowers the unit's function.
pub(crate) fn lower<A: MacroAssembler>(
    assembler: &mut A,
    unit: &Unit,
    settings: &Settings<'_>,
    buffers: &mut Buffers,
) -> MachineCode {
    assembler.begin();
    buffers.begin(unit, settings.maths);
    if settings.is_debugged {
        buffers.keep_variables();
    }
    let mut lowering = Lowering::new(assembler, unit, settings, std::mem::take(buffers));
    lowering.begin();
    lowering.store_params();
    if walk(&unit.function, &mut lowering) {
        lowering.return_value();
    }
    let (code, used) = lowering.finish();
    *buffers = used;
    code
}

/// Memory that is used from one function to the next.
#[derive(Default)]
pub(crate) struct Buffers {
    variables: Vec<Variable>,
    /// The variables that are set, in the order in which they were set, without parameters.
    set: Vec<Local>,
    stack: Vec<Operand>,
    /// For each position of the operand stack, its word of the frame, once it has one.
    words: Vec<Option<Word>>,
    /// The positions of deferred operands whose variables may be assigned.
    deferred: Vec<usize>,
    /// For each loop, whether an iteration may call.
    loops_that_call: Vec<bool>,
    /// The arguments of a call.
    arguments: Vec<Popped>,
    /// The most arguments of a call.
    n_arguments: usize,
    /// Each with the operation that it belongs to.
    cold: Vec<(OpIdx, Cold)>,
}

/// The most variables and operands for which a buffer is kept.
const MAX_KEPT: usize = 4096;

impl Buffers {
    /// Prepares the buffers for a function.
    fn begin(&mut self, unit: &Unit, maths: &Maths) {
        if self.variables.capacity().max(self.words.capacity()) > MAX_KEPT {
            *self = Self::default();
        }
        self.set.clear();
        self.stack.clear();
        self.words.clear();
        // A comparison that is not written yet has one operand more than its result.
        self.words.resize(unit.function.max_stack as usize + 1, None);
        self.deferred.clear();
        self.cold.clear();
        self.n_arguments = scan::scan(unit, maths, &mut self.variables, &mut self.loops_that_call);
    }
}

/// The place of a value on the operand stack.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operand {
    Number(f64),
    /// The value that the variable has until it is assigned.
    Variable(Local),
    Register(Register),
    /// The word that belongs to this position of the operand stack.
    Word,
}

/// A value that was popped.
#[derive(Clone, Copy, Debug)]
struct Popped {
    source: Source,
    /// Whether nothing else needs the value, so that the register may be changed.
    is_temporary: bool,
    /// The variable, if it is one's value that is in its home only.
    in_home: Option<Local>,
}

/// What lowering knows about a variable.
#[derive(Clone, Copy, Debug, Default)]
struct Variable {
    register: Option<Register>,
    home: Option<Word>,
    /// How many operations read it that are still to come.
    n_reads: u32,
    /// How many deferred operands read it.
    n_deferred: u32,
    /// How many loops are around the operation that set it first.
    loop_depth: u32,
    is_set: bool,
    /// Whether any operation assigns it.
    is_assigned: bool,
}

/// The instruction that was written last, if it computed an operand.
#[derive(Clone, Copy, Debug)]
struct Computed {
    start: Label,
    end: Label,
    to: Register,
    operator: Operator,
    left: Register,
    right: Source,
}

struct Lowering<'a, A> {
    assembler: &'a mut A,
    unit: &'a Unit,
    counters: Option<&'a Counters>,
    slot_thunk: Option<usize>,
    maths: &'a Maths,
    /// The registers that the code may use, one bit each.
    all_registers: u32,
    frame: Frame,
    registers: Registers,
    /// The registers that the current operation reads, which must not be changed before that.
    pinned: u32,
    buffers: Buffers,
    /// How many of these are from before the innermost open bracket. They stay as they are.
    n_deferred_outside: usize,
    /// Whether the two top operands are those of a comparison that is not written yet.
    is_comparing: bool,
    computed: Option<Computed>,
    n_loops: usize,
    n_brackets: usize,
    loop_depth: u32,
    /// For each open bracket, whether it is an `if` behind which the function ends.
    is_behind_last: Vec<bool>,
    /// Whether all ways to the current position have returned: code here would not run.
    has_returned: bool,
    /// The word that counts tail calls.
    tail_calls: Option<Word>,
    /// Where the code of the last jump to the start begins.
    last_jump_to_start: Label,
    /// The beginning of the body, to which tail calls jump, and the registers there.
    start: (Label, Registers),
    /// The word by which the slot thunk is called.
    thunk_word: Option<Word>,
    /// Whether the code may have become invalid since it was entered: something was called, or code
    /// is repeated. New calls do not enter invalid code.
    may_be_invalid: bool,
    is_debugged: bool,
    /// The current operation, in code for a debugger.
    at: OpIdx,
}

impl<'a, A: MacroAssembler> Lowering<'a, A> {
    fn new(assembler: &'a mut A, unit: &'a Unit, settings: &Settings<'a>, buffers: Buffers) -> Self {
        let Settings { counters, slot_thunk, maths, n_registers, is_debugged } = *settings;
        let function = &*unit.function;
        let has_buffer = counters.is_some() && function.n_loops() > 0;
        Self {
            unit,
            counters,
            slot_thunk,
            maths,
            all_registers: (1 << n_registers) - 1,
            frame: Frame::new(
                buffers.n_arguments.saturating_sub(A::N_REGISTER_PARAMS),
                has_buffer.then_some(function.locals.len()),
            ),
            registers: Registers::EMPTY,
            pinned: 0,
            buffers,
            n_deferred_outside: 0,
            is_comparing: false,
            computed: None,
            n_loops: 0,
            n_brackets: 0,
            loop_depth: 0,
            is_behind_last: Vec::new(),
            has_returned: false,
            tail_calls: None,
            last_jump_to_start: assembler.here(),
            start: (assembler.here(), Registers::EMPTY),
            thunk_word: None,
            may_be_invalid: function.facts().has_tail_call,
            is_debugged,
            at: OpIdx::new(0),
            assembler,
        }
    }

    /// Assigns the parameters.
    fn begin(&mut self) {
        for index in 0..self.unit.function.n_params {
            let (param, nth) = (Local::new(index), index as usize);
            self.buffers.variables[nth].is_set = true;
            if nth < A::N_REGISTER_PARAMS {
                if !self.is_dead(param) {
                    self.set_register(param, Register(nth as u8));
                    self.registers.set_dirty(Register(nth as u8));
                }
                continue;
            }
            let word = A::stack_param(nth - A::N_REGISTER_PARAMS);
            if self.frame.has_buffer() {
                let home = self.home(param);
                self.assembler.load(A::SCRATCH, word);
                self.assembler.store(home, A::SCRATCH);
            } else {
                self.buffers.variables[nth].home = Some(word);
            }
        }
        self.begin_tail_calls();
    }

    fn finish(mut self) -> (MachineCode, Buffers) {
        // Cold code may have cold code itself.
        while !self.buffers.cold.is_empty() {
            for (at, cold) in std::mem::take(&mut self.buffers.cold) {
                self.emit_cold(at, &cold);
            }
        }
        let function = &*self.unit.function;
        let mut code = self.assembler.finish(&Entry {
            frame_bytes: self.frame.bytes(),
            counters: self.counters,
            tail_calls: self.tail_calls,
            has_tail_call: function.facts().has_tail_call,
            is_debugged: self.is_debugged,
        });
        if let Some(layout) = &mut code.layout {
            layout.homes = self.offsets_of_homes();
        }
        (code, self.buffers)
    }

    /// Writes the comparison whose operands are on the stack, unless it has become part of a
    /// branch.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_comparing) {
            return;
        }
        let right = self.pop();
        let left = self.pop();
        let to = self.own_register(right);
        self.assembler.less(to, left.source);
        self.unpin();
        self.push_register(to);
    }

    /// Pops a condition, and sets the flags for it.
    fn condition(&mut self) -> Condition {
        let condition = if std::mem::take(&mut self.is_comparing) {
            let right = self.pop();
            let left = self.pop();
            let left = self.in_register(left);
            self.assembler.compare(left, right.source);
            Condition::Less
        } else {
            let value = self.pop();
            let register = self.in_register(value);
            self.assembler.test(register);
            Condition::NotZero
        };
        self.unpin();
        condition
    }

    fn operate(&mut self, operator: Operator) {
        let right = self.pop();
        let left = self.pop();
        self.compute(operator, left, right.source);
    }

    /// Computes from two operands, and pushes the result.
    fn compute(&mut self, operator: Operator, left: Popped, right: Source) {
        let (to, left) = match left.source {
            Source::Register(register) if left.is_temporary => (register, register),
            Source::Register(register) => (self.allocate(), register),
            Source::Word(_) | Source::Number(_) => {
                let register = self.own_register(left);
                (register, register)
            }
        };
        let start = self.assembler.here();
        self.assembler.arithmetic(operator, to, left, right);
        let end = self.assembler.here();
        self.computed = Some(Computed { start, end, to, operator, left, right });
        self.unpin();
        self.push_register(to);
    }

    /// Lets the instruction that was written last compute its result in another register, if that
    /// was the register `from`. Nothing needs the old value of `to` but the instruction itself.
    /// Returns whether it does.
    fn retarget(&mut self, from: Register, to: Register) -> bool {
        let Some(Computed { start, end, to: computed, operator, left, right }) = self.computed else {
            return false;
        };
        let overwrites_right =
            right == Source::Register(to) && left != to && !self.assembler.keeps_operands();
        if end != self.assembler.here() || computed != from || overwrites_right {
            return false;
        }
        self.computed = None;
        self.assembler.rewind(start);
        self.assembler.arithmetic(operator, to, left, right);
        true
    }

    /// Notes that a variable is set.
    fn note_set(&mut self, variable: Local) {
        let known = &mut self.buffers.variables[variable.index()];
        if !known.is_set {
            known.is_set = true;
            known.loop_depth = self.loop_depth;
            self.buffers.set.push(variable);
        }
    }
}

impl<'a, A: MacroAssembler> Emitter<'a> for Lowering<'a, A> {
    type If = OpenIf;
    type Loop = OpenLoop;

    #[inline]
    fn begin_op(&mut self, at: OpIdx) {
        if self.is_debugged {
            self.begin_debugged_op(at);
        }
    }

    fn number(&mut self, number: f64) {
        self.settle();
        self.buffers.stack.push(Operand::Number(number));
    }

    fn get(&mut self, variable: Local) {
        self.settle();
        self.buffers.variables[variable.index()].n_reads -= 1;
        self.push_variable(variable);
    }

    fn set(&mut self, variable: Local) {
        self.settle();
        self.note_set(variable);
        let top = self.buffers.stack.len() - 1;
        if self.buffers.stack[top] == Operand::Variable(variable) {
            return;
        }
        let is_read = {
            let known = &self.buffers.variables[variable.index()];
            known.n_reads > 0 || known.loop_depth != self.loop_depth
        };
        self.save_deferred(variable);
        if !is_read {
            // The value stays where it is.
            if let Some(register) = self.buffers.variables[variable.index()].register.take() {
                self.registers.free(register);
            }
            return;
        }
        // So the variable stays in its register from one iteration of a loop to the next.
        if let Operand::Register(register) = self.buffers.stack[top]
            && let Some(to) = self.buffers.variables[variable.index()].register
            && self.retarget(register, to)
        {
            self.registers.free(register);
            self.registers.set_dirty(to);
            self.buffers.stack.pop();
            self.store_assigned(variable);
            self.push_variable(variable);
            return;
        }
        let value = self.pop();
        let old = self.buffers.variables[variable.index()].register.take();
        if let Some(old) = old {
            self.registers.free(old);
        }
        let register = match (value, old) {
            (Popped { source: Source::Register(register), is_temporary: true, .. }, _) => register,
            (_, Some(old)) => {
                value.source.move_to(old, self.assembler);
                old
            }
            (_, None) => self.own_register(value),
        };
        self.unpin();
        self.set_register(variable, register);
        self.registers.set_dirty(register);
        self.store_assigned(variable);
        self.push_variable(variable);
    }

    fn get_host(&mut self, variable: HostVariable) {
        self.settle();
        let register = self.allocate();
        self.assembler.load_from(register, self.unit.host_variable(variable).address);
        self.push_register(register);
    }

    fn set_host(&mut self, variable: HostVariable) {
        self.settle();
        let value = self.pop();
        let register = self.in_register(value);
        self.assembler.store_to(self.unit.host_variable(variable).address, register);
        self.push_stored(value, register);
    }

    fn get_element(&mut self, _: OpIdx, array: HostArray) {
        self.settle();
        self.load_element(array);
    }

    fn set_element(&mut self, _: OpIdx, array: HostArray) {
        self.settle();
        self.store_element(array);
    }

    fn drop_value(&mut self) {
        if std::mem::take(&mut self.is_comparing) {
            self.pop();
        }
        self.pop();
        self.unpin();
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        self.settle();
        // The processor's arithmetic is exact to the bit, so it does not matter when it is done.
        if arithmetic != Arithmetic::Power
            && let Some(constants) = self.constants(2)
            && let &[left, right] = constants.as_slice()
        {
            let result = arithmetic.apply(left, right, |_, _| unreachable!("no power"));
            self.replace_constants(constants, result);
            return;
        }
        match arithmetic {
            Arithmetic::Add => self.operate(Operator::Add),
            Arithmetic::Subtract => self.operate(Operator::Subtract),
            Arithmetic::Multiply => self.operate(Operator::Multiply),
            Arithmetic::Divide => self.operate(Operator::Divide),
            Arithmetic::Power => self.call_library(MathsFunction::Pow),
            Arithmetic::Less => self.is_comparing = true,
        }
    }

    fn square(&mut self) {
        self.settle();
        if let Some(constants) = self.constants(1)
            && let &[x] = constants.as_slice()
        {
            self.replace_constants(constants, x * x);
            return;
        }
        let value = self.pop();
        let right = match value.source {
            Source::Register(_) => value,
            Source::Word(_) | Source::Number(_) => {
                let register = self.own_register(value);
                Popped { source: Source::Register(register), is_temporary: true, in_home: None }
            }
        };
        self.compute(Operator::Multiply, right, right.source);
    }

    fn call(&mut self, _: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'a Function> {
        self.settle();
        self.call_target(self.unit.call_target(callee), n_args);
        None
    }

    fn end_inlinee(&mut self, _: bool) {
        unreachable!("the baseline compiler inlines nothing")
    }

    fn tail_call(&mut self) {
        self.settle();
        self.lower_tail_call();
    }

    fn begin_if(&mut self, region: Region<'a>) -> OpenIf {
        self.open_if(region)
    }

    fn begin_else(&mut self, open: &mut OpenIf, region: Region<'a>, is_reachable: bool) {
        self.end_first_branch(open, region, is_reachable);
    }

    fn end_if(&mut self, open: OpenIf, _: Region<'a>, join: Join) {
        self.join(&open, join);
    }

    fn begin_loop(&mut self, region: Region<'a>) -> OpenLoop {
        self.settle();
        self.open_loop(region)
    }

    fn end_loop(&mut self, open: OpenLoop, region: Region<'a>, back_edge: BackEdge<'_>) {
        self.close_loop(&open, region, &back_edge);
    }
}
