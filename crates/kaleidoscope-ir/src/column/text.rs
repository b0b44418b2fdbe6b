//! The printed form of a column program, for tests and bug reports.
//!
//! `c0` is a column, `s0` a slot, `u0` a uniform. A leaf of a fork is indented below its index and
//! the values of its columns.

use super::ColumnProgram;
use super::body::{Body, Operand, Slot, Step};
use super::operation::{Operation, Uniform};
use std::fmt;

impl fmt::Display for ColumnProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, uniform) in self.uniforms.iter().enumerate() {
            match uniform {
                Uniform::Number(bits) => writeln!(f, "u{number} = {}", f64::from_bits(*bits))?,
                Uniform::Variable(variable) => writeln!(f, "u{number} = variable {}", variable.index())?,
                Uniform::Scalar(param) => writeln!(f, "u{number} = scalar {param}")?,
                Uniform::Operation(operation) => {
                    let operation = operation.map(|number| Operand::Uniform(number as usize));
                    writeln!(f, "u{number} = {operation}")?;
                }
            }
        }
        write_body(f, &self.body, 0)
    }
}

fn write_body(f: &mut fmt::Formatter<'_>, body: &Body, indent: usize) -> fmt::Result {
    for step in &body.steps {
        match step {
            Step::Operation { operation, out } => writeln!(f, "{:indent$}{out} = {operation}", "")?,
            Step::Fork(fork) => {
                let list =
                    |items: &[Operand]| -> String { items.iter().map(|item| format!(" {item}")).collect() };
                let outs: Vec<_> = fork.outs.iter().map(|&slot| Operand::Slot(slot)).collect();
                let rest: String = fork.rest.iter().map(|rest| format!(", rest{}", list(rest))).collect();
                writeln!(f, "{:indent$}fork {} to{}{rest}", "", fork.selector, list(&outs))?;
                for (nth, leaf) in fork.leaves.iter().enumerate() {
                    writeln!(f, "{:indent$}  {}:{}", "", nth + 1, list(&leaf.captures))?;
                    write_body(f, &leaf.body, indent + 4)?;
                }
            }
        }
    }
    Ok(())
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(number) => write!(f, "c{number}"),
            Self::Uniform(number) => write!(f, "u{number}"),
            Self::Slot(slot) => slot.fmt(f),
        }
    }
}

impl fmt::Display for Operation<Operand> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Copy(_) => "copy".to_owned(),
            Self::Exact(exact, _) => format!("{exact:?}").to_lowercase(),
            Self::Arithmetic(arithmetic, ..) => format!("{arithmetic:?}").to_lowercase(),
            Self::Select { .. } => "select".to_owned(),
            Self::SelectLess { .. } => "select_less".to_owned(),
            Self::Maths1(function, _) | Self::Maths2(function, ..) => function.name().to_owned(),
            Self::Gather(array, _) => format!("gather {}", array.index()),
        };
        f.write_str(&name)?;
        self.operands().try_for_each(|operand| write!(f, " {operand}"))
    }
}
