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
//! Code that hardly ever runs is written behind the function (`cold.rs`).

mod call;
mod cold;
mod control;
mod count;
mod frame;
mod moves;
mod registers;
mod scan;

pub(crate) use call::Maths;
pub(crate) use registers::MAX_REGISTERS;

use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::walk::{BackEdge, Emitter, Join, Region, walk};
use kaleidoscope_ir::{Arithmetic, Function, FunctionId, HostVariable, Local, MathsFunction, OpIdx};

use crate::Counters;
use crate::assembler::{
    Condition, Entry, Label, MacroAssembler, Operator, Register, Source, Word,
};
use crate::compiler::MachineCode;
use cold::Cold;
use control::{OpenIf, OpenLoop};
use frame::Frame;
use registers::{Content, Registers, bit, registers};

/// What lowering is asked for, besides the unit.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) counters: Option<&'a Counters>,
    /// The address of the slot thunk, if the unit wants it.
    pub(crate) slot_thunk: Option<usize>,
    pub(crate) maths: &'a Maths,
    /// The number of registers for doubles that the code may use.
    pub(crate) n_registers: usize,
}

/// Lowers the unit's function.
pub(crate) fn lower<A: MacroAssembler>(
    assembler: &mut A,
    unit: &Unit,
    settings: &Settings<'_>,
) -> MachineCode {
    assembler.begin();
    let mut lowering = Lowering::new(assembler, unit, settings);
    lowering.begin();
    if walk(&unit.function, &mut lowering) {
        lowering.end();
    }
    lowering.finish()
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

/// An instruction that computed the top operand, as long as no other instruction follows.
#[derive(Clone, Copy, Debug)]
struct Computed {
    start: Label,
    end: Label,
    to: Register,
    /// The instruction's operator, its left operand if it is a variable's register, and its right
    /// operand.
    operator: Operator,
    left: Option<Register>,
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
    variables: Vec<Variable>,
    /// The variables that are set, in the order in which they were set; parameters are not included.
    set: Vec<Local>,
    stack: Vec<Operand>,
    /// For each position of the operand stack, its word of the frame, once it has one.
    words: Vec<Option<Word>>,
    /// The positions of deferred operands whose variables may be assigned.
    deferred: Vec<usize>,
    /// How many of these are from before the innermost open bracket. They stay as they are.
    n_deferred_outside: usize,
    /// Whether the two top operands are those of a comparison that is not written yet.
    is_comparing: bool,
    computed: Option<Computed>,
    /// For each loop, whether an iteration may call.
    loops_that_call: Vec<bool>,
    n_loops: usize,
    loop_depth: u32,
    /// The word that counts tail calls.
    tail_calls: Option<Word>,
    /// The beginning of the body, to which tail calls jump, and the registers there.
    start: (Label, Registers),
    /// The arguments of a call.
    arguments: Vec<Popped>,
    cold: Vec<Cold<'a>>,
    /// The word by which the slot thunk is called.
    thunk_word: Option<Word>,
    /// Whether the code may have become invalid since it was entered: something was called, or code
    /// is repeated. New calls do not enter invalid code.
    may_be_invalid: bool,
}

impl<'a, A: MacroAssembler> Lowering<'a, A> {
    fn new(assembler: &'a mut A, unit: &'a Unit, settings: &Settings<'a>) -> Self {
        let Settings { counters, slot_thunk, maths, n_registers } = *settings;
        let function = &*unit.function;
        let has_buffer = counters.is_some() && function.n_loops() > 0;
        let scan = scan::scan(unit, maths);
        Self {
            unit,
            counters,
            slot_thunk,
            maths,
            all_registers: (1 << n_registers) - 1,
            frame: Frame::new(has_buffer.then_some(function.locals.len())),
            registers: Registers::EMPTY,
            pinned: 0,
            variables: scan.variables,
            set: Vec::new(),
            stack: Vec::with_capacity(function.max_stack as usize + 1),
            words: vec![None; function.max_stack as usize + 1],
            deferred: Vec::new(),
            n_deferred_outside: 0,
            is_comparing: false,
            computed: None,
            loops_that_call: scan.loops_that_call,
            n_loops: 0,
            loop_depth: 0,
            tail_calls: None,
            start: (assembler.here(), Registers::EMPTY),
            arguments: Vec::new(),
            cold: Vec::new(),
            thunk_word: None,
            may_be_invalid: function.facts().has_tail_call,
            assembler,
        }
    }

    /// Assigns the parameters.
    fn begin(&mut self) {
        for index in 0..self.unit.function.n_params {
            let (param, nth) = (Local::new(index), index as usize);
            self.variables[nth].is_set = true;
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
                self.variables[nth].home = Some(word);
            }
        }
        self.begin_tail_calls();
    }

    /// Returns the top value.
    fn end(&mut self) {
        self.settle();
        let value = self.pop();
        value.source.move_to(Register(0), self.assembler);
        self.assembler.end();
    }

    fn finish(mut self) -> MachineCode {
        for cold in std::mem::take(&mut self.cold) {
            self.emit_cold(cold);
        }
        let function = &*self.unit.function;
        self.assembler.finish(&Entry {
            frame_bytes: self.frame.bytes(),
            n_params: function.n_params as usize,
            counters: self.counters,
            tail_calls: self.tail_calls,
            has_tail_call: function.facts().has_tail_call,
        })
    }

    /// A register that holds nothing, and that the current operation does not read.
    fn allocate(&mut self) -> Register {
        let free = self.all_registers & !self.registers.occupied() & !self.pinned;
        registers(free).next().unwrap_or_else(|| self.evict())
    }

    /// Empties a register: one whose value is in memory as well, if there is one.
    #[cold]
    fn evict(&mut self) -> Register {
        let unpinned = self.all_registers & !self.pinned;
        let is_variable = |register: &Register| {
            matches!(self.registers.content(*register), Content::Variable(_))
        };
        let victim = registers(self.registers.clean() & unpinned)
            .next()
            .or_else(|| registers(unpinned).find(is_variable))
            .or_else(|| registers(unpinned).next())
            .expect("an operation reads fewer values than there are registers");
        self.spill(victim);
        victim
    }

    /// Frees a register. Its value is in memory afterwards, if it is still needed.
    fn spill(&mut self, register: Register) {
        match self.registers.content(register) {
            Content::Variable(variable) => {
                if self.registers.is_dirty(register) && !self.is_dead(variable) {
                    let home = self.home(variable);
                    self.assembler.store(home, register);
                }
                self.variables[variable.index()].register = None;
            }
            Content::Operand(at) => {
                let word = self.word(at);
                self.assembler.store(word, register);
                self.stack[at] = Operand::Word;
            }
        }
        self.registers.free(register);
    }

    /// Frees all registers.
    fn spill_all(&mut self) {
        for register in registers(self.registers.occupied()) {
            self.spill(register);
        }
    }

    /// The variable's home.
    fn home(&mut self, variable: Local) -> Word {
        let frame = &mut self.frame;
        *self.variables[variable.index()].home.get_or_insert_with(|| {
            if frame.has_buffer() { frame.in_buffer(variable) } else { frame.allocate() }
        })
    }

    /// The word of a position of the operand stack.
    fn word(&mut self, at: usize) -> Word {
        *self.words[at].get_or_insert_with(|| self.frame.allocate())
    }

    /// Whether no operation will read the variable, nor a deferred operand. A variable from before
    /// a loop may be read in the next iteration.
    fn is_dead(&self, variable: Local) -> bool {
        let variable = &self.variables[variable.index()];
        variable.n_reads == 0 && variable.n_deferred == 0 && variable.loop_depth == self.loop_depth
    }

    /// Puts a variable, which is in no register, into one that is free.
    fn set_register(&mut self, variable: Local, register: Register) {
        self.registers.set(register, Content::Variable(variable));
        self.variables[variable.index()].register = Some(register);
    }

    fn push_register(&mut self, register: Register) {
        self.registers.set(register, Content::Operand(self.stack.len()));
        self.stack.push(Operand::Register(register));
    }

    fn push_variable(&mut self, variable: Local) {
        let known = &mut self.variables[variable.index()];
        known.n_deferred += 1;
        if known.is_assigned {
            self.deferred.push(self.stack.len());
        }
        self.stack.push(Operand::Variable(variable));
    }

    /// Pops a value. Its register stays pinned until [`unpin`](Self::unpin).
    fn pop(&mut self) -> Popped {
        let at = self.stack.len() - 1;
        let popped = match self.stack.pop().expect("each operation finds its operands") {
            Operand::Number(number) => {
                Popped { source: Source::Number(number), is_temporary: false, in_home: None }
            }
            Operand::Register(register) => {
                self.registers.free(register);
                Popped { source: Source::Register(register), is_temporary: true, in_home: None }
            }
            Operand::Word => {
                Popped { source: Source::Word(self.word(at)), is_temporary: false, in_home: None }
            }
            Operand::Variable(variable) => {
                if self.deferred.last() == Some(&at) {
                    self.deferred.pop();
                }
                self.variables[variable.index()].n_deferred -= 1;
                self.read(variable)
            }
        };
        if let Source::Register(register) = popped.source {
            self.pinned |= bit(register);
        }
        popped
    }

    /// The value of a variable. Frees its register if this is the last time that it is read.
    fn read(&mut self, variable: Local) -> Popped {
        let is_dead = self.is_dead(variable);
        match self.variables[variable.index()].register {
            Some(register) => {
                if is_dead {
                    self.variables[variable.index()].register = None;
                    self.registers.free(register);
                }
                Popped { source: Source::Register(register), is_temporary: is_dead, in_home: None }
            }
            None => Popped {
                source: Source::Word(self.home(variable)),
                is_temporary: false,
                in_home: (!is_dead).then_some(variable),
            },
        }
    }

    /// Ends an operation: what it popped may be changed.
    fn unpin(&mut self) {
        self.pinned = 0;
    }

    /// The value in a register, to be read only. A variable that was in its home stays in the
    /// register as well.
    fn in_register(&mut self, popped: Popped) -> Register {
        if let Source::Register(register) = popped.source {
            return register;
        }
        let register = self.allocate();
        self.pinned |= bit(register);
        popped.source.move_to(register, self.assembler);
        if let Some(variable) = popped.in_home {
            self.set_register(variable, register);
        }
        register
    }

    /// A register for a result, with the value in it if that is where the result begins.
    fn to_change(&mut self, popped: Popped) -> Register {
        match popped {
            Popped { source: Source::Register(register), is_temporary: true, .. } => register,
            Popped { source, .. } => {
                let register = self.allocate();
                source.move_to(register, self.assembler);
                register
            }
        }
    }

    /// Writes the comparison whose operands are on the stack, unless it has become part of a
    /// branch.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_comparing) {
            return;
        }
        let right = self.pop();
        let left = self.pop();
        let to = self.to_change(right);
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
        let variable = match left.source {
            Source::Register(register) if !left.is_temporary => Some(register),
            _ => None,
        };
        let is_in_place = left.is_temporary;
        let target = if is_in_place { None } else { Some(self.allocate()) };
        let start = self.assembler.here();
        let to = match (target, left.source) {
            (None, Source::Register(register)) => register,
            (None, _) => unreachable!("only registers are temporary"),
            (Some(to), source) => {
                source.move_to(to, self.assembler);
                to
            }
        };
        self.assembler.arithmetic(operator, to, right.source);
        let end = self.assembler.here();
        self.computed = Some(Computed { start, end, to, operator, left: variable, right: right.source });
        self.unpin();
        self.push_register(to);
    }

    /// Replaces the deferred operands of a variable that is about to be assigned by its value, the
    /// top operand excepted.
    fn save_deferred(&mut self, variable: Local) {
        if self.variables[variable.index()].n_deferred > 0 {
            self.save_deferred_if(self.stack.len() - 1, |found| found == variable);
        }
    }

    /// Replaces the deferred operands of variables that the region assigns by their values.
    fn save_assigned(&mut self, region: Region<'_>) {
        self.save_deferred_if(self.stack.len(), |found| region.assigned.binary_search(&found).is_ok());
    }

    /// Replaces deferred operands by their values: of those below `height` and inside the innermost
    /// open bracket all, if there are many, otherwise those of the variables that are concerned.
    fn save_deferred_if(&mut self, height: usize, is_concerned: impl Fn(Local) -> bool) {
        /// From how many on all are saved, so that the time stays in proportion to the function.
        const MANY: usize = 16;
        let first = self.n_deferred_outside;
        let has_many = self.deferred.len() - first > MANY;
        let mut kept = first;
        for nth in first..self.deferred.len() {
            let at = self.deferred[nth];
            let Operand::Variable(variable) = self.stack[at] else { unreachable!("the operand is deferred") };
            if at < height && (has_many || is_concerned(variable)) {
                self.save(at, variable);
            } else {
                self.deferred[kept] = at;
                kept += 1;
            }
        }
        self.deferred.truncate(kept);
    }

    /// Replaces the deferred operand at a position by its value.
    fn save(&mut self, at: usize, variable: Local) {
        self.variables[variable.index()].n_deferred -= 1;
        let value = self.read(variable);
        let register = self.to_change(value);
        self.registers.set(register, Content::Operand(at));
        self.stack[at] = Operand::Register(register);
    }

    /// Lets the instruction that computed the top operand change the variable's register instead,
    /// if its left operand was the variable. Returns whether it does.
    fn retarget(&mut self, variable: Local, top: Register) -> bool {
        let Some(computed) = self.computed else { return false };
        let register = self.variables[variable.index()].register;
        if computed.end != self.assembler.here()
            || computed.to != top
            || computed.left.is_none()
            || computed.left != register
        {
            return false;
        }
        let Some(register) = register else { return false };
        self.assembler.rewind(computed.start);
        self.assembler.arithmetic(computed.operator, register, computed.right);
        self.registers.set_dirty(register);
        true
    }

    /// Notes that a variable is set.
    fn note_set(&mut self, variable: Local) {
        let known = &mut self.variables[variable.index()];
        if !known.is_set {
            known.is_set = true;
            known.loop_depth = self.loop_depth;
            self.set.push(variable);
        }
    }
}

impl<'a, A: MacroAssembler> Emitter<'a> for Lowering<'a, A> {
    type If = OpenIf;
    type Loop = OpenLoop;

    fn number(&mut self, number: f64) {
        self.settle();
        self.stack.push(Operand::Number(number));
    }

    fn get(&mut self, variable: Local) {
        self.settle();
        self.variables[variable.index()].n_reads -= 1;
        self.push_variable(variable);
    }

    fn set(&mut self, variable: Local) {
        self.settle();
        self.note_set(variable);
        let top = self.stack.len() - 1;
        if self.stack[top] == Operand::Variable(variable) {
            return;
        }
        let is_read = {
            let known = &self.variables[variable.index()];
            known.n_reads > 0 || known.loop_depth != self.loop_depth
        };
        self.save_deferred(variable);
        if !is_read {
            // The value stays where it is.
            if let Some(register) = self.variables[variable.index()].register.take() {
                self.registers.free(register);
            }
            return;
        }
        if let Operand::Register(register) = self.stack[top]
            && self.retarget(variable, register)
        {
            self.registers.free(register);
            self.stack.pop();
            self.push_variable(variable);
            return;
        }
        let value = self.pop();
        let old = self.variables[variable.index()].register.take();
        if let Some(old) = old {
            self.registers.free(old);
        }
        let register = match (value, old) {
            (Popped { source: Source::Register(register), is_temporary: true, .. }, _) => register,
            (_, Some(old)) => {
                value.source.move_to(old, self.assembler);
                old
            }
            (_, None) => self.to_change(value),
        };
        self.unpin();
        self.set_register(variable, register);
        self.registers.set_dirty(register);
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
        self.unpin();
        match value {
            Popped { is_temporary: false, in_home: Some(variable), .. } => self.push_variable(variable),
            Popped { is_temporary: false, source: Source::Register(_), .. } => {
                let copy = self.to_change(value);
                self.push_register(copy);
            }
            _ => self.push_register(register),
        }
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
        let value = self.pop();
        let register = self.to_change(value);
        self.assembler.arithmetic(Operator::Multiply, register, Source::Register(register));
        self.unpin();
        self.push_register(register);
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

    fn begin_else(&mut self, open: &mut OpenIf, _: Region<'a>, is_reachable: bool) {
        self.end_first_branch(open, is_reachable);
    }

    fn end_if(&mut self, open: OpenIf, _: Region<'a>, join: Join) {
        self.join(open, join);
    }

    fn begin_loop(&mut self, region: Region<'a>) -> OpenLoop {
        self.settle();
        self.open_loop(region)
    }

    fn end_loop(&mut self, open: OpenLoop, region: Region<'a>, back_edge: BackEdge<'_>) {
        self.close_loop(open, region, &back_edge);
    }
}
