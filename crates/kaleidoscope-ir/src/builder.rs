//! Builder: makes a function operation by operation, for front ends.
//!
//! A front end appends operations in the order in which they run. The builder computes what follows
//! from them: the targets of brackets and the height of the stack.

use crate::verify::{self, VerifyError};
use crate::{Arithmetic, Function, FunctionId, Local, Op, OpIdx};
use std::sync::Arc;

/// Makes a [`Function`].
///
/// ```
/// use kaleidoscope_ir::{Arithmetic, FunctionBuilder};
///
/// // The larger of two numbers.
/// let mut builder = FunctionBuilder::new("max");
/// let (a, b) = (builder.param("a"), builder.param("b"));
/// builder.get(a).get(b).arithmetic(Arithmetic::Less);
/// builder.begin_if().get(b).begin_else().get(a).end_if();
/// let max = builder.finish()?;
/// assert_eq!(max.n_params, 2);
/// # Ok::<(), kaleidoscope_ir::verify::VerifyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FunctionBuilder {
    name: Arc<str>,
    n_params: u32,
    n_results: u32,
    locals: Vec<Arc<str>>,
    ops: Vec<Op>,
}

/// The target of a bracket until [`set_targets`] sets it.
pub(crate) const UNKNOWN: OpIdx = OpIdx::new(u32::MAX);

impl FunctionBuilder {
    /// A function of this name, without parameters and operations so far.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), n_params: 0, n_results: 1, locals: Vec::new(), ops: Vec::new() }
    }

    /// The function has this number of results, which its operations leave on the stack.
    ///
    /// ```
    /// use kaleidoscope_ir::{Arithmetic, FunctionBuilder};
    ///
    /// // The sum and the product of two numbers.
    /// let mut builder = FunctionBuilder::new("both");
    /// let (a, b) = (builder.param("a"), builder.param("b"));
    /// builder.get(a).get(b).arithmetic(Arithmetic::Add);
    /// builder.get(a).get(b).arithmetic(Arithmetic::Multiply);
    /// let both = builder.results(2).finish()?;
    /// assert_eq!(both.n_results, 2);
    /// # Ok::<(), kaleidoscope_ir::verify::VerifyError>(())
    /// ```
    #[must_use]
    pub fn results(mut self, n_results: u32) -> Self {
        self.n_results = n_results;
        self
    }

    /// Adds a parameter.
    ///
    /// # Panics
    /// If there is a variable already that is no parameter.
    pub fn param(&mut self, name: impl Into<Arc<str>>) -> Local {
        assert_eq!(self.n_params as usize, self.locals.len(), "parameters precede other variables");
        self.n_params += 1;
        self.local(name)
    }

    /// Adds a variable. It must be set before it is read, in the same bracket or around it.
    pub fn local(&mut self, name: impl Into<Arc<str>>) -> Local {
        let local = Local::new(u32::try_from(self.locals.len()).expect("variables are numbered in 32 bits"));
        self.locals.push(name.into());
        local
    }

    /// The number of operations so far.
    pub fn n_ops(&self) -> usize {
        self.ops.len()
    }

    /// Appends an operation. The targets in brackets are ignored: they follow from the nesting.
    pub fn op(&mut self, op: Op) -> &mut Self {
        self.ops.push(op);
        self
    }

    /// Pushes a number.
    pub fn number(&mut self, value: f64) -> &mut Self {
        self.op(Op::Number(value))
    }

    /// Pushes the value of a variable.
    pub fn get(&mut self, variable: Local) -> &mut Self {
        self.op(Op::Get(variable))
    }

    /// Assigns the top of the stack to a variable. The value stays on the stack.
    pub fn set(&mut self, variable: Local) -> &mut Self {
        self.op(Op::Set(variable))
    }

    /// Removes the top of the stack.
    pub fn drop_top(&mut self) -> &mut Self {
        self.op(Op::Drop)
    }

    /// Replaces two values by the result of an operator.
    pub fn arithmetic(&mut self, operator: Arithmetic) -> &mut Self {
        self.op(Op::Arithmetic(operator))
    }

    /// Replaces the arguments by the result of a call.
    pub fn call(&mut self, callee: FunctionId, n_args: u32) -> &mut Self {
        self.op(Op::Call { callee, n_args })
    }

    /// Takes a condition and begins the branch for a condition that holds. The branch leaves one
    /// value.
    pub fn begin_if(&mut self) -> &mut Self {
        self.op(Op::If { otherwise: UNKNOWN })
    }

    /// Begins the other branch, which leaves one value too.
    pub fn begin_else(&mut self) -> &mut Self {
        self.op(Op::Else { end: UNKNOWN })
    }

    /// Ends an `if`, whose value is that of the branch taken.
    pub fn end_if(&mut self) -> &mut Self {
        self.op(Op::End)
    }

    /// Begins a loop. Its body runs at least once, and leaves a step and a condition.
    pub fn begin_loop(&mut self) -> &mut Self {
        self.op(Op::Loop)
    }

    /// Ends the innermost loop: adds the step to the variable, and repeats if the condition holds.
    pub fn end_loop(&mut self, variable: Local) -> &mut Self {
        self.op(Op::Next { variable, header: UNKNOWN })
    }

    /// The function.
    ///
    /// # Errors
    /// [`VerifyError`] if the operations break a promise of [`Function`].
    pub fn finish(self) -> Result<Function, VerifyError> {
        let Self { name, n_params, n_results, locals, mut ops } = self;
        set_targets(&mut ops, |_| true);
        let mut function = Function::new(name, n_params, locals, ops, 0).with_results(n_results);
        function.max_stack = verify::max_stack(&function)?;
        Ok(function)
    }
}

/// Sets the targets of brackets to what the nesting says, where `replaces` accepts the present
/// target. Brackets that do not match keep their targets; the verifier finds them.
pub(crate) fn set_targets(ops: &mut [Op], replaces: impl Fn(OpIdx) -> bool) {
    let set = |target: &mut OpIdx, at: usize| {
        if replaces(*target) {
            *target = OpIdx::new(at as u32);
        }
    };
    let mut open = Vec::new();
    for at in 0..ops.len() {
        match &mut ops[at] {
            Op::If { .. } | Op::Loop => open.push(at),
            Op::Else { .. } => {
                if let Some(Op::If { otherwise }) = open.pop().map(|begun| &mut ops[begun]) {
                    set(otherwise, at);
                }
                open.push(at);
            }
            Op::End => {
                if let Some(Op::Else { end }) = open.pop().map(|begun| &mut ops[begun]) {
                    set(end, at);
                }
            }
            Op::Next { header, .. } => {
                if let Some(begun) = open.pop() {
                    set(header, begun);
                }
            }
            Op::Number(_)
            | Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::Call { .. }
            | Op::TailCall => {}
        }
    }
}

#[cfg(test)]
mod tests;
