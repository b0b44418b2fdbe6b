//! Interpreter tier: runs IR without machine code.
//!
//! Loop-free top-level expressions run in the interpreter, and so does the first call of a
//! loop-free function from such an expression or from the host. Most code never runs twice, and
//! interpreting a few operations takes a fraction of the microseconds that compiling takes. With
//! [`Mode::Off`] the interpreter runs everything.
//!
//! Guarded calls switch to the engine's floating-point mode by themselves; here the entries do.

use crate::core::Core;
use crate::event::{CodeName, Event};
use crate::interrupt::{CallLimits, StopCause, Watch};
use crate::lazy::MAX_INTERPRETED_PARAMS;
use crate::maths::load_maths;
use crate::mode::Mode;
use crate::table::StoredDefinition;
use crate::trap::Trap;
use crate::unslotted::UnslottedCode;
use crate::validity::FunctionVersion;
use crate::verify::{refused, several_results};
use kaleidoscope_ir::interpreter::{self, Callee, Environment, HostData, StackLimit};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_native as native;
use std::sync::Arc;
use std::time::Instant;

/// How an expression runs.
enum Plan {
    /// In the interpreter, with all functions that it calls.
    Interpret,
    /// In the interpreter. Functions that it calls for the second time run as machine code.
    InterpretOnce,
    /// As machine code.
    Compile,
}

impl Core {
    /// Runs a top-level expression to its value.
    pub(crate) fn run_once(&self, expression: &Arc<Function>, limits: CallLimits) -> Result<f64, Trap> {
        self.admit()?;
        native::in_engine_mode(|| self.run_once_in_engine_mode(expression, limits))
    }

    fn run_once_in_engine_mode(&self, expression: &Arc<Function>, limits: CallLimits) -> Result<f64, Trap> {
        native::keep_signals().map_err(native::Trap::from).map_err(|trap| self.trap(trap, None))?;
        let watch = Watch::begin(&self.interrupter, limits);
        let plan = {
            let table = self.table();
            let needs_no_code = || !self.settings.has_debug_info && table.needs_no_code(expression);
            if self.settings.mode == Mode::Off || needs_no_code() {
                Plan::Interpret
            } else if self.settings.has_interpreter_tier() && !expression.has_loops() {
                Plan::InterpretOnce
            } else {
                Plan::Compile
            }
        };
        let code = CodeName { name: Arc::clone(&expression.name), version: 1 };
        let start;
        let result = match plan {
            Plan::Interpret => {
                start = Instant::now();
                let interpreter = Interpreter { core: self, watch: &watch };
                interpreter.run(&interpreter, expression, &[])
            }
            Plan::InterpretOnce => {
                start = Instant::now();
                let interpreter = Interpreter { core: self, watch: &watch };
                interpreter.run(&OnceInterpreter(interpreter), expression, &[])
            }
            Plan::Compile => {
                watch.around(|| self.compile_reachable(expression, &watch));
                let expression = FunctionVersion { ir: Arc::clone(expression), id: None, version: 1 };
                let compiled = watch.around(|| UnslottedCode::compile(self, &expression, &watch));
                let compiled = compiled.map_err(|trap| self.emit_failed(trap))?;
                start = Instant::now();
                let called = self.enter(&watch, |scope| scope.call_code(compiled.code())).flatten();
                let freed = compiled.free();
                called.and_then(|value| freed.map(|()| value))
            }
        };
        let emitted = self.emit(|| Event::Evaluated { code, took: start.elapsed() });
        result.and_then(|value| emitted.map(|()| value))
    }

    /// Runs a function's first call in the interpreter. Returns nothing if the call needs code.
    #[cold]
    pub(crate) fn interpret_first_call(
        &self,
        function: FunctionId,
        args: &[f64],
        watch: &Watch<'_>,
    ) -> Option<Result<f64, Trap>> {
        if self.settings.has_debug_info {
            return None;
        }
        if let Err(trap) = self.admit() {
            return Some(Err(trap));
        }
        {
            let table = self.table();
            let entry = table.entry(function);
            entry.ir().filter(|ir| !entry.was_called() && runs_once_in_interpreter(ir))?;
        }
        let run = || {
            let interpreter = Interpreter { core: self, watch };
            let environment = OnceInterpreter(interpreter);
            match environment.callee(function)? {
                Callee::Function(ir) => interpreter.run(&environment, &ir, args).map(Some),
                // It was called or redefined meanwhile.
                Callee::Host | Callee::Maths(_) => Ok(None),
            }
        };
        native::in_engine_mode(run).transpose()
    }

    /// Calls a function in the interpreter.
    pub(crate) fn interpret(
        &self,
        function: FunctionId,
        args: &[f64],
        watch: &Watch<'_>,
    ) -> Result<f64, Trap> {
        self.admit()?;
        let interpreter = Interpreter { core: self, watch };
        native::in_engine_mode(|| match interpreter.callee(function)? {
            Callee::Function(ir) => interpreter.run(&interpreter, &ir, args),
            Callee::Maths(maths) => Ok(self.maths(maths, args)),
            Callee::Host => interpreter.host(function, args),
        })
    }
}

/// The interpreter's view of the engine.
#[derive(Clone, Copy)]
pub(crate) struct Interpreter<'a> {
    core: &'a Core,
    watch: &'a Watch<'a>,
}

impl<'a> Interpreter<'a> {
    pub(crate) fn new(core: &'a Core, watch: &'a Watch<'a>) -> Self {
        Self { core, watch }
    }

    /// Runs a function in this environment.
    fn run(
        &self,
        environment: &impl Environment<Trap = Trap>,
        function: &Arc<Function>,
        args: &[f64],
    ) -> Result<f64, Trap> {
        let limit = StackLimit { bytes: self.core.settings.stack_bytes() };
        interpreter::interpret(environment, function, args, limit).map_err(|trap| self.with_cause(trap))
    }

    /// The interpreter's trap, with the cause that the interpreter does not know.
    fn with_cause(&self, trap: Trap) -> Trap {
        match trap {
            Trap::Interrupted { inside } => {
                self.watch.check().unwrap_or(StopCause::Interrupted).into_trap(inside)
            }
            trap => trap,
        }
    }
}

impl Environment for Interpreter<'_> {
    type Trap = Trap;
    type Data = Core;

    fn data(&self) -> &Core {
        self.core
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        loop {
            let mut table = self.core.table();
            let entry = table.entry_mut(id);
            let first_call = entry.note_call();
            let ir = match &entry.definition {
                StoredDefinition::Ir(ir) => Arc::clone(ir),
                StoredDefinition::Maths(maths) => return load_maths().map(|()| Callee::Maths(*maths)),
                StoredDefinition::Host { .. } => return Ok(Callee::Host),
                StoredDefinition::Unavailable => {
                    drop(table);
                    return Err(self.core.unavailable(id));
                }
            };
            let version = entry.version();
            drop(table);
            if ir.n_results != 1 {
                return Err(refused(&ir, version, several_results(&ir)));
            }
            let Some(code) = first_call else { return Ok(Callee::Function(ir)) };
            let version = code.version;
            self.watch.around(|| self.core.emit(|| Event::FirstCalled { code }))?;
            // An observer may have redefined the function.
            if self.core.table().version(id) == version {
                return Ok(Callee::Function(ir));
            }
        }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        let stub = self.core.table().entry(id).host.as_ref().map(|stub| stub.id());
        let stub = stub.expect("a host function has a stub");
        let called = self.watch.around(|| native::in_host_mode(|| self.core.call_host(stub, args)));
        // The host may have forked the process.
        self.core.admit_process()?;
        // Generated code checks when the host function returns, too. What stops the evaluation may
        // be why the host function failed.
        match (called, self.watch.check()) {
            (Ok(_) | Err(Trap::Host { .. }), Some(cause)) => Err(cause.into_trap(Vec::new())),
            (called, _) => called,
        }
    }

    fn add_active(&self, trap: &mut Trap, active: &mut dyn Iterator<Item = Arc<str>>) {
        trap.add_callers(active);
    }

    fn is_interrupted(&self) -> bool {
        self.watch.check_often().is_some()
    }
}

/// Whether the interpreter runs the first call of a function: when that takes less time than
/// compiling it. What code refuses is left to a compilation to refuse.
fn runs_once_in_interpreter(function: &Function) -> bool {
    !function.has_loops() && function.n_params <= MAX_INTERPRETED_PARAMS
}

/// The interpreter's view for an expression whose callees have machine code, or may get it.
#[derive(Clone, Copy)]
struct OnceInterpreter<'a>(Interpreter<'a>);

impl Environment for OnceInterpreter<'_> {
    type Trap = Trap;
    type Data = Core;

    fn data(&self) -> &Core {
        self.0.core
    }

    /// A loop-free function that was never called runs in the interpreter. Its second call finds
    /// that it needs code. To the interpreter, everything with code is a host function.
    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        let core = self.0.core;
        loop {
            let mut table = core.table();
            let entry = table.entry_mut(id);
            let ir = match &entry.definition {
                StoredDefinition::Maths(maths) => return load_maths().map(|()| Callee::Maths(*maths)),
                StoredDefinition::Ir(ir) if runs_once_in_interpreter(ir) => Arc::clone(ir),
                StoredDefinition::Ir(_) | StoredDefinition::Host { .. } | StoredDefinition::Unavailable => {
                    return Ok(Callee::Host);
                }
            };
            let Some(first_call) = entry.note_call() else { return Ok(Callee::Host) };
            let version = first_call.version;
            drop(table);
            self.0.watch.around(|| core.emit(|| Event::FirstCalled { code: first_call }))?;
            // An observer may have redefined the function.
            if core.table().version(id) == version {
                // As a compilation does: whether broken IR is refused must not depend on the tier.
                core.verify_version(&ir, version).map_err(|trap| core.emit_failed(trap))?;
                return Ok(Callee::Function(ir));
            }
        }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        let Interpreter { core, watch } = self.0;
        let is_host = matches!(core.table().entry(id).definition, StoredDefinition::Host { .. });
        if is_host { self.0.host(id, args) } else { core.call(core.callable(id), args, watch) }
    }

    fn add_active(&self, trap: &mut Trap, active: &mut dyn Iterator<Item = Arc<str>>) {
        trap.add_callers(active);
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }
}
