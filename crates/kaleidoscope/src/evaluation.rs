//! Running one top-level expression, in the engine's mode.

use crate::event::{BodyName, Event};
use crate::failure::Failure;
use crate::host::maths_entry;
use crate::interrupt::{Cause, Watch};
use crate::jit::{Jit, Occasion, Source};
use crate::shared::{Shared, stub_of};
use crate::{Engine, Mode};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::interpreter::{self, Environment, StackLimit};
use kaleidoscope_ir::{Function, FunctionId, HostVariable};
use kaleidoscope_lang::names::NameState;
use std::sync::Arc;
use std::time::Instant;

/// Runs the expression to its value.
pub(crate) fn evaluate(engine: &Engine, expression: &Arc<Function>) -> Result<f64, Failure> {
    let jit = &*engine.jit;
    let shared = &jit.source;
    let watch = Watch::begin(&shared.interrupter, engine.time_limit);
    let way = {
        let program = shared.program();
        if shared.settings.mode == Mode::Off || program.needs_no_code(expression) {
            Way::Reference
        } else if matches!(shared.settings.mode, Mode::Tiered | Mode::Baseline) && !expression.has_loops() {
            Way::Calls
        } else {
            Way::Code(program.unit(Arc::clone(expression), None, 1))
        }
    };
    let name = BodyName { name: Arc::clone(&expression.name), version: 1 };
    let start;
    let result = match way {
        Way::Reference => {
            start = Instant::now();
            Reference { shared, watch: &watch }.run(expression, &[])
        }
        Way::Calls => {
            start = Instant::now();
            Calls { jit, reference: Reference { shared, watch: &watch } }.run(expression)
        }
        Way::Code(unit) => {
            let body = shared.compile(unit, Occasion::Ahead).map_err(|failure| shared.failed(failure))?;
            start = Instant::now();
            jit.run_once(body, &watch, shared.settings.stack_bytes)
        }
    };
    let told = shared.tell(|| Event::Evaluated { body: name, took: start.elapsed() });
    result.and_then(|value| told.map(|()| value))
}

/// How an expression is run.
enum Way {
    /// By the evaluator, and so is all that it calls.
    Reference,
    /// Its own operations by the evaluator, which takes less time for them than making code would; functions of the program
    /// that are called more than once by their code.
    Calls,
    /// As code.
    Code(Unit),
}

/// Calls the function in the reference evaluator.
pub(crate) fn call_in_reference(
    shared: &Shared,
    watch: &Watch<'_>,
    function: FunctionId,
    args: &[f64],
) -> Result<f64, Failure> {
    let reference = Reference { shared, watch };
    match reference.callee(function)? {
        interpreter::Callee::Function(function) => reference.run(&function, args),
        interpreter::Callee::Maths(maths) => Ok(reference.maths(maths, args)),
        interpreter::Callee::Host => reference.host(function, args),
    }
}

/// What the reference evaluator asks.
#[derive(Clone, Copy)]
struct Reference<'a> {
    shared: &'a Shared,
    watch: &'a Watch<'a>,
}

impl Reference<'_> {
    fn run(&self, function: &Arc<Function>, args: &[f64]) -> Result<f64, Failure> {
        run_in(self, self, function, args)
    }
}

/// Runs the evaluator in this environment.
fn run_in(
    environment: &impl Environment<Trap = Failure>,
    reference: &Reference<'_>,
    function: &Arc<Function>,
    args: &[f64],
) -> Result<f64, Failure> {
    let limit = StackLimit { bytes: reference.shared.settings.stack_bytes };
    interpreter::evaluate(environment, function, args, limit).map_err(|failure| {
        match (failure, reference.watch.cause()) {
            (Failure::Interrupted { inside }, Cause::DeadlinePassed) => Failure::TimedOut { inside },
            (failure, _) => failure,
        }
    })
}

impl Environment for Reference<'_> {
    type Trap = Failure;

    fn callee(&self, id: FunctionId) -> Result<interpreter::Callee, Failure> {
        let mut program = self.shared.program();
        let first_call = program.note_call(id);
        if let Some(definition) = program.definition(id) {
            let function = Arc::clone(&definition.function);
            drop(program);
            self.shared.tell_first_call(first_call)?;
            return Ok(interpreter::Callee::Function(function));
        }
        match program.names.state(id) {
            NameState::Maths(maths) => Ok(interpreter::Callee::Maths(maths)),
            NameState::Host => Ok(interpreter::Callee::Host),
            _ => Err(program.why_absent(id)),
        }
    }

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        maths_entry(function).call(args)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        let host = self.shared.program().host(id).map(|host| host.stub.id());
        let value =
            self.shared.call_host(host.expect("`Callee::Host` is said of the host's functions"), args)?;
        // As code does, which comes back to the fence here.
        match self.watch.look() {
            None => Ok(value),
            Some(cause) => Err(cause.into_failure()),
        }
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.shared.program().variable(variable).get()
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.shared.program().variable(variable).set(value);
    }

    fn stop_requested(&self) -> bool {
        self.watch.ask().is_some()
    }
}

/// What the evaluator asks for an expression whose functions have code, or will have it.
#[derive(Clone, Copy)]
struct Calls<'a> {
    jit: &'a Jit<Shared>,
    reference: Reference<'a>,
}

impl Calls<'_> {
    fn run(&self, expression: &Arc<Function>) -> Result<f64, Failure> {
        run_in(self, &self.reference, expression, &[])
    }
}

impl Environment for Calls<'_> {
    type Trap = Failure;

    /// A function that was never called runs here as well, if it has no loop: it may never be called again, and once
    /// through its operations takes less time than making code of them. Its second call finds that it needs code.
    fn callee(&self, id: FunctionId) -> Result<interpreter::Callee, Failure> {
        let shared = self.reference.shared;
        let mut program = shared.program();
        loop {
            if let NameState::Maths(maths) = program.names.state(id) {
                return Ok(interpreter::Callee::Maths(maths));
            }
            let definition = program.definition(id).filter(|definition| !definition.function.has_loops());
            let Some(function) = definition.map(|definition| Arc::clone(&definition.function)) else {
                // To the evaluator what has code is foreign, and what cannot be called will say so.
                return Ok(interpreter::Callee::Host);
            };
            let Some(first_call) = program.note_call(id) else { return Ok(interpreter::Callee::Host) };
            let version = first_call.version;
            drop(program);
            shared.tell_first_call(Some(first_call))?;
            // Who was told may have defined it again.
            program = shared.program();
            if program.definition(id).is_some_and(|definition| definition.version == version) {
                return Ok(interpreter::Callee::Function(function));
            }
        }
    }

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        self.reference.maths(function, args)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        let Reference { shared, watch } = self.reference;
        let (state, arity) = {
            let program = shared.program();
            (program.names.state(id), program.names.signature(id).arity)
        };
        match state {
            NameState::Host => self.reference.host(id, args),
            _ => self
                .jit
                .enter(watch, shared.settings.stack_bytes, |inside| {
                    inside.call_stub(stub_of(id), arity, args)
                })
                .flatten(),
        }
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.reference.variable(variable)
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.reference.set_variable(variable, value);
    }

    fn stop_requested(&self) -> bool {
        self.reference.stop_requested()
    }
}
