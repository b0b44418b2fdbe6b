//! Control flow: branches, joins and loops.
//!
//! Code that can be reached on two ways must find each value in the same place on both. The first
//! way decides: the end of the first branch, or the beginning of a loop. At the end of the second
//! branch, and at the back edge, moves put the values there.

use kaleidoscope_ir::walk::{BackEdge, Join, Region};
use kaleidoscope_ir::{Bracket, Local, Op, OpIdx};

use super::cold::Cold;
use super::moves::Moves;
use super::registers::{Content, MAX_REGISTERS, Registers, bit, registers};
use super::{Lowering, Operand, Popped};
use crate::assembler::{Condition, Jump, Label, MacroAssembler, Operator, Register, Source};

/// How many registers a loop leaves to its operands at least.
const N_FOR_OPERANDS: u32 = 4;

/// What lowering remembers of an open `if`.
pub(crate) struct OpenIf {
    /// The jump to the second branch.
    otherwise: Jump,
    /// The beginning of the first branch, and how many brackets and pieces of cold code there were.
    start: Label,
    n_brackets: usize,
    n_cold: usize,
    /// The registers behind the condition.
    before: Registers,
    n_set: usize,
    n_deferred_outside: usize,
    /// Whether the function ends behind the `if`, so that each branch returns by itself.
    is_last: bool,
    /// The jump from the end of the first branch, once it has ended and if that is reachable, and
    /// the registers there. One of them has the branch's value.
    first: Option<(Jump, Registers)>,
}

/// What lowering remembers of an open loop.
pub(crate) struct OpenLoop {
    header: Label,
    /// The registers at the header.
    registers: Registers,
    n_set: usize,
    n_deferred_outside: usize,
}

impl<'a, A: MacroAssembler> Lowering<'a, A> {
    pub(super) fn open_if(&mut self, region: Region<'a>) -> OpenIf {
        let condition = self.condition();
        self.save_assigned(region);
        let otherwise = self.assembler.jump_unless(condition);
        let is_last = self.is_last(region.header);
        self.is_behind_last.push(is_last);
        self.n_brackets += 1;
        OpenIf {
            is_last,
            otherwise,
            start: self.assembler.here(),
            n_brackets: self.n_brackets,
            n_cold: self.buffers.cold.len(),
            before: self.registers,
            n_set: self.buffers.set.len(),
            n_deferred_outside: self.enter_bracket(),
            first: None,
        }
    }

    pub(super) fn end_first_branch(&mut self, open: &mut OpenIf, region: Region<'a>, is_reachable: bool) {
        if is_reachable && open.is_last {
            self.return_value();
            self.has_returned = false;
            self.buffers.stack.pop();
            self.leave_scope(open.n_set);
        } else if is_reachable {
            self.settle();
            let value = self.pop();
            let register = self.own_register(value);
            self.unpin();
            self.leave_scope(open.n_set);
            self.registers.set(register, Content::Operand(self.buffers.stack.len() as u32));
            open.first = Some((self.assembler.jump(), self.registers));
        } else {
            self.leave_scope(open.n_set);
        }
        self.set_registers(&open.before);
        if open.is_last && self.is_base_case(open, region, is_reachable) {
            if !is_reachable {
                // The jump to the start is written again behind the function.
                self.assembler.rewind(self.last_jump_to_start);
                self.buffers.cold.truncate(open.n_cold);
            }
            let piece = self.assembler.cut(open.start);
            self.computed = None;
            self.assembler.invert(open.otherwise);
            let branch = Cold::Branch { jump: open.otherwise, piece, is_tail_call: !is_reachable };
            self.push_cold(branch);
            return;
        }
        self.bind(open.otherwise);
    }

    /// Whether the first branch is to be written behind the function: it is simple and ends the
    /// function or starts it again, and the second one calls. Most often the first one then ends a
    /// recursion, and the second one runs more often. It need not begin with a jump then.
    fn is_base_case(&self, open: &OpenIf, region: Region<'a>, is_reachable: bool) -> bool {
        /// How many operations of the second branch are searched for a call.
        const N_SEARCHED: usize = 64;
        let ops = &self.unit.function.ops;
        let Op::If { otherwise } = ops[region.header.index()] else {
            unreachable!("an `if` begins with `If`")
        };
        let Op::Else { end } = ops[otherwise.index()] else { unreachable!("promise 1: brackets match") };
        let second = &ops[otherwise.index()..end.index()];
        // A counted tail call has cold code of its own.
        let n_own = usize::from(!is_reachable && self.counters.is_some());
        self.n_brackets == open.n_brackets
            && self.buffers.cold.len() == open.n_cold + n_own
            && second.iter().take(N_SEARCHED).any(|op| op.callee().is_some() || *op == Op::TailCall)
    }

    pub(super) fn join(&mut self, open: &OpenIf, join: Join) {
        self.n_deferred_outside = open.n_deferred_outside;
        self.is_behind_last.pop();
        if open.is_last && join != Join::Neither {
            if join == Join::First {
                self.buffers.stack.push(Operand::Number(0.0));
                self.has_returned = true;
            }
            self.return_value();
            self.leave_scope(open.n_set);
            return;
        }
        match (join, &open.first) {
            (Join::Both, &Some((jump, ref first))) => {
                self.settle();
                let value = self.pop();
                self.leave_scope(open.n_set);
                self.buffers.stack.push(Operand::Word);
                self.conform(first, Some(value.source));
                self.unpin();
                self.bind(jump);
            }
            (Join::First, &Some((jump, ref first))) => {
                self.leave_scope(open.n_set);
                self.buffers.stack.push(Operand::Word);
                self.set_registers(first);
                self.bind(jump);
            }
            (Join::Second, _) => {
                self.settle();
                let value = self.pop();
                self.leave_scope(open.n_set);
                if let Popped { source: Source::Number(number), .. } = value {
                    self.buffers.stack.push(Operand::Number(number));
                } else {
                    let register = self.own_register(value);
                    self.push_register(register);
                }
                self.unpin();
            }
            (Join::Neither, _) => self.leave_scope(open.n_set),
            (Join::Both | Join::First, None) => unreachable!("the first branch has ended"),
        }
    }

    /// Makes a jump go to here. The instruction in front is no longer the only way to here.
    fn bind(&mut self, jump: Jump) -> Label {
        self.computed = None;
        let here = self.assembler.here();
        self.assembler.set_target(jump, here);
        here
    }

    /// Whether the function ends behind the `if` at this position.
    fn is_last(&self, header: OpIdx) -> bool {
        let ops = &self.unit.function.ops;
        let Op::If { otherwise } = ops[header.index()] else { unreachable!("an `if` begins with `If`") };
        let Op::Else { end } = ops[otherwise.index()] else { unreachable!("promise 1: brackets match") };
        match ops.get(end.index() + 1) {
            None => true,
            // The end of a branch of the `if` around this one.
            Some(op) => {
                op.bracket().is_some_and(|bracket| bracket != Bracket::Begin)
                    && self.is_behind_last.last() == Some(&true)
            }
        }
    }

    /// Returns the top value, unless all ways to here have returned. The operand stays, without
    /// meaning.
    pub(super) fn return_value(&mut self) {
        if !std::mem::replace(&mut self.has_returned, true) {
            self.settle();
            let value = self.pop();
            let result = Register(0);
            match value.source {
                Source::Register(register) if self.retarget(register, result) => {}
                source => source.move_to(result, self.assembler),
            }
            self.unpin();
            self.assembler.end();
            self.buffers.stack.push(Operand::Number(0.0));
        }
    }

    pub(super) fn open_loop(&mut self, region: Region<'a>) -> OpenLoop {
        self.save_assigned(region);
        self.free_dead();
        if self.buffers.loops_that_call[self.n_loops] {
            self.spill_all();
        } else {
            self.load_assigned(region);
        }
        self.n_loops += 1;
        self.is_behind_last.push(false);
        self.n_brackets += 1;
        self.loop_depth += 1;
        self.may_be_invalid = true;
        self.computed = None;
        OpenLoop {
            header: self.assembler.here(),
            registers: self.registers,
            n_set: self.buffers.set.len(),
            n_deferred_outside: self.enter_bracket(),
        }
    }

    /// Loads variables that the region assigns, and notes that their homes are out of date.
    fn load_assigned(&mut self, region: Region<'a>) {
        for &variable in region.assigned {
            let register = match self.buffers.variables[variable.index()].register {
                Some(register) => register,
                None if self.is_dead(variable) => continue,
                None => {
                    let free = self.all_registers & !self.registers.occupied();
                    if free.count_ones() <= N_FOR_OPERANDS {
                        continue;
                    }
                    let register = self.allocate();
                    let home = self.home(variable);
                    self.assembler.load(register, home);
                    self.set_register(variable, register);
                    register
                }
            };
            self.registers.set_dirty(register);
        }
    }

    pub(super) fn close_loop(&mut self, open: &OpenLoop, region: Region<'a>, back_edge: &BackEdge<'_>) {
        let variable = back_edge.variable;
        let early = self.early_increment(variable);
        let condition = self.condition();
        let step = self.pop();
        self.buffers.variables[variable.index()].n_reads -= 1;
        let register = self.variable_register(variable);
        match early {
            Some(next) => self.assembler.copy(register, next),
            None => self.assembler.arithmetic(Operator::Add, register, register, step.source),
        }
        self.registers.set_dirty(register);
        self.store_assigned(variable);
        self.unpin();
        self.leave_scope(open.n_set);
        self.conform(&open.registers, None);
        if let Some(counters) = self.counters {
            let leave = self.assembler.jump_unless(condition);
            self.assembler.count_down(counters.back_edges(back_edge.loop_number));
            let repeat = self.assembler.jump_if(Condition::Positive);
            self.assembler.set_target(repeat, open.header);
            let tripped = self.assembler.jump();
            let after = self.bind(leave);
            self.push_cold(Cold::BackEdge {
                jump: tripped,
                header: open.header,
                after,
                registers: self.registers,
                loop_number: back_edge.loop_number,
                bracket: region.number,
            });
        } else {
            let repeat = self.assembler.jump_if(condition);
            self.assembler.set_target(repeat, open.header);
        }
        self.loop_depth -= 1;
        self.is_behind_last.pop();
        self.n_deferred_outside = open.n_deferred_outside;
        self.free_dead();
    }

    /// Computes a loop variable's next value in front of the condition, which still needs the old
    /// one. A processor runs the older of two instructions first where both wait for the same
    /// value. All iterations wait for the increment, and none for the condition.
    fn early_increment(&mut self, variable: Local) -> Option<Register> {
        let n_above = if self.is_comparing { 2 } else { 1 };
        let Operand::Number(step) = self.buffers.stack[self.buffers.stack.len() - 1 - n_above] else {
            return None;
        };
        let free = self.all_registers & !self.registers.occupied();
        if !self.assembler.keeps_operands() || free.count_ones() <= N_FOR_OPERANDS {
            return None;
        }
        let register = self.variable_register(variable);
        let next = self.allocate();
        self.pinned |= bit(next);
        self.assembler.arithmetic(Operator::Add, next, register, Source::Number(step));
        Some(next)
    }

    /// The register of a variable, which is loaded if it is in its home only.
    fn variable_register(&mut self, variable: Local) -> Register {
        if let Some(register) = self.buffers.variables[variable.index()].register {
            return register;
        }
        let register = self.allocate();
        let home = self.home(variable);
        self.assembler.load(register, home);
        self.set_register(variable, register);
        register
    }

    /// Enters a bracket: the deferred operands from before stay as they are. Returns how many were
    /// from before the bracket around it.
    fn enter_bracket(&mut self) -> usize {
        std::mem::replace(&mut self.n_deferred_outside, self.buffers.deferred.len())
    }

    /// Takes the variables out of scope that were set after the first `n_set`.
    fn leave_scope(&mut self, n_set: usize) {
        while self.buffers.set.len() > n_set
            && let Some(variable) = self.buffers.set.pop()
        {
            let variable = &mut self.buffers.variables[variable.index()];
            variable.is_set = false;
            if let Some(register) = variable.register.take() {
                self.registers.free(register);
            }
        }
    }

    /// Frees the registers of variables that are not read any more.
    fn free_dead(&mut self) {
        for register in registers(self.registers.occupied()) {
            if let Content::Variable(variable) = self.registers.content(register)
                && self.is_dead(variable)
            {
                self.buffers.variables[variable.index()].register = None;
                self.registers.free(register);
            }
        }
    }

    /// Continues with these registers, without variables that are not read any more.
    fn set_registers(&mut self, target: &Registers) {
        for (_, content) in self.registers.iter() {
            match content {
                Content::Variable(variable) => self.buffers.variables[variable.index()].register = None,
                Content::Operand(at) => {
                    if let Some(operand) = self.buffers.stack.get_mut(at as usize) {
                        *operand = Operand::Word;
                    }
                }
            }
        }
        self.registers = *target;
        for (register, content) in target.iter() {
            match content {
                Content::Variable(variable) => {
                    self.buffers.variables[variable.index()].register = Some(register);
                }
                Content::Operand(at) => self.buffers.stack[at as usize] = Operand::Register(register),
            }
        }
        self.free_dead();
    }

    /// Moves the values to where `target` has them, and continues with it. The flags stay as they
    /// are. `top` is the value of the operand on top, if that is in no place of its own yet.
    fn conform(&mut self, target: &Registers, top: Option<Source>) {
        let mut after = *target;
        for (register, content) in target.iter() {
            if let Content::Variable(variable) = content
                && self.is_dead(variable)
            {
                after.free(register);
            }
        }
        let target = after;
        for register in registers(self.registers.occupied()) {
            if target.find(self.registers.content(register)).is_none() {
                self.spill(register);
            }
        }
        let mut moves = Moves::new();
        let mut loads = [(Register(0), Source::Number(0.0)); MAX_REGISTERS];
        let mut n_loads = 0;
        for (to, content) in target.iter() {
            let (source, is_dirty) = match content {
                Content::Variable(variable) => self.variable_source(variable),
                Content::Operand(at) => (self.operand_source(at as usize, top), false),
            };
            if is_dirty {
                after.set_dirty(to);
            }
            if let Source::Register(from) = source {
                moves.add(to, from);
            } else {
                loads[n_loads] = (to, source);
                n_loads += 1;
            }
        }
        moves.emit(self.assembler);
        for (to, source) in &loads[..n_loads] {
            source.move_to(*to, self.assembler);
        }
        self.set_registers(&after);
    }

    /// Where a variable is, and whether its home is out of date.
    fn variable_source(&mut self, variable: Local) -> (Source, bool) {
        match self.buffers.variables[variable.index()].register {
            Some(register) => (Source::Register(register), self.registers.is_dirty(register)),
            None => (Source::Word(self.home(variable)), false),
        }
    }

    fn operand_source(&mut self, at: usize, top: Option<Source>) -> Source {
        match (self.buffers.stack[at], top) {
            (Operand::Register(register), _) => Source::Register(register),
            (Operand::Word, Some(top)) if at + 1 == self.buffers.stack.len() => top,
            (Operand::Word, _) => Source::Word(self.word(at)),
            (Operand::Number(_) | Operand::Variable(_), _) => {
                unreachable!("an operand that was in a register is in one or in its word")
            }
        }
    }
}
