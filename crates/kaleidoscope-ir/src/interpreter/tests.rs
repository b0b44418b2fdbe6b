//! Interrupts, the stack limit and replaced loops. What operations compute is tested by
//! `tests/corpus.rs`.

use super::{Callee, Depth, Environment, HostData, InterpreterTrap, StackLimit, interpret};
use crate::array::BadIndex;
use crate::{Function, FunctionId, HostArray, HostVariable, MathsFunction, OpIdx};
use std::cell::Cell;
use std::sync::Arc;

/// Every id means one function. Interrupts a run after a number of questions.
struct OneFunction {
    function: Arc<Function>,
    n_left: Cell<u32>,
    /// The iteration before which a loop is replaced.
    replace_at: Option<usize>,
    n_iterations: Cell<usize>,
}

impl HostData for OneFunction {
    type Trap = InterpreterTrap;

    fn maths(&self, _: MathsFunction, _: &[f64]) -> f64 {
        unreachable!("the functions call no maths function")
    }

    fn variable(&self, _: HostVariable) -> f64 {
        unreachable!("the functions use no host variable")
    }

    fn set_variable(&self, _: HostVariable, _: f64) {
        unreachable!("the functions use no host variable")
    }

    fn element(&self, _: HostArray, _: f64) -> Result<f64, BadIndex> {
        unreachable!("the functions use no array")
    }

    fn set_element(&self, _: HostArray, _: f64, _: f64) -> Result<(), BadIndex> {
        unreachable!("the functions use no array")
    }
}

impl Environment for OneFunction {
    type Trap = InterpreterTrap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, _: FunctionId) -> Result<Callee, InterpreterTrap> {
        Ok(Callee::Function(Arc::clone(&self.function)))
    }

    fn host(&self, _: FunctionId, _: &[f64]) -> Result<f64, InterpreterTrap> {
        unreachable!("the functions call no host function")
    }

    fn is_interrupted(&self) -> bool {
        self.n_left.set(self.n_left.get().saturating_sub(1));
        self.n_left.get() == 0
    }

    /// A replaced loop sets its first variable to 100.
    fn replace_loop(
        &self,
        _: Depth,
        _: OpIdx,
        is_first: bool,
        variables: &mut [f64],
    ) -> Result<bool, InterpreterTrap> {
        let iteration = if is_first { 0 } else { self.n_iterations.get() + 1 };
        self.n_iterations.set(iteration);
        let replaces = self.replace_at == Some(iteration);
        if replaces {
            variables[0] = 100.0;
        }
        Ok(replaces)
    }
}

/// Runs a function in text form, which calls itself as #0.
fn run(text: &str, args: &[f64], bytes: usize, n_questions: u32) -> Result<f64, InterpreterTrap> {
    let function = Arc::new(text.parse().expect("the text form is right"));
    let env = OneFunction {
        function: Arc::clone(&function),
        n_left: Cell::new(n_questions),
        replace_at: None,
        n_iterations: Cell::new(0),
    };
    interpret(&env, &function, args, StackLimit { bytes })
}

const COUNT_DOWN: &str =
    "function f(n.0)\nget n.0\nif\nget n.0\nnumber 1\nsubtract\ncall f#0/1\nelse\nnumber 7\nend";

#[test]
fn endless_programs_are_interrupted() {
    let texts = [
        "function f(x.0)\nget x.0\ntail_call",
        "function f(x.0)\nloop\nnumber 0\nnumber 1\nnext x.0\nnumber 0",
        "function f(x.0)\nget x.0\ncall f#0/1",
    ];
    for text in texts {
        assert_eq!(run(text, &[1.0], 1 << 20, 100), Err(InterpreterTrap::Interrupted), "{text}");
    }
}

#[test]
fn the_stack_limit_counts_active_calls() {
    let overflow = Err(InterpreterTrap::StackOverflow { function: "f".into() });
    assert_eq!(run(COUNT_DOWN, &[100.0], 100_000, u32::MAX), Ok(7.0));
    assert_eq!(run(COUNT_DOWN, &[10_000.0], 100_000, u32::MAX), overflow);
    assert_eq!(run("function f()\nnumber 1", &[], 0, u32::MAX), overflow);
}

#[test]
fn the_environment_can_replace_a_loop_of_the_first_function() {
    // Counts x up to the second parameter by 1.
    let text = "function f(x.0 n.1)\nloop\nnumber 1\nget x.0\nget n.1\nless\nnext x.0\nget x.0";
    let function: Arc<Function> = Arc::new(text.parse().expect("the text form is right"));
    for (replace_at, expected) in [(None, 4.0), (Some(0), 100.0), (Some(2), 100.0), (Some(9), 4.0)] {
        let env = OneFunction {
            function: Arc::clone(&function),
            n_left: Cell::new(u32::MAX),
            replace_at,
            n_iterations: Cell::new(0),
        };
        let limit = StackLimit { bytes: 1 << 20 };
        assert_eq!(interpret(&env, &function, &[0.0, 3.0], limit), Ok(expected), "{replace_at:?}");
    }
}
