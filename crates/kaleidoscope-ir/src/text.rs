//! A resolved function as text for people: one operation a line, brackets indented.

use std::fmt;

use crate::number::Shown;
use crate::{Arithmetic, Function, FunctionId, HostVariable, Local, Op};

/// Names for what the IR refers to by id.
pub trait Symbols {
    /// The name of a function.
    fn function(&self, id: FunctionId) -> Option<&str>;

    /// The name of a host variable.
    fn host_variable(&self, id: HostVariable) -> Option<&str>;
}

/// Deeper brackets are not indented further, or a listing of deep ones would be mostly space.
const MAX_INDENT: usize = 20;

/// A function that displays as its listing, with the names of the functions it calls.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    function: &'a Function,
    symbols: Option<&'a dyn Symbols>,
}

impl<'a> Listing<'a> {
    /// The listing of a function whose ids are from `names`.
    pub fn new(function: &'a Function, symbols: &'a dyn Symbols) -> Self {
        Self { function, symbols: Some(symbols) }
    }
}

/// The listing, with the functions that it calls and the variables of the host by number.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Listing { function: self, symbols: None }.fmt(f)
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Function { name, n_params, locals, ops, max_stack, .. } = self.function;
        writeln!(f, "{name}: {n_params} parameters, {} variables, {max_stack} values at most", locals.len())?;
        let mut n_brackets = 0usize;
        for (idx, &op) in ops.iter().enumerate() {
            if matches!(op, Op::Else { .. } | Op::End | Op::Next { .. }) {
                n_brackets = n_brackets.saturating_sub(1);
            }
            let indent = 2 * n_brackets.min(MAX_INDENT);
            write!(f, "{idx:>5}  {:indent$}", "")?;
            self.write_op(f, op)?;
            if matches!(op, Op::Else { .. } | Op::If { .. } | Op::Loop) {
                n_brackets += 1;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.function, f)
    }
}

impl Listing<'_> {
    fn write_op(&self, f: &mut fmt::Formatter<'_>, op: Op) -> fmt::Result {
        match op {
            Op::Number(value) => writeln!(f, "number {}", Shown(value)),
            Op::Get(local) => writeln!(f, "get {}", self.local(local)),
            Op::Set(local) => writeln!(f, "set {}", self.local(local)),
            Op::GetHost(variable) => writeln!(f, "get host {}", self.host_variable(variable)),
            Op::SetHost(variable) => writeln!(f, "set host {}", self.host_variable(variable)),
            Op::Drop => writeln!(f, "drop"),
            Op::Arithmetic(arithmetic) => writeln!(f, "{}", arithmetic_name(arithmetic)),
            Op::Square => writeln!(f, "square"),
            Op::Call { callee, n_args } => writeln!(f, "call {}/{n_args}", self.callee(callee)),
            Op::TailCall => writeln!(f, "tail call"),
            Op::If { otherwise } => writeln!(f, "if (else at {})", otherwise.index()),
            Op::Else { end } => writeln!(f, "else (end at {})", end.index()),
            Op::End => writeln!(f, "end"),
            Op::Loop => writeln!(f, "loop"),
            Op::Next { variable, header } => {
                writeln!(f, "next {} (loop at {})", self.local(variable), header.index())
            }
        }
    }

    /// Variables may share a name, so each carries its number.
    fn local(&self, local: Local) -> impl fmt::Display {
        let name = self.function.locals.get(local.index()).map_or("?", |name| &**name);
        format!("{name}.{}", local.index())
    }

    fn host_variable(&self, variable: HostVariable) -> String {
        let name = self.symbols.and_then(|symbols| symbols.host_variable(variable));
        name.map_or_else(|| format!("#{}", variable.index()), str::to_owned)
    }

    fn callee(&self, id: FunctionId) -> String {
        let name = self.symbols.and_then(|symbols| symbols.function(id));
        name.map_or_else(|| format!("#{}", id.index()), str::to_owned)
    }
}

fn arithmetic_name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::Add => "add",
        Arithmetic::Subtract => "subtract",
        Arithmetic::Multiply => "multiply",
        Arithmetic::Divide => "divide",
        Arithmetic::Power => "power",
        Arithmetic::Less => "less",
    }
}
