//! The verifier against its readers: what it accepts has facts, a text form, and runs without a
//! panic.
//!
//! Every operation of every function in `corpus/` is replaced by every other operation that occurs
//! there. Most results break a promise, and the verifier must say so.

use kaleidoscope_ir::array::BadIndex;
use kaleidoscope_ir::interpreter::{
    Callee, Environment, HostData, InterpreterTrap, StackLimit, interpret_results,
};
use kaleidoscope_ir::verify::{verify, verify_calls};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable, MathsFunction, Op, text};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

/// An environment in which functions other than the first are host functions, and which interrupts
/// a run soon.
struct Interrupting {
    function: Arc<Function>,
    n_questions: Cell<u32>,
}

impl HostData for Interrupting {
    type Trap = InterpreterTrap;

    fn maths(&self, _: MathsFunction, args: &[f64]) -> f64 {
        args[0]
    }

    fn variable(&self, _: HostVariable) -> f64 {
        1.0
    }

    fn set_variable(&self, _: HostVariable, _: f64) {}

    fn element(&self, _: HostArray, _: f64) -> Result<f64, BadIndex> {
        Ok(1.0)
    }

    fn set_element(&self, _: HostArray, _: f64, _: f64) -> Result<(), BadIndex> {
        Ok(())
    }
}

impl Environment for Interrupting {
    type Trap = InterpreterTrap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, InterpreterTrap> {
        Ok(match id.index() {
            0 => Callee::Function(Arc::clone(&self.function)),
            _ => Callee::Host,
        })
    }

    fn host(&self, _: FunctionId, args: &[f64]) -> Result<f64, InterpreterTrap> {
        Ok(args.iter().sum())
    }

    fn is_interrupted(&self) -> bool {
        self.n_questions.set(self.n_questions.get() + 1);
        self.n_questions.get() > 50
    }
}

/// All functions of the corpus.
fn functions() -> Vec<Function> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut functions = Vec::new();
    for entry in folder.read_dir().expect("the corpus is readable") {
        let path = entry.expect("the corpus is readable").path();
        let source = std::fs::read_to_string(&path).expect("a file of the corpus is text");
        functions.extend(text::parse(&source).expect("a file of the corpus is in text form"));
    }
    functions
}

/// The function with another operation at one position, and the height that fits.
fn mutated(function: &Function, at: usize, op: Op) -> Option<Function> {
    let mut mutated = function.clone();
    mutated.ops[at] = op;
    // Only the height may be wrong besides, and then the text form without it is right.
    let text = mutated.to_string();
    let (header, ops) = text.split_once('\n').expect("a text form has a header");
    let (header, _) = header.rsplit_once(", stack").expect("a header has a height");
    format!("{header}\n{ops}").parse().ok()
}

/// Does everything with a function that its readers may do after the verifier accepts it.
fn use_function(function: Function) {
    for found in &function.facts().loops {
        assert!(function.facts().assigned[found.bracket].contains(&found.variable), "{function}");
        found.variables(&function);
    }
    assert_eq!(function.to_string().parse().as_ref(), Ok(&function));
    let args = vec![2.0; function.n_params as usize];
    let function = Arc::new(function);
    let env = Interrupting { function: Arc::clone(&function), n_questions: Cell::new(0) };
    let mut results = vec![0.0; function.n_results as usize];
    let _ = interpret_results(&env, &function, &args, &mut results, StackLimit { bytes: 1 << 14 });
}

#[test]
fn what_the_verifier_accepts_has_facts_and_runs() {
    let functions = functions();
    let mut donors: Vec<Op> = functions.iter().flat_map(|function| function.ops.to_vec()).collect();
    donors.sort_by_key(|op| format!("{op:?}"));
    donors.dedup();
    let (mut n_accepted, mut n_refused) = (0, 0);
    for function in &functions {
        let arity_of = |id: FunctionId| (id == FunctionId::new(0)).then_some(function.n_params);
        for at in 0..function.ops.len() {
            for &op in &donors {
                match mutated(function, at, op).filter(|mutated| verify_calls(mutated, arity_of).is_ok()) {
                    Some(mutated) => {
                        assert_eq!(verify(&mutated), Ok(()));
                        use_function(mutated);
                        n_accepted += 1;
                    }
                    None => n_refused += 1,
                }
            }
        }
    }
    assert!(n_accepted > 500 && n_refused > 5_000, "{n_accepted} accepted, {n_refused} refused");
}
