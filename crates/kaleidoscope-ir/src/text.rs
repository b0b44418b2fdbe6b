//! Text form of the IR: what `emit ir`, IR tests, bug reports and the book show, and a parser for
//! it.
//!
//! [`Display`](std::fmt::Display) of [`Function`] prints a function. [`WithNames`] prints it with the
//! names of the functions, host variables and arrays that it refers to. [`parse()`] reads either
//! form. The
//! result equals the function that was printed, down to the bits of its numbers.
//!
//! ```text
//! function f(x.0), locals n.1, stack 3   ; name, parameters, other variables, max_stack
//!     0  get x.0                         ; the position is optional
//!     1  number 1
//!     2  less
//!     3  if (else 6)                     ; targets are optional too: they follow from nesting
//!     4    get x.0
//!     5    call sqrt#15/1                ; name (optional), id and number of arguments
//!     6  else (end 8)
//!     7    get_host time#0
//!     8  end
//! ```
//!
//! A variable is written with its name and number, because two may share a name. For a callee, a
//! host variable or an array of the host the number decides; the name is for the reader. A name
//! with other characters than usual is in quotes: `"a b".0`. A NaN with other bits than usual has
//! them behind it: `nan:7ff8000000000001`. Without `stack`, the parser computes the height. A
//! function with another number of results than one has `, results 2` before `, stack`.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{ParseError, parse};

use std::fmt::{self, Write as _};

use crate::number::Shown;
use crate::op::Bracket;
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op};

/// The names of what the IR refers to by id.
pub trait IdNames {
    /// The name of a function.
    fn function(&self, id: FunctionId) -> Option<&str>;

    /// The name of a host variable.
    fn host_variable(&self, id: HostVariable) -> Option<&str>;

    /// The name of an array of the host.
    fn host_array(&self, id: HostArray) -> Option<&str>;
}

/// Displays as the text form of a function, with names from a table.
#[derive(Clone, Copy)]
pub struct WithNames<'a> {
    function: &'a Function,
    names: Option<&'a dyn IdNames>,
}

impl<'a> WithNames<'a> {
    /// The text form of a function whose ids are those of `names`.
    pub fn new(function: &'a Function, names: &'a dyn IdNames) -> Self {
        Self { function, names: Some(names) }
    }
}

/// The text form, with callees, host variables and arrays by number.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WithNames { function: self, names: None }.fmt(f)
    }
}

impl fmt::Debug for WithNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.function, f)
    }
}

/// The deepest indentation in brackets: text of deeper ones would be mostly space.
const MAX_INDENT: usize = 20;

impl fmt::Display for WithNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_header(f)?;
        let mut n_open = 0usize;
        for (idx, &op) in self.function.ops.iter().enumerate() {
            let (ends, begins) = match op.bracket() {
                Some(Bracket::Begin) => (0, 1),
                Some(Bracket::Middle) => (1, 1),
                Some(Bracket::End) => (1, 0),
                None => (0, 0),
            };
            n_open = n_open.saturating_sub(ends);
            let indent = 2 * n_open.min(MAX_INDENT);
            write!(f, "{idx:>5}  {:indent$}", "")?;
            self.write_op(f, op)?;
            f.write_char('\n')?;
            n_open += begins;
        }
        Ok(())
    }
}

impl WithNames<'_> {
    fn write_header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Function { name, n_params, locals, max_stack, n_results, .. } = self.function;
        write!(f, "function {}(", Name(name))?;
        let n_params = (*n_params as usize).min(locals.len());
        for idx in 0..locals.len() {
            match idx {
                _ if idx == n_params => f.write_str("), locals ")?,
                0 => {}
                _ => f.write_char(' ')?,
            }
            self.write_local(f, Local::new(idx as u32))?;
        }
        if n_params == locals.len() {
            f.write_char(')')?;
        }
        if *n_results != 1 {
            write!(f, ", results {n_results}")?;
        }
        writeln!(f, ", stack {max_stack}")
    }

    fn write_op(&self, f: &mut fmt::Formatter<'_>, op: Op) -> fmt::Result {
        match op {
            Op::Number(value) => write_number(f, value),
            Op::Get(local) => {
                f.write_str("get ")?;
                self.write_local(f, local)
            }
            Op::Set(local) => {
                f.write_str("set ")?;
                self.write_local(f, local)
            }
            Op::GetHost(variable) => {
                f.write_str("get_host ")?;
                self.write_host_variable(f, variable)
            }
            Op::SetHost(variable) => {
                f.write_str("set_host ")?;
                self.write_host_variable(f, variable)
            }
            Op::GetElement(array) => self.write_access(f, "get_element", array),
            Op::SetElement(array) => self.write_access(f, "set_element", array),
            Op::Drop => f.write_str("drop"),
            Op::Arithmetic(arithmetic) => f.write_str(arithmetic_name(arithmetic)),
            Op::Square => f.write_str("square"),
            Op::Call { callee, n_args } => {
                let name = self.names.and_then(|names| names.function(callee));
                write!(f, "call {}#{}/{n_args}", Name(name.unwrap_or_default()), callee.index())
            }
            Op::TailCall => f.write_str("tail_call"),
            Op::If { otherwise } => write!(f, "if (else {})", otherwise.index()),
            Op::Else { end } => write!(f, "else (end {})", end.index()),
            Op::End => f.write_str("end"),
            Op::Loop => f.write_str("loop"),
            Op::Next { variable, header } => {
                f.write_str("next ")?;
                self.write_local(f, variable)?;
                write!(f, " (loop {})", header.index())
            }
        }
    }

    fn write_local(&self, f: &mut fmt::Formatter<'_>, local: Local) -> fmt::Result {
        let name = self.function.locals.get(local.index()).map_or("", |name| &**name);
        write!(f, "{}.{}", Name(name), local.index())
    }

    fn write_host_variable(&self, f: &mut fmt::Formatter<'_>, variable: HostVariable) -> fmt::Result {
        let name = self.names.and_then(|names| names.host_variable(variable));
        write!(f, "{}#{}", Name(name.unwrap_or_default()), variable.index())
    }

    fn write_access(&self, f: &mut fmt::Formatter<'_>, word: &str, array: HostArray) -> fmt::Result {
        let name = self.names.and_then(|names| names.host_array(array));
        write!(f, "{word} {}#{}", Name(name.unwrap_or_default()), array.index())
    }
}

fn write_number(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    write!(f, "number {}", Shown(value))?;
    if value.is_nan() && value.to_bits() != f64::NAN.to_bits() {
        write!(f, ":{:016x}", value.to_bits())?;
    }
    Ok(())
}

/// The operation's word for each arithmetic operator.
const ARITHMETIC: [Arithmetic; 6] = [
    Arithmetic::Add,
    Arithmetic::Subtract,
    Arithmetic::Multiply,
    Arithmetic::Divide,
    Arithmetic::Power,
    Arithmetic::Less,
];

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

/// A name that displays bare where that is unambiguous, otherwise in quotes. The empty name
/// displays as nothing.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().all(is_bare) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Whether a name with this character can be written without quotes.
fn is_bare(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '"' | '\\' | '(' | ')' | ',' | '.' | ';' | '#' | '/')
}
