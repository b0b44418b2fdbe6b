//! Function: the unit of the IR, with a name, parameters, variables and operations.
//!
//! The form is linear and structured, like WebAssembly's. Operations are in the order in which
//! they run. Each takes its operands from a stack of values and leaves its result there. `If` and
//! `Loop` are brackets around their parts. So every reader of the IR (the interpreter, each code
//! generator) is one loop without recursion, however deeply the source text was nested.

pub mod facts;
pub(crate) mod liveness;

use crate::positions::SourcePositions;
use crate::{FunctionId, Local, Op, OpIdx};
use facts::Facts;
use liveness::Liveness;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A function: its name, its variables and its operations, which leave its results: exactly one
/// value, unless the function is only applied by a host ([`n_results`](Self::n_results)).
///
/// Functions are immutable once they are shared. Every reader relies on these promises, which a
/// front end keeps and [`verify`](crate::verify) checks:
/// 1. **Brackets** match: each `If` has its `Else` and `End`, each `Loop` its `Next`, properly
///    nested, at the positions that the operations name.
/// 2. **Stack heights** are fixed: each operation finds its operands. Both branches of an `If`
///    leave one value more than the stack had behind the condition, or end in a `TailCall`. A
///    `TailCall`, or an `If` with a `TailCall` at the end of both branches, is followed only by
///    `Else`, `End` or the end of the function. A `TailCall` is outside loops. A loop leaves the
///    stack as it found it. At the end there are as many values as the function has results, at
///    least one, and [`max_stack`] is the most values that the stack has.
/// 3. **Variables** are below `locals.len()`, which is at least `n_params`. A variable that is no
///    parameter is set before it is read. Setting it counts up to the end of the innermost bracket,
///    or up to its `Else`. The variable of a `Next` is set before the `Loop`.
///
/// [`max_stack`]: Self::max_stack
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Function {
    /// The name: of a function as written (`fib`), of an operator `unary!` or `binary|`, of a
    /// top-level expression `$expr` and a number.
    pub name: Arc<str>,
    /// How many of the locals are parameters.
    pub n_params: u32,
    /// The variables' names as written, parameters first. Two may share a name.
    pub locals: Box<[Arc<str>]>,
    /// The operations, in order.
    pub ops: Box<[Op]>,
    /// The most values that are on the stack at once.
    pub max_stack: u32,
    /// The number of results, the first one lowest on the stack. Functions that are called have
    /// one. A function with several is applied to rows by a kernel, a column program or the
    /// interpreter.
    pub n_results: u32,
    /// Where the operations come from, if debug information is wanted.
    positions: OptionalPositions,
    /// What the operations say, once someone has asked.
    #[serde(skip)]
    facts: Derived<Facts>,
}

impl Function {
    /// A function with one result, of these parts, which keep the promises above.
    pub fn new(
        name: impl Into<Arc<str>>,
        n_params: u32,
        locals: impl Into<Box<[Arc<str>]>>,
        ops: impl Into<Box<[Op]>>,
        max_stack: u32,
    ) -> Self {
        let (name, locals, ops) = (name.into(), locals.into(), ops.into());
        let (positions, facts) = (OptionalPositions::default(), Derived::default());
        Self { name, n_params, locals, ops, max_stack, n_results: 1, positions, facts }
    }

    /// The function with this number of results, which its operations leave.
    #[must_use]
    pub fn with_results(self, n_results: u32) -> Self {
        Self { n_results, ..self }
    }

    /// The function with the positions of its operations. Code generators make debug information
    /// for a function that has them.
    #[must_use]
    pub fn with_positions(self, positions: SourcePositions) -> Self {
        Self { positions: OptionalPositions(Some(Arc::new(positions))), ..self }
    }

    /// Where the operations come from, if the front end was asked to keep that.
    pub fn positions(&self) -> Option<&SourcePositions> {
        self.positions.0.as_deref()
    }

    /// A function with the results of several functions, in order. It calls each with all of its
    /// parameters, so they all have as many.
    pub fn of_calls(
        name: impl Into<Arc<str>>,
        parameters: impl Into<Box<[Arc<str>]>>,
        callees: &[FunctionId],
    ) -> Self {
        let parameters = parameters.into();
        let n_params = u32::try_from(parameters.len()).expect("parameters are numbered in 32 bits");
        let n_results = u32::try_from(callees.len()).expect("functions are numbered in 32 bits");
        let call = |&callee: &FunctionId| {
            let args = (0..n_params).map(|idx| Op::Get(Local::new(idx)));
            args.chain([Op::Call { callee, n_args: n_params }])
        };
        let ops: Vec<_> = callees.iter().flat_map(call).collect();
        let max_stack = n_results.saturating_sub(1) + n_params.max(1);
        Self::new(name, n_params, parameters, ops, max_stack).with_results(n_results)
    }

    /// The facts about the operations, computed by the first call. They take time and memory, so
    /// code that runs at most once is better asked by [`has_loops`](Self::has_loops) and
    /// [`callees_in_order`](Self::callees_in_order).
    ///
    /// # Panics
    /// If the function does not keep promise 1 or 3.
    pub fn facts(&self) -> &Facts {
        self.facts.0.get_or_init(|| Box::new(Facts::new(self)))
    }

    /// The variables that may still be read where running code can be left, computed by the first
    /// call. `None` if there are too many for any code generator.
    ///
    /// # Panics
    /// As [`facts`](Self::facts).
    pub fn liveness(&self) -> Option<&Liveness> {
        let cell = &self.facts().liveness.0;
        cell.get_or_init(|| Box::new(Liveness::new(self))).as_ref().as_ref()
    }

    /// Whether an operation may run more than once in a call. Computes no facts.
    pub fn has_loops(&self) -> bool {
        match self.facts.0.get() {
            Some(facts) => facts.has_loops(),
            None => self.ops.iter().any(|op| op.is_back_edge()),
        }
    }

    /// The callee of each call, in order of the operations; tail calls are not among them. Computes
    /// no facts.
    pub fn callees_in_order(&self) -> impl Iterator<Item = FunctionId> {
        self.ops.iter().filter_map(|op| op.callee())
    }

    /// The calls, in order of the operations, each with its position and its callee; tail calls are
    /// not among them. Computes no facts.
    pub fn calls(&self) -> impl Iterator<Item = (OpIdx, FunctionId)> {
        let ops = self.ops.iter().enumerate();
        ops.filter_map(|(at, op)| Some((OpIdx::new(at as u32), op.callee()?)))
    }

    /// The number of bytes that the function takes, with what it owns. The names, which are shared,
    /// and the facts are not counted.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.locals) + size_of_val(&*self.ops)
    }

    /// The number of loops.
    pub fn n_loops(&self) -> usize {
        self.facts().loops.len()
    }
}

/// The positions of a function. They are no part of the function's value: all are equal.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct OptionalPositions(Option<Arc<SourcePositions>>);

impl PartialEq for OptionalPositions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The place of something that is computed from a function once. It is no part of the function's
/// value: a copy has an empty one, and all are equal.
struct Derived<T>(OnceLock<Box<T>>);

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Derived<T> {}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}
