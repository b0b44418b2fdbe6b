//! Ahead-of-time programs: what a script does, item by item, planned without running it.
//!
//! Definitions change only between items, and reading a script commits them. So before each
//! top-level expression the engine's tables say what every call in it will reach. The plan records
//! that for each function that the expression can reach. A function whose calls always reach the
//! same definition is called directly. Every other one gets a slot, which changes at the first
//! expression that can see the change.

mod c_name;
mod header;
#[cfg(test)]
mod tests;

use crate::failure::Unavailable;
use crate::program::Program;
use crate::{Diagnostic, DiagnosticCode, Engine, Error, PutchardUnit, Source, Span, render};
use c_name::c_name;
use kaleidoscope_ir::compile::{
    BuildRequest, BuildStep, CompileError, LinkedCallee, LinkedFunction, LinkedProgram, LinkedSlot,
    LinkedTarget, RuntimeFunction, UnavailableFunction,
};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::diagnostic::Color;
use kaleidoscope_lang::item::{Item, Read};
use kaleidoscope_lang::names::NameState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The runtime of built programs, as the text of a C file. Executables are linked with it. With the
/// macro `KALEIDOSCOPE_LIBRARY` it is what libraries need.
pub const RUNTIME: &str = include_str!("ahead_of_time/runtime.c");

/// A program that is compiled ahead of time. It takes the items of scripts that the engine
/// [reads](crate::Script::read_next), in the order in which they would run.
///
/// ```
/// use kaleidoscope::{AheadOfTime, Engine};
///
/// let engine = Engine::new()?;
/// let mut script = engine.script("squares.kal");
/// script.push("def square(x) x * x; square(7);");
/// script.finish();
/// let mut program = AheadOfTime::new(&engine, "squares");
/// while let Some(read) = script.read_next() {
///     program.add(&read, &script.source())?;
/// }
/// let program = program.finish()?;
/// assert_eq!(program.functions.len(), 2);
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Debug)]
pub struct AheadOfTime {
    engine: Engine,
    name: String,
    /// The program runs its expressions.
    runs: bool,
    /// Other programs can call its functions.
    exports: bool,
    is_quiet: bool,
    /// The functions that the program itself defines.
    defined: BTreeSet<FunctionId>,
    /// The functions whose targets are known since the last definition.
    known: HashSet<FunctionId>,
    targets: BTreeMap<FunctionId, Targets>,
    functions: Vec<LinkedFunction>,
    /// The index of each version of a function.
    indices: HashMap<(FunctionId, u32), usize>,
    unavailable: Vec<UnavailableFunction>,
    steps: Vec<Step>,
}

/// What the calls of a function have reached, in order.
#[derive(Debug)]
struct Targets {
    signature: kaleidoscope_lang::names::Signature,
    list: Vec<LinkedTarget>,
}

#[derive(Debug)]
enum Step {
    /// From here on, calls of the function reach another target.
    Change(FunctionId, LinkedTarget),
    Evaluate {
        function: usize,
        place: String,
    },
}

/// A function of a built library that C programs can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The name in the language: `f`, `unary!`, `binary|`.
    pub name: String,
    /// The name in C.
    pub c_name: String,
    /// The names of the parameters in the language.
    pub parameters: Vec<String>,
}

impl AheadOfTime {
    /// A program that runs its expressions, with this name for the module.
    pub fn new(engine: &Engine, name: &str) -> Self {
        Self {
            engine: engine.clone(),
            name: name.to_owned(),
            runs: true,
            exports: false,
            is_quiet: false,
            defined: BTreeSet::new(),
            known: HashSet::new(),
            targets: BTreeMap::new(),
            functions: Vec::new(),
            indices: HashMap::new(),
            unavailable: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Whether other programs can call the functions that the program defines.
    #[must_use]
    pub fn exports(self, exports: bool) -> Self {
        Self { exports, ..self }
    }

    /// Whether the program runs its expressions. A library does not.
    #[must_use]
    pub fn runs(self, runs: bool) -> Self {
        Self { runs, ..self }
    }

    /// Whether the values of expressions are not printed.
    #[must_use]
    pub fn quiet(self, is_quiet: bool) -> Self {
        Self { is_quiet, ..self }
    }

    /// Adds an item that the engine has just read, from this source.
    ///
    /// # Errors
    /// [`ErrorKind::CannotBuild`](crate::ErrorKind::CannotBuild) if an expression needs the host:
    /// its functions, variables or arrays.
    pub fn add(&mut self, read: &Read, source: &Source) -> Result<(), Error> {
        match &read.item {
            Some(Item::Definition { id, .. }) => {
                self.defined.insert(*id);
                self.known.clear();
                Ok(())
            }
            Some(Item::Extern { .. }) => {
                self.known.clear();
                Ok(())
            }
            Some(Item::Expression { function }) if self.runs => {
                self.add_expression(function, read.span, source)
            }
            _ => Ok(()),
        }
    }

    /// The functions that other programs can call, in the order in which they were first named.
    pub fn list_exports(&self) -> Vec<Export> {
        let program = self.engine.shared.program();
        let is_defined = |id: &FunctionId| program.names.state(*id) == NameState::Defined;
        let ids = self.defined.iter().copied().filter(is_defined);
        let export = |id| {
            let function = self.engine.jit.ir(id)?;
            let parameters = &function.locals[..function.n_params as usize];
            Some(Export {
                name: function.name.to_string(),
                c_name: c_name(&function.name),
                parameters: parameters.iter().map(ToString::to_string).collect(),
            })
        };
        ids.filter_map(export).collect()
    }

    /// A C header that declares the functions that other programs can call.
    pub fn header(&self) -> String {
        header::header(&self.name, &self.list_exports())
    }

    /// The plan of the whole program.
    ///
    /// # Errors
    /// As [`add`](Self::add), for the functions that other programs can call.
    pub fn finish(mut self) -> Result<LinkedProgram, Error> {
        if self.exports {
            self.export_functions()?;
        }
        let mut slots = Vec::new();
        let mut callees = BTreeMap::new();
        for (id, targets) in self.targets {
            let [first, ..] = targets.list[..] else { continue };
            let callee = if targets.list.len() == 1 {
                LinkedCallee::Direct(first)
            } else {
                let name = targets.signature.name.to_string();
                slots.push(LinkedSlot { name, n_params: targets.signature.arity, first });
                LinkedCallee::Slot(slots.len() - 1)
            };
            callees.insert(id, callee);
        }
        let is_printed = !self.is_quiet;
        let steps = self.steps.into_iter().filter_map(|step| match step {
            Step::Evaluate { function, place } => Some(BuildStep::Evaluate { function, place, is_printed }),
            Step::Change(id, target) => match callees[&id] {
                LinkedCallee::Slot(slot) => Some(BuildStep::Redirect(slot, target)),
                LinkedCallee::Direct(_) => None,
            },
        });
        let steps = self.runs.then(|| steps.collect());
        let Self { name, functions, unavailable, .. } = self;
        Ok(LinkedProgram { name, functions, unavailable, slots, callees, steps })
    }

    fn add_expression(&mut self, function: &Arc<Function>, span: Span, source: &Source) -> Result<(), Error> {
        self.reach_callees(function)?;
        let index = self.functions.len();
        let function = Arc::clone(function);
        self.functions.push(LinkedFunction { function, id: None, version: 1, exported: None });
        self.steps.push(Step::Evaluate { function: index, place: self.place(index, span, source) });
        Ok(())
    }

    /// What a message says of the place of an expression. Without a call that can fail there is no
    /// message.
    fn place(&self, function: usize, span: Span, source: &Source) -> String {
        let target = |id| self.targets.get(&id).and_then(|targets| targets.list.last());
        let can_fail = |id| !matches!(target(id), Some(LinkedTarget::Maths(_)));
        if !self.functions[function].function.callees_in_order().any(can_fail) {
            return String::new();
        }
        let diagnostic = Diagnostic::error(DiagnosticCode::UndefinedCalled, span, "");
        let text = render(&diagnostic, source, Color::Never);
        text.split_once('\n').map_or_else(String::new, |(_, place)| place.to_owned())
    }

    fn export_functions(&mut self) -> Result<(), Error> {
        self.known.clear();
        let ids: Vec<_> = self.defined.iter().copied().collect();
        for id in ids {
            self.reach(id)?;
            let Some(LinkedTarget::Function(index)) = self.target_now(id)? else { continue };
            let linked = &mut self.functions[index];
            linked.exported = Some(c_name(&linked.function.name));
        }
        Ok(())
    }

    /// The target of calls of the function at the end of the program, if that is a definition.
    fn target_now(&mut self, id: FunctionId) -> Result<Option<LinkedTarget>, Error> {
        let state = self.engine.shared.program().names.state(id);
        if state == NameState::Defined { self.target(id).map(Some) } else { Ok(None) }
    }

    fn reach_callees(&mut self, function: &Arc<Function>) -> Result<(), Error> {
        check_operations(function)?;
        for callee in function.callees_in_order() {
            self.reach(callee)?;
        }
        Ok(())
    }

    /// Notes what calls of the function reach now, and those of all functions that it can reach.
    fn reach(&mut self, id: FunctionId) -> Result<(), Error> {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if !self.known.insert(id) {
                continue;
            }
            let target = self.target(id)?;
            self.note(id, target);
            if let LinkedTarget::Function(index) = target {
                let function = &self.functions[index].function;
                check_operations(function)?;
                pending.extend(function.callees_in_order());
            }
        }
        Ok(())
    }

    fn note(&mut self, id: FunctionId, target: LinkedTarget) {
        let engine = &self.engine;
        let targets = self.targets.entry(id).or_insert_with(|| Targets {
            signature: engine.shared.program().names.signature(id).clone(),
            list: Vec::new(),
        });
        if targets.list.last() == Some(&target) {
            return;
        }
        targets.list.push(target);
        if targets.list.len() > 1 {
            self.steps.push(Step::Change(id, target));
        }
    }

    /// What calls of the function reach now.
    fn target(&mut self, id: FunctionId) -> Result<LinkedTarget, Error> {
        let engine = self.engine.clone();
        let program = engine.shared.program();
        match program.names.state(id) {
            NameState::Maths(function) => Ok(LinkedTarget::Maths(function)),
            NameState::Host => self.runtime_function(&program, id),
            NameState::Defined => {
                let function = engine.jit.ir(id).expect("a defined function has operations");
                Ok(self.definition(id, engine.jit.version(id), function))
            }
            _ => Ok(self.unavailable(&program, id)),
        }
    }

    fn definition(&mut self, id: FunctionId, version: u32, function: Arc<Function>) -> LinkedTarget {
        let index = *self.indices.entry((id, version)).or_insert_with(|| {
            self.functions.push(LinkedFunction { function, id: Some(id), version, exported: None });
            self.functions.len() - 1
        });
        LinkedTarget::Function(index)
    }

    fn runtime_function(&self, program: &Program, id: FunctionId) -> Result<LinkedTarget, Error> {
        let name = &program.names.signature(id).name;
        let is_built_in = program.built_in_hosts().any(|built_in| built_in == id);
        let unit = self.engine.shared.settings.putchard_unit;
        match &**name {
            "putchard" if is_built_in && unit == PutchardUnit::Byte => {
                Ok(LinkedTarget::Runtime(RuntimeFunction::PutchardByte))
            }
            "putchard" if is_built_in => Ok(LinkedTarget::Runtime(RuntimeFunction::Putchard)),
            "putbyte" if is_built_in => Ok(LinkedTarget::Runtime(RuntimeFunction::Putbyte)),
            "printd" if is_built_in => Ok(LinkedTarget::Runtime(RuntimeFunction::Printd)),
            _ => Err(Error::cannot_build(&format!("`{name}` is a function of the host"))),
        }
    }

    fn unavailable(&mut self, program: &Program, id: FunctionId) -> LinkedTarget {
        let reason = program.why_unavailable(id);
        let signature = program.names.signature(id);
        let message = format!("error[{}]: {reason}\n", reason.code());
        let is_same = |known: &UnavailableFunction| {
            *known.name == *signature.name && known.n_params == signature.arity && known.message == message
        };
        let index = self.unavailable.iter().position(is_same).unwrap_or_else(|| {
            let host = matches!(reason, Unavailable::Missing { .. }).then(|| c_name(&signature.name));
            let (name, n_params) = (signature.name.to_string(), signature.arity);
            self.unavailable.push(UnavailableFunction { name, n_params, host, message });
            self.unavailable.len() - 1
        });
        LinkedTarget::Unavailable(index)
    }
}

impl Engine {
    /// Compiles a program ahead of time with the optimizing compiler. Returns the files that the
    /// request lists, in its order.
    ///
    /// # Errors
    /// Why there are none: for example, this engine's mode has no optimizing compiler.
    pub fn build(&self, request: BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
        self.jit.build(request)
    }
}

/// Refuses what only a host has.
fn check_operations(function: &Function) -> Result<(), Error> {
    let counts = &function.facts().counts;
    let what = match (counts.host_accesses, counts.element_accesses) {
        (0, 0) => return Ok(()),
        (0, _) => "an array",
        _ => "a variable",
    };
    let name = &function.name;
    let user = if name.starts_with('$') { "an expression".to_owned() } else { format!("`{name}`") };
    Err(Error::cannot_build(&format!("{user} uses {what} of the host")))
}
