//! Deoptimization: what happens when running code finds that it is invalid.
//!
//! ```text
//!  redefinition ──► flag ──► the code checks it ──► exit: live values of all inlined functions
//!                                                        │
//!          OSR code, or the slots ◄── hot again ── interpreter completes the functions
//! ```
//! The interpreter starts from the values that the code wrote, with the IR of the versions that the
//! code was compiled from: an activation goes on in its own version. Each call that it makes goes
//! through the slot, so it runs the current definition. A loop that goes on for long is optimized
//! again: the interpreter requests OSR code and enters it ([`Environment::replace_loop`]). A
//! function that keeps calling itself in tail position leaves for code of its version
//! ([`Environment::replace_tail_call`]): where it can, in place of the code that was left, which
//! need not wait then.
//!
//! This is the way back that V8 calls deoptimization and HotSpot an uncommon trap. Here nothing is
//! speculated on but definitions, so it happens after redefinitions only.

use crate::call_graph::TierUpTarget;
use crate::code::{FunctionCode, OsrCode};
use crate::core::{Core, CoreScope};
use crate::event::{CodeName, Event};
use crate::exit_buffer::{ExitBuffer, ExitLayout};
use crate::interpreter_tier::Interpreter;
use crate::interrupt::{CallLimits, Interrupter, Watch};
use crate::lazy::CompileReason;
use crate::maths::load_maths;
use crate::policy::Recovery;
use crate::profile::{Profile, ProfiledCode};
use crate::table::{InvalidatedCode, StoredDefinition};
use crate::tier_up_state::TierUpState;
use crate::trap::Trap;
use crate::unslotted::UnslottedCode;
use crate::validity::FunctionVersion;
use kaleidoscope_ir::compile::{CodeKind, ExitFrame, of_exit_argument};
use kaleidoscope_ir::interpreter::{
    Callee, Depth, Environment, LoopOutcome, StackLimit, SuspendedFrame, resume, resume_loop, resume_results,
};
use kaleidoscope_ir::{FunctionId, OpIdx};
use kaleidoscope_native as native;
use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// An exit at which code was left.
pub(crate) struct Exited {
    code: InvalidatedCode,
    number: usize,
}

impl Exited {
    fn frames(&self) -> &[ExitFrame] {
        &self.code.validity.exit(self.number).frames
    }

    fn function(&self, frame: &ExitFrame) -> &FunctionVersion {
        self.code.validity.function(frame.instance)
    }

    /// The function that the code was compiled for.
    pub(crate) fn root(&self) -> &FunctionVersion {
        self.code.validity.function(0)
    }

    /// The loop that the code ran, if it is OSR code.
    pub(crate) fn osr_loop(&self) -> Option<usize> {
        self.code.validity.kind.osr_loop()
    }

    /// The number of values that the code wrote.
    pub(crate) fn n_values(&self) -> usize {
        self.code.validity.exit(self.number).n_values()
    }

    /// What the code has besides the values that it wrote.
    pub(crate) fn layout(&self) -> ExitLayout {
        let root = &self.root().ir;
        ExitLayout {
            n_variables: self.osr_loop().map_or(0, |_| root.locals.len()),
            n_results: self.code.validity.n_results_of_exit,
            n_arguments: self.code.validity.continues_elsewhere.then_some(root.n_params as usize),
        }
    }

    /// The functions that were active, outermost first.
    fn names(&self) -> Arc<[Arc<str>]> {
        self.frames().iter().map(|frame| Arc::clone(&self.function(frame).ir.name)).collect()
    }

    /// The functions that were active, as the interpreter completes them.
    fn suspended(&self, values: &[f64]) -> Vec<SuspendedFrame> {
        let mut values = values.iter().copied();
        let suspend = |frame: &ExitFrame| {
            let function = Arc::clone(&self.function(frame).ir);
            let mut locals = vec![0.0; function.locals.len()];
            for (local, value) in frame.locals.iter().zip(&mut values) {
                locals[local.index()] = value;
            }
            let operands = values.by_ref().take(frame.n_operands).collect();
            SuspendedFrame { function, next: frame.next, locals, operands }
        };
        self.frames().iter().map(suspend).collect()
    }

    /// Completes the functions in this environment. Returns what the exit function returns.
    fn complete<E: Environment<Trap = Trap>>(
        &self,
        environment: &E,
        buffer: &mut ExitBuffer,
        limit: StackLimit,
    ) -> Result<f64, Trap> {
        let frames = self.suspended(&buffer.values);
        let Some(nth) = self.osr_loop() else {
            let n_results = self.code.validity.n_results_of_exit;
            if n_results == 0 {
                return resume(environment, frames, limit);
            }
            let mut results = vec![0.0; n_results];
            resume_results(environment, frames, &mut results, limit)?;
            buffer.set_results(&results);
            return Ok(0.0);
        };
        let root = &self.root().ir;
        let facts = root.facts();
        let mut variables = vec![0.0; root.locals.len()];
        let header = facts.loops[nth].header;
        let outcome = resume_loop(environment, frames, header, &mut variables, limit)?;
        for &assigned in &facts.assigned[facts.loops[nth].bracket] {
            buffer.set_variable(assigned, variables[assigned.index()]);
        }
        Ok(match outcome {
            LoopOutcome::Ended => 1.0,
            LoopOutcome::AtHeader => 0.0,
        })
    }
}

impl Core {
    /// The exit that code passed to the exit function.
    pub(crate) fn exited(&self, argument: f64) -> Exited {
        let (code_number, number) = of_exit_argument(argument);
        let code = self.table().invalidated.get(&code_number).cloned();
        Exited { code: code.expect("code that runs and is invalid is in the table"), number }
    }

    /// Completes the functions of an exit. Returns what the exit function returns.
    pub(crate) fn deoptimize(&self, exited: &Exited, buffer: &mut ExitBuffer) -> Result<f64, Trap> {
        self.emit(|| Event::Deoptimized {
            code: exited.code.validity.code.clone(),
            osr_loop: exited.osr_loop(),
            inside: exited.names(),
            redefined: Arc::clone(&exited.code.redefined),
        })?;
        let watch = Watch::begin(&self.interrupter, CallLimits::new());
        let limit = StackLimit { bytes: self.settings.stack_bytes() };
        let nested = NestedCompletion::begin();
        let result = self.enter(&watch, |scope| {
            let frames = exited.frames().iter().map(|frame| ResumedFrame::new(self, exited.function(frame)));
            let completion = Completion {
                core: self,
                scope,
                watch: &watch,
                frames: frames.collect(),
                continues_elsewhere: buffer.continues_elsewhere(),
                elsewhere: Cell::new(None),
                may_nest: nested.depth < MAX_NESTED,
            };
            let value = exited.complete(&completion, buffer, limit)?;
            if let Some((code, args)) = completion.elsewhere.take() {
                buffer.continue_in(code.address(), &args);
            }
            Ok(value)
        });
        match result.flatten() {
            // The call that this one is inside is exited on return, with its own trap.
            Err(Trap::Interrupted { .. }) if native::pending_interrupt().is_some() => Ok(0.0),
            result => result,
        }
    }

    /// Completes the functions of an exit in a raw call, which nothing interrupts.
    pub(crate) fn complete_raw_call(&self, exited: &Exited, buffer: &mut ExitBuffer) -> Result<f64, Trap> {
        let no_interrupter = Interrupter::new();
        let watch = Watch::unstoppable(&no_interrupter);
        let limit = StackLimit { bytes: self.settings.stack_bytes() };
        exited.complete(&Interpreter::new(self, &watch), buffer, limit)
    }
}

/// Completions that may be nested in each other before tail calls stay in the interpreter. A
/// superseded version that calls itself in tail position for ever nests one more each time that its
/// code is left, and must not use up the stack.
const MAX_NESTED: u32 = 16;

/// One of the completions that run on this thread.
struct NestedCompletion {
    /// The number of those around it.
    depth: u32,
}

thread_local! {
    static N_COMPLETIONS: Cell<u32> = const { Cell::new(0) };
}

impl NestedCompletion {
    fn begin() -> Self {
        let depth = N_COMPLETIONS.get();
        N_COMPLETIONS.set(depth + 1);
        Self { depth }
    }
}

impl Drop for NestedCompletion {
    fn drop(&mut self) {
        N_COMPLETIONS.set(self.depth);
    }
}

/// The interpreter's view of the engine while it completes functions: all calls go through slots.
struct Completion<'a> {
    core: &'a Core,
    scope: &'a CoreScope<'a>,
    watch: &'a Watch<'a>,
    /// Whether the code that was left can continue in other code, in place of this completion.
    continues_elsewhere: bool,
    /// The code that it continues in, and the arguments.
    elsewhere: Cell<Option<(FunctionCode, Vec<f64>)>>,
    /// Whether code that runs inside this completion may be left, too.
    may_nest: bool,
    /// The functions that are completed, outermost first. The interpreter runs no others.
    frames: Vec<ResumedFrame<'a>>,
}

/// A function that is being completed.
struct ResumedFrame<'a> {
    function: &'a FunctionVersion,
    /// For each loop, when it gets OSR code.
    loop_recoveries: Box<[Cell<Recovery>]>,
    /// When tail calls continue in code.
    tail_call_recovery: Cell<Recovery>,
    /// The OSR code of its loops.
    loops: OnceCell<ResumedLoops<'a>>,
    /// Code of its version, if the version was superseded.
    code: OnceCell<UnslottedCode<'a>>,
    /// Whether the interpreter has to go on: there is no code of its version, or none that may run.
    stays_in_interpreter: Cell<bool>,
}

impl<'a> ResumedFrame<'a> {
    fn new(core: &Core, function: &'a FunctionVersion) -> Self {
        let n_loops = function.ir.n_loops();
        let recovery = Cell::new(Recovery::new(core.settings.thresholds.back_edges));
        Self {
            function,
            loop_recoveries: vec![recovery.clone(); n_loops].into(),
            tail_call_recovery: recovery,
            loops: OnceCell::new(),
            code: OnceCell::new(),
            stays_in_interpreter: Cell::new(false),
        }
    }
}

/// Counts a back edge. Returns whether optimized code is due.
fn is_due(recovery: &Cell<Recovery>) -> bool {
    let mut counted = recovery.get();
    let is_due = counted.count(1, Instant::now);
    recovery.set(counted);
    is_due
}

impl Environment for Completion<'_> {
    type Trap = Trap;
    type Data = Core;

    fn data(&self) -> &Core {
        self.core
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        Ok(match self.core.table().entry(id).definition {
            StoredDefinition::Maths(maths) => {
                load_maths()?;
                Callee::Maths(maths)
            }
            StoredDefinition::Ir(_) | StoredDefinition::Host { .. } | StoredDefinition::Unavailable => {
                Callee::Host
            }
        })
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        self.scope.call(self.core.callable(id), args)
    }

    fn add_active(&self, trap: &mut Trap, active: &mut dyn Iterator<Item = Arc<str>>) {
        trap.add_callers(active);
    }

    fn is_interrupted(&self) -> bool {
        native::pending_interrupt().is_some()
    }

    fn replace_loop(
        &self,
        frame: Depth,
        header: OpIdx,
        _is_first: bool,
        variables: &mut [f64],
    ) -> Result<bool, Trap> {
        let frame = &self.frames[frame];
        let loops = &frame.function.ir.facts().loops;
        let nth = loops.binary_search_by_key(&header, |facts| facts.header);
        let nth = nth.expect("the position is a loop's");
        if !is_due(&frame.loop_recoveries[nth]) {
            return Ok(false);
        }
        let resumed = frame.loops.get_or_init(|| ResumedLoops::new(self.core, frame.function));
        match resumed.osr_code(nth)? {
            Some(code) => self.scope.run_osr(code, variables),
            None => Ok(false),
        }
    }

    fn replace_tail_call(&self, depth: Depth, args: &[f64]) -> Result<Option<f64>, Trap> {
        let frame = &self.frames[depth];
        if frame.stays_in_interpreter.get() || !is_due(&frame.tail_call_recovery) {
            return Ok(None);
        }
        let value = match self.continue_in_code(depth, args) {
            Err(Trap::Compile { .. } | Trap::CodeMemoryFull { .. } | Trap::OutOfMemory { .. }) => None,
            result => result?,
        };
        frame.stays_in_interpreter.set(value.is_none());
        Ok(value)
    }
}

impl<'a> Completion<'a> {
    /// Continues a function with these arguments in code of its version. Its activation stays in
    /// that version, so the slot is not called. Returns nothing if the interpreter has to go on.
    fn continue_in_code(&self, depth: Depth, args: &[f64]) -> Result<Option<f64>, Trap> {
        let frame = &self.frames[depth];
        let FunctionVersion { id: Some(id), version, .. } = *frame.function else { return Ok(None) };
        if self.core.table().version(id) == version {
            self.core.materialize(id, CompileReason::FirstCall, self.watch)?;
        }
        let current = self.core.table().code_of_version(id, version);
        if let Some(code) = current {
            if depth == 0 && self.continues_elsewhere {
                self.elsewhere.set(Some((code, args.to_vec())));
                // The outermost function ends for this completion.
                return Ok(Some(0.0));
            }
            return self.call_code(code, args);
        }
        if self.may_nest && frame.code.get().is_none() {
            // Freed with this completion, so it runs inside it.
            let code = UnslottedCode::compile(self.core, frame.function, self.watch)?;
            frame.code.get_or_init(|| code);
        }
        frame.code.get().map_or(Ok(None), |code| self.call_code(code.function(), args))
    }

    fn call_code(&self, code: FunctionCode, args: &[f64]) -> Result<Option<f64>, Trap> {
        if self.may_nest { self.scope.call_version(code, args).map(Some) } else { Ok(None) }
    }
}

/// The OSR code of a function that is being completed, in a profile of its own: code of loops is
/// requested, installed and invalidated as for baseline code.
struct ResumedLoops<'a> {
    core: &'a Core,
    profile: Arc<Profile>,
}

impl<'a> ResumedLoops<'a> {
    fn new(core: &'a Core, function: &FunctionVersion) -> Self {
        let FunctionVersion { ir, id, version } = function.clone();
        let number = core.n_profiles.fetch_add(1, Ordering::Relaxed);
        let mut table = core.table();
        let unit = Arc::new(table.unit(ir, id, version));
        let profile = Arc::new(Profile::counting(number, unit, core.settings.thresholds));
        table.profiles.insert(number, Arc::clone(&profile));
        drop(table);
        Self { core, profile }
    }

    /// The loop's OSR code, which is requested if it does not exist.
    fn osr_code(&self, nth: usize) -> Result<Option<OsrCode>, Trap> {
        let code = self.profile.osr_code(nth);
        let kind = CodeKind::Osr(nth);
        if code.is_none()
            && self.profile.tier_up_state(kind) == TierUpState::Idle
            && self.profile.request_tier_up(kind)
        {
            let name = CodeName::of(&self.profile.unit);
            let emitted = self.core.emit(|| Event::Hot { code: name, osr_loop: Some(nth) });
            self.core.submit_tier_up(TierUpTarget { profile: Arc::clone(&self.profile), kind });
            emitted?;
        }
        Ok(code)
    }
}

impl Drop for ResumedLoops<'_> {
    fn drop(&mut self) {
        let mut table = self.core.table();
        table.profiles.remove(&self.profile.number());
        let osr_code = self.profile.take_osr_code();
        table.forget_osr_dependents(self.profile.number(), &osr_code);
        let osr_code = osr_code.into_iter().map(ProfiledCode::from).collect();
        self.core.retire(&mut table, osr_code, &self.profile.unit.function.name);
    }
}
