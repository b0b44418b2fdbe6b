//! Functions in text form with results: each parses, prints, verifies and runs in the interpreter.
//!
//! A comment `; run f(1, 2) = 3` in a file says what a call must give: its results or a trap.

use kaleidoscope_ir::array::{BadIndex, element_at};
use kaleidoscope_ir::interpreter::{
    Callee, Environment, HostData, InterpreterTrap, StackLimit, interpret_results,
};
use kaleidoscope_ir::verify::verify_calls;
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable, MathsFunction, number, text};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The id of the host function, which adds its arguments.
const SUM: FunctionId = FunctionId::new(1000);

/// The functions of a file, and the values of two host variables and of an array's elements.
struct Program {
    functions: Vec<Arc<Function>>,
    variables: [Cell<f64>; 2],
    elements: [Cell<f64>; 3],
}

/// A trap, in words.
#[derive(Debug)]
struct Trap(String);

impl From<InterpreterTrap> for Trap {
    fn from(trap: InterpreterTrap) -> Self {
        match trap {
            InterpreterTrap::StackOverflow { function } => Self(format!("stack overflow in {function}")),
            InterpreterTrap::Interrupted => Self("interrupted".to_owned()),
            InterpreterTrap::BadIndex { index, inside } => Self(format!("{index} in {}", inside.join(" ← "))),
        }
    }
}

impl HostData for Program {
    type Trap = Trap;

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        assert_eq!(function, MathsFunction::Pow);
        args[0].powf(args[1])
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.variables[variable.index()].get()
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.variables[variable.index()].set(value);
    }

    fn element(&self, array: HostArray, index: f64) -> Result<f64, BadIndex> {
        Ok(self.element_at(array, index)?.get())
    }

    fn set_element(&self, array: HostArray, index: f64, value: f64) -> Result<(), BadIndex> {
        self.element_at(array, index)?.set(value);
        Ok(())
    }
}

impl Environment for Program {
    type Trap = Trap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        match self.functions.get(id.index()) {
            Some(function) => Ok(Callee::Function(Arc::clone(function))),
            None if id == SUM => Ok(Callee::Host),
            None => Err(Trap(format!("no function #{}", id.index()))),
        }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        assert_eq!(id, SUM);
        Ok(args.iter().sum())
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

impl Program {
    fn element_at(&self, array: HostArray, index: f64) -> Result<&Cell<f64>, BadIndex> {
        assert_eq!(array, HostArray::new(0));
        let len = self.elements.len();
        let bad = || BadIndex { array: "u".into(), index, len };
        element_at(index, len).map(|at| &self.elements[at]).ok_or_else(bad)
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = folder.read_dir().expect("the corpus is readable");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("the corpus is readable").path()).collect();
    files.sort();
    files
}

/// Runs a call such as `f(1, 2)`. Returns its results or its trap, as text.
fn run(program: &Program, call: &str) -> String {
    let (name, args) = call.strip_suffix(')').and_then(|call| call.split_once('(')).expect("a call");
    let function = program.functions.iter().find(|function| &*function.name == name);
    let function = function.unwrap_or_else(|| panic!("there is no function {name}"));
    let args = args.split(", ").filter(|arg| !arg.is_empty());
    let args: Vec<f64> = args.map(|arg| arg.parse().expect("an argument is a number")).collect();
    let mut results = vec![0.0; function.n_results as usize];
    match interpret_results(program, function, &args, &mut results, StackLimit { bytes: 1 << 16 }) {
        Ok(()) => results.into_iter().map(number::format).collect::<Vec<_>>().join(", "),
        Err(Trap(reason)) => reason,
    }
}

#[test]
fn functions_parse_print_verify_and_run() {
    let mut n_runs = 0;
    for path in files() {
        let source = std::fs::read_to_string(&path).expect("a file of the corpus is text");
        let functions = text::parse(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let arity_of = |id: FunctionId| Some(functions.get(id.index())?.n_params);
        for function in &functions {
            assert_eq!(function.to_string().parse().as_ref(), Ok(function), "{}", path.display());
            assert_eq!(verify_calls(function, arity_of), Ok(()), "{}: {function}", path.display());
        }
        let functions = functions.into_iter().map(Arc::new).collect();
        let variables = [5.0, 0.0].map(Cell::new);
        let program = Program { functions, variables, elements: [10.0, 20.0, 30.0].map(Cell::new) };
        for expectation in source.lines().filter_map(|line| line.strip_prefix("; run ")) {
            let (call, expected) = expectation.split_once(" = ").expect("an expectation has a result");
            assert_eq!(run(&program, call), expected, "{}: {call}", path.display());
            n_runs += 1;
        }
    }
    assert!(n_runs > 30, "the corpus has only {n_runs} expectations");
}
