//! Verifier: checks the promises that every reader of a [`Function`] relies on.
//!
//! Front ends verify what they produce in debug builds, and so do the generators of random
//! programs. The engine verifies whatever it compiles, because the machine code of a function that
//! breaks a promise may read memory that is not its own. The interpreter and the code generators do
//! not verify: such a function makes them panic or compute nonsense.
//!
//! The verifier walks the operations once, with the brackets that are open on a stack of its own.

#[cfg(test)]
mod tests;

use crate::{Function, FunctionId, Local, Op, OpIdx};
use std::fmt;

/// A broken promise of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    at: Option<OpIdx>,
    message: String,
}

impl VerifyError {
    /// The position of the operation that breaks the promise; `None` if it is the function as a
    /// whole.
    pub fn at(&self) -> Option<OpIdx> {
        self.at
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "operation {}: ", at.index())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for VerifyError {}

/// Checks the promises of a function.
///
/// # Errors
/// [`VerifyError`] names the first operation that breaks a promise.
pub fn verify(function: &Function) -> Result<(), VerifyError> {
    verify_calls(function, |_| None)
}

/// Checks the promises of a function, and that its calls have as many arguments as the callees have
/// parameters. `arity_of` returns `None` for a callee whose arity is not known.
///
/// # Errors
/// [`VerifyError`] names the first operation that breaks a promise.
pub fn verify_calls(
    function: &Function,
    arity_of: impl Fn(FunctionId) -> Option<u32>,
) -> Result<(), VerifyError> {
    for (at, op) in function.ops.iter().enumerate() {
        if let Op::Call { callee, n_args } = *op
            && let Some(arity) = arity_of(callee).filter(|&arity| arity != n_args)
        {
            let message = format!(
                "calls function #{} with {n_args} arguments, it has {arity} parameters",
                callee.index()
            );
            return Err(VerifyError { at: Some(OpIdx::new(at as u32)), message });
        }
    }
    let found = max_stack(function)?;
    if found != function.max_stack {
        let message = format!("the stack has up to {found} values, `max_stack` says {}", function.max_stack);
        return Err(VerifyError { at: None, message });
    }
    Ok(())
}

/// The most values that are on the stack at once, if the function keeps all other promises.
pub(crate) fn max_stack(function: &Function) -> Result<u32, VerifyError> {
    let mut walk = Walk::new(function)?;
    for (at, &op) in function.ops.iter().enumerate() {
        let at = OpIdx::new(at as u32);
        walk.take(at, op).map_err(|message| VerifyError { at: Some(at), message })?;
    }
    walk.finish().map_err(|message| VerifyError { at: None, message })
}

/// A bracket that has begun.
struct OpenBracket {
    begun: OpIdx,
    kind: BracketKind,
    /// The height of the stack that its parts begin with.
    height: u32,
    /// How many variables were set when it began.
    n_set: usize,
}

enum BracketKind {
    /// The first branch of an `If`, and where the `If` says that the `Else` is.
    Then {
        otherwise: OpIdx,
    },
    /// The second branch, where the `Else` says that the `End` is, and whether the first branch
    /// ended in a tail call.
    Else {
        end: OpIdx,
        first_is_tail_call: bool,
    },
    Loop,
}

struct Walk<'f> {
    function: &'f Function,
    height: u32,
    max_height: u32,
    /// Whether the operation before is a tail call, or ends an `If` with a tail call in both
    /// branches: behind it nothing is reached.
    is_behind_tail_call: bool,
    open: Vec<OpenBracket>,
    n_open_loops: usize,
    is_set: Vec<bool>,
    /// The variables that are set and are no parameters, in the order in which they were set.
    set: Vec<Local>,
}

impl<'f> Walk<'f> {
    fn new(function: &'f Function) -> Result<Self, VerifyError> {
        let (n_params, n_locals) = (function.n_params as usize, function.locals.len());
        if n_params > n_locals {
            let message = format!("it has {n_params} parameters and only {n_locals} variables");
            return Err(VerifyError { at: None, message });
        }
        let mut is_set = vec![false; n_locals];
        is_set[..n_params].fill(true);
        Ok(Self {
            function,
            height: 0,
            max_height: 0,
            is_behind_tail_call: false,
            open: Vec::new(),
            n_open_loops: 0,
            is_set,
            set: Vec::new(),
        })
    }

    fn take(&mut self, at: OpIdx, op: Op) -> Result<(), String> {
        match op {
            Op::Else { .. } | Op::End => {}
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
            | Op::TailCall
            | Op::If { .. }
            | Op::Loop
            | Op::Next { .. } => {
                if self.is_behind_tail_call {
                    return Err("follows a tail call and is not `Else` or `End`".to_owned());
                }
                self.apply_stack_effect(op)?;
            }
        }
        match op {
            Op::Number(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::Call { .. } => {}
            Op::Get(variable) => self.check_set(variable)?,
            Op::Set(variable) => self.set(variable)?,
            Op::TailCall => self.tail_call()?,
            Op::If { otherwise } => self.begin(at, BracketKind::Then { otherwise }),
            Op::Else { end } => self.begin_else(at, end)?,
            Op::End => self.end_if(at)?,
            Op::Loop => {
                self.n_open_loops += 1;
                self.begin(at, BracketKind::Loop);
            }
            Op::Next { variable, header } => self.end_loop(variable, header)?,
        }
        Ok(())
    }

    fn apply_stack_effect(&mut self, op: Op) -> Result<(), String> {
        let (taken, left) = op.stack_effect(self.function.n_params);
        // Values below a bracket are not for the operations inside it.
        let floor = self.open.last().map_or(0, |bracket| bracket.height);
        let n_values = self.height - floor;
        if taken > n_values {
            return Err(format!("takes {taken} values from the stack, which has {n_values}"));
        }
        self.height = self.height - taken + left;
        self.max_height = self.max_height.max(self.height);
        Ok(())
    }

    fn begin(&mut self, begun: OpIdx, kind: BracketKind) {
        self.open.push(OpenBracket { begun, kind, height: self.height, n_set: self.set.len() });
    }

    fn begin_else(&mut self, at: OpIdx, end: OpIdx) -> Result<(), String> {
        let Some(OpenBracket { begun, kind: BracketKind::Then { otherwise }, height, n_set }) =
            self.open.pop()
        else {
            return Err("is an `Else` without an `If`".to_owned());
        };
        if otherwise != at {
            return Err(format!(
                "ends the first branch of the `If` at {}, which names {}",
                begun.index(),
                otherwise.index()
            ));
        }
        let first_is_tail_call = self.end_branch(height)?;
        self.leave(n_set);
        self.height = height;
        self.begin(at, BracketKind::Else { end, first_is_tail_call });
        Ok(())
    }

    fn end_if(&mut self, at: OpIdx) -> Result<(), String> {
        let Some(OpenBracket { begun, kind: BracketKind::Else { end, first_is_tail_call }, height, n_set }) =
            self.open.pop()
        else {
            return Err("is an `End` without an `Else`".to_owned());
        };
        if end != at {
            return Err(format!("ends the `Else` at {}, which names {}", begun.index(), end.index()));
        }
        self.is_behind_tail_call = self.end_branch(height)? && first_is_tail_call;
        self.leave(n_set);
        self.height = height + 1;
        Ok(())
    }

    /// A branch, which began with this height, ends: with one value, or behind a tail call. Returns
    /// whether it is a tail call.
    fn end_branch(&mut self, height: u32) -> Result<bool, String> {
        let is_tail_call = std::mem::take(&mut self.is_behind_tail_call);
        if is_tail_call || self.height == height + 1 {
            return Ok(is_tail_call);
        }
        Err(format!("ends a branch that leaves {} values, not one", self.height - height))
    }

    fn end_loop(&mut self, variable: Local, header: OpIdx) -> Result<(), String> {
        let Some(OpenBracket { begun, kind: BracketKind::Loop, height, n_set }) = self.open.pop() else {
            return Err("is a `Next` without a `Loop`".to_owned());
        };
        if header != begun {
            return Err(format!("ends the `Loop` at {} and names {}", begun.index(), header.index()));
        }
        if self.height != height {
            return Err(format!("ends a loop that leaves {} values on the stack", self.height - height));
        }
        self.leave(n_set);
        self.n_open_loops -= 1;
        self.check_set(variable)
    }

    fn tail_call(&mut self) -> Result<(), String> {
        if self.n_open_loops > 0 {
            return Err("is a tail call in a loop".to_owned());
        }
        if self.height > 0 {
            return Err(format!("is a tail call that leaves {} values on the stack", self.height));
        }
        self.is_behind_tail_call = true;
        Ok(())
    }

    fn check_local(&self, variable: Local) -> Result<(), String> {
        let n_locals = self.is_set.len();
        if variable.index() < n_locals {
            return Ok(());
        }
        Err(format!("names variable {}, there are {n_locals}", variable.index()))
    }

    fn check_set(&self, variable: Local) -> Result<(), String> {
        self.check_local(variable)?;
        if self.is_set[variable.index()] {
            return Ok(());
        }
        Err(format!("reads variable {}, which is not set there", variable.index()))
    }

    fn set(&mut self, variable: Local) -> Result<(), String> {
        self.check_local(variable)?;
        if !std::mem::replace(&mut self.is_set[variable.index()], true) {
            self.set.push(variable);
        }
        Ok(())
    }

    /// Takes the variables out of scope that were set after the first `n_set`.
    fn leave(&mut self, n_set: usize) {
        for variable in self.set.drain(n_set..) {
            self.is_set[variable.index()] = false;
        }
    }

    fn finish(self) -> Result<u32, String> {
        if let Some(bracket) = self.open.last() {
            return Err(format!("the bracket that begins at operation {} has no end", bracket.begun.index()));
        }
        match (self.height, self.function.n_results) {
            (_, 0) => Err("it has no result".to_owned()),
            _ if self.is_behind_tail_call => Ok(self.max_height),
            (height, n_results) if height == n_results => Ok(self.max_height),
            (height, 1) => Err(format!("it ends with {height} values on the stack, not one")),
            (height, n_results) => Err(format!("it ends with {height} values on the stack, not {n_results}")),
        }
    }
}
