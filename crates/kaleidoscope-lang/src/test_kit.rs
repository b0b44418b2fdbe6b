//! Test kit of this crate: a session that reads and runs text, and returns the results as one line.

use std::cell::RefCell;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::item::{Item, Read};
use crate::names::{NameState, Names};
use crate::number;
use crate::reader::Reader;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::array::{BadIndex, element_at};
use kaleidoscope_ir::interpreter::{Callee, Environment, HostData, InterpreterTrap, StackLimit, interpret};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable};

/// A program that runs in the interpreter.
pub(crate) struct Session {
    pub(crate) names: Names,
    pub(crate) limit: StackLimit,
    bodies: Vec<Option<Arc<Function>>>,
    /// The values of the host variables.
    variables: RefCell<Vec<f64>>,
    arrays: RefCell<Vec<Vec<f64>>>,
}

impl Session {
    pub(crate) fn new() -> Self {
        let mut names = Names::new();
        names.declare_host("putchard", 1);
        names.declare_host("printd", 1);
        Self {
            names,
            limit: StackLimit { bytes: 1 << 20 },
            bodies: Vec::new(),
            variables: RefCell::default(),
            arrays: RefCell::default(),
        }
    }

    /// Adds a host variable to the program.
    pub(crate) fn bind(&mut self, name: &str, value: f64) -> HostVariable {
        self.variables.get_mut().push(value);
        self.names.add_variable(name)
    }

    /// Adds an array of the host with these elements to the program.
    pub(crate) fn bind_array(&mut self, name: &str, elements: &[f64]) -> HostArray {
        self.arrays.get_mut().push(elements.to_vec());
        self.names.add_array(name)
    }

    /// Reads and runs all items. Each value, error (`KLS2001`) and warning (`(KLS2003)`) is a word
    /// of the result. Most texts have several items on a line; the warnings of that are left out.
    pub(crate) fn run(&mut self, text: &str) -> String {
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        let mut words = Vec::new();
        while let Some(read) = reader.read(&self.names) {
            self.take(read, &mut words);
        }
        let side_by_side = format!("({})", DiagnosticCode::SideBySide);
        words.retain(|word| *word != side_by_side);
        words.join(" ")
    }

    /// Runs an item.
    pub(crate) fn take(&mut self, read: Read, words: &mut Vec<String>) {
        assert!(
            read.item.is_some() != read.diagnostics.iter().any(Diagnostic::is_error),
            "an item or an error: {read:?}"
        );
        words.extend(read.diagnostics.iter().map(|diagnostic| match diagnostic.severity {
            Severity::Error => diagnostic.code.to_string(),
            Severity::Warning => format!("({})", diagnostic.code),
        }));
        let Some(item) = read.item else { return };
        self.names.commit(&item);
        match item {
            Item::Definition { id, function, .. } => {
                self.bodies.resize(self.names.n_functions(), None);
                self.bodies[id.index()] = Some(function);
            }
            Item::Extern { .. } | Item::WithoutEffect => {}
            Item::Expression { function } => words.push(match interpret(self, &function, &[], self.limit) {
                Ok(value) => number::format(value),
                Err(code) => code.0.to_string(),
            }),
        }
    }
}

/// The diagnostic code of a trap.
pub(crate) struct Trap(pub(crate) DiagnosticCode);

impl From<InterpreterTrap> for Trap {
    fn from(trap: InterpreterTrap) -> Self {
        Self(match trap {
            InterpreterTrap::StackOverflow { .. } => DiagnosticCode::StackOverflow,
            InterpreterTrap::Interrupted => DiagnosticCode::Interrupted,
            InterpreterTrap::BadIndex { .. } => DiagnosticCode::IndexOutOfRange,
        })
    }
}

impl HostData for Session {
    type Trap = Trap;

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        match (function, args) {
            (MathsFunction::Pow, &[x, y]) => x.powf(y),
            (MathsFunction::Sqrt, &[x]) => x.sqrt(),
            (MathsFunction::Cos, &[x]) => x.cos(),
            _ => f64::NAN,
        }
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.variables.borrow()[variable.index()]
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.variables.borrow_mut()[variable.index()] = value;
    }

    fn element(&self, array: HostArray, index: f64) -> Result<f64, BadIndex> {
        let elements = &self.arrays.borrow()[array.index()];
        let bad = || BadIndex { array: Arc::default(), index, len: elements.len() };
        Ok(elements[element_at(index, elements.len()).ok_or_else(bad)?])
    }

    fn set_element(&self, array: HostArray, index: f64, value: f64) -> Result<(), BadIndex> {
        let elements = &mut self.arrays.borrow_mut()[array.index()];
        let len = elements.len();
        let bad = || BadIndex { array: Arc::default(), index, len };
        elements[element_at(index, len).ok_or_else(bad)?] = value;
        Ok(())
    }
}

impl Environment for Session {
    type Trap = Trap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        match self.names.state(id) {
            NameState::Undefined => Err(Trap(DiagnosticCode::UndefinedCalled)),
            NameState::Declared => Err(Trap(DiagnosticCode::MissingHostFunction)),
            NameState::Replaced => Err(Trap(DiagnosticCode::StaleArity)),
            NameState::Maths(function) => Ok(Callee::Maths(function)),
            NameState::Host => Ok(Callee::Host),
            NameState::Defined => {
                Ok(Callee::Function(self.bodies[id.index()].clone().expect("it is defined")))
            }
        }
    }

    fn host(&self, _: FunctionId, _: &[f64]) -> Result<f64, Trap> {
        Ok(0.0)
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Runs a text in a new session and compares the result.
#[track_caller]
pub(crate) fn check(text: &str, expected: &str) {
    assert_eq!(Session::new().run(text), expected, "{text}");
}

/// All diagnostics of a text, rendered.
pub(crate) fn rendered(text: &str) -> String {
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let mut rendered = String::new();
    while let Some(read) = reader.read(&names) {
        for diagnostic in &read.diagnostics {
            let color = crate::diagnostic::Color::Never;
            rendered.push_str(&crate::diagnostic::render(diagnostic, &reader.source(), color));
        }
        if let Some(item) = &read.item {
            names.commit(item);
        }
    }
    rendered
}

/// Runs a test on a thread with the default stack size.
pub(crate) fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(test).expect("threads can be made");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Pseudo-random numbers (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}
