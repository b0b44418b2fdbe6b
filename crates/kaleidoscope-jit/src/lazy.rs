//! Lazy compilation: what a function's first call does.
//!
//! A call of a function without code enters the lazy-compile entry, which asks for code here. One
//! thread compiles; others that call the function meanwhile wait. The code is installed in the
//! slot, unless the function was redefined during the compilation.
//!
//! Limits of evaluations hold for the wait: a call whose time is up leaves the compile thread to
//! its work, which installs the code for later calls. A compilation that has not begun by then is
//! dropped.

use crate::code::{CodeInfo, CodeOrigin, CompiledCode, FunctionCode};
use crate::code_state::{CallAction, CodeState};
use crate::compile_queue::Waited;
use crate::core::{Core, SharedCore};
use crate::event::{CodeName, Event, Tier};
use crate::interrupt::{STOP_CHECK_INTERVAL, Watch};
use crate::maths::{known_maths, load_maths, maths_entry};
use crate::mode::Mode;
use crate::policy;
use crate::profile::{Profile, ProfiledCode};
use crate::table::{Dependent, StoredDefinition, Table};
use crate::trap::Trap;
use crate::validity::{Dependency, NewFlag};
use kaleidoscope_ir::compile::{CallTarget, Code, CodeGenerator, CodeKind, CompileError, Unit};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_native::CodeAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Why a function is compiled before it is hot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompileReason {
    /// A call reached the function and found no code.
    FirstCall,
    /// The code is compiled before a call: of a new definition in eager mode, or of an expression.
    Eager,
}

/// As many parameters as code passes: more are an error in every mode with code.
pub(crate) const MAX_INTERPRETED_PARAMS: u32 = 65_535;

/// A unit, and the functions that its code will depend on.
pub(crate) struct UnitToCompile {
    pub(crate) unit: Unit,
    dependencies: Box<[Dependency]>,
}

/// How a compilation of initial code ended, for a caller that gave it something to keep.
pub(crate) enum Compilation<K> {
    Code(K, ProfiledCode),
    Failed(Trap),
    /// The evaluation is to stop. A compilation that has begun goes on in the background.
    Abandoned(Trap),
}

/// Initial code that is being compiled: the unit, and what else the code is made from.
struct FirstCompilation {
    unit: Arc<Unit>,
    dependencies: Box<[Dependency]>,
    flag: Option<NewFlag>,
    tier: Tier,
    profile: Option<Arc<Profile>>,
}

/// What a function's initial code is made from.
enum CodeSource {
    Compile(UnitToCompile),
    Provided(CompiledCode),
}

impl Core {
    /// A call reached the function's slot and found no code. Returns the address to continue at.
    pub(crate) fn first_call(&self, function: FunctionId, watch: &Watch<'_>) -> Result<CodeAddress, Trap> {
        let address = self.materialize(function, CompileReason::FirstCall, watch)?;
        if !self.settings.has_debug_info {
            return Ok(address);
        }
        let ir = self.table().entry(function).ir().cloned();
        ir.map_or(Ok(address), |ir| {
            self.compile_reachable(&ir, watch);
            // A callee may have invalidated the code.
            self.materialize(function, CompileReason::FirstCall, watch)
        })
    }

    /// In an engine whose code debuggers see, compiles all functions that this one reaches and that
    /// have no code. A debugger steps into a function only if it has code already. Errors are those
    /// of the calls themselves, when they happen.
    pub(crate) fn compile_reachable(&self, function: &Arc<Function>, watch: &Watch<'_>) {
        if !self.settings.has_debug_info {
            return;
        }
        let mut seen = BTreeSet::new();
        let mut waiting = vec![Arc::clone(function)];
        while let Some(caller) = waiting.pop() {
            for callee in caller.callees_in_order().filter(|callee| seen.insert(*callee)) {
                let (ir, is_lazy) = {
                    let table = self.table();
                    let entry = table.entry(callee);
                    (entry.ir().cloned(), matches!(entry.state, CodeState::Lazy { .. }))
                };
                let Some(ir) = ir else { continue };
                if is_lazy && self.materialize(callee, CompileReason::Eager, watch).is_err() {
                    return;
                }
                waiting.push(ir);
            }
        }
    }

    /// The address of the function's code, compiled now if there is none. Waits for another thread
    /// that compiles it. A first call is emitted before the version that it reached is compiled.
    /// Returns the trap of the watch when the evaluation is to stop.
    pub(crate) fn materialize(
        &self,
        function: FunctionId,
        reason: CompileReason,
        watch: &Watch<'_>,
    ) -> Result<CodeAddress, Trap> {
        loop {
            let mut table = self.table();
            let version = table.version(function);
            if reason == CompileReason::FirstCall
                && let Some(code) = table.entry_mut(function).note_call()
            {
                drop(table);
                self.emit(|| Event::FirstCalled { code })?;
                table = self.table();
                // An observer may have redefined the function.
                if table.version(function) != version {
                    continue;
                }
            }
            if matches!(table.entry(function).definition, StoredDefinition::Unavailable) {
                drop(table);
                let trap = self.unavailable(function);
                if self.table().version(function) == version {
                    return Err(trap);
                }
                continue;
            }
            match table.entry_mut(function).state.on_call() {
                CallAction::Jump(address) => return Ok(address),
                CallAction::Wait => {
                    let waited = self.compiled.wait_timeout(table, STOP_CHECK_INTERVAL);
                    let (table, _) = waited.unwrap_or_else(PoisonError::into_inner);
                    let name = table.entry(function).name();
                    drop(table);
                    if let Some(cause) = watch.check() {
                        return Err(cause.into_trap(vec![name]));
                    }
                }
                CallAction::Compile { version } => {
                    drop(table);
                    if let Some(address) = self.compile_and_install(function, version, reason, watch)? {
                        return Ok(address);
                    }
                }
            }
        }
    }

    /// Compiles the code and installs it. Returns nothing if the function, or a dependency of the
    /// code, was redefined in the meantime; the code is dropped then.
    fn compile_and_install(
        &self,
        function: FunctionId,
        version: u32,
        reason: CompileReason,
        watch: &Watch<'_>,
    ) -> Result<Option<CodeAddress>, Trap> {
        let core = self.shared().expect("an engine that is called exists");
        let compiling = CompilingGuard { core, function, version, is_installed: false };
        let compilation = match self.code_source_of_version(function, version) {
            Ok(Some(CodeSource::Provided(code))) => Compilation::Code(compiling, code.into()),
            Ok(Some(CodeSource::Compile(unit))) => {
                self.compile_first(unit, reason, watch, compiling, |compiling, code| {
                    let core = Arc::clone(&compiling.core);
                    // Observer panics are ignored here: no evaluation is waiting for the result.
                    match code {
                        Ok(code) => drop(core.install_first(compiling, code)),
                        Err(trap) => {
                            drop(compiling);
                            drop(core.emit_failed(trap));
                        }
                    }
                })
            }
            Ok(None) => return Ok(None),
            Err(trap) => {
                drop(compiling);
                Compilation::Failed(trap)
            }
        };
        match compilation {
            Compilation::Code(compiling, code) => self.install_first(compiling, code),
            Compilation::Failed(trap) => Err(self.emit_failed(trap)),
            Compilation::Abandoned(trap) => Err(trap),
        }
    }

    /// Installs the initial code, and emits that. Returns nothing if it is out of date.
    fn install_first(
        &self,
        compiling: CompilingGuard,
        code: ProfiledCode,
    ) -> Result<Option<CodeAddress>, Trap> {
        let CompilingGuard { function, version, .. } = compiling;
        let (info, profile) = (code.code.info.clone(), code.profile.clone());
        let installed = self.table().install(function, Box::new(code));
        // No observer knows the code yet, so a refused one is dropped without an event.
        let Ok(address) = installed else { return Ok(None) };
        compiling.succeed();
        if !self.settings.observers.is_empty() {
            self.emit_compiled(&info)?;
        }
        if let Some(profile) = &profile {
            self.tier_up_known(profile)?;
        }
        if self.settings.observers.is_empty() {
            return Ok(Some(address));
        }
        // An observer may have redefined something that the code depends on. A new call does not
        // enter invalid code.
        Ok(self.table().code_of_version(function, version).map(FunctionCode::address))
    }

    /// What the initial code of this version of a function is made from. Returns nothing if it was
    /// redefined.
    fn code_source_of_version(&self, function: FunctionId, version: u32) -> Result<Option<CodeSource>, Trap> {
        load_maths()?;
        let ir = self.table().entry(function).ir().cloned();
        if let Some(ir) = ir {
            self.verify_version(&ir, version)?;
        }
        let mut table = self.table();
        let is_current = table.version(function) == version;
        Ok(is_current.then(|| table.code_source(function, version)))
    }

    /// Compiles the initial code of a unit, by the tier that the mode asks for.
    ///
    /// What the caller gives to `keep` comes back with the code. If the evaluation is to stop
    /// first, `abandoned` gets it later, with the code, on the compile thread.
    pub(crate) fn compile_first<K: Send + 'static>(
        &self,
        unit: UnitToCompile,
        reason: CompileReason,
        watch: &Watch<'_>,
        keep: K,
        abandoned: impl FnOnce(K, Result<ProfiledCode, Trap>) + Send + 'static,
    ) -> Compilation<K> {
        let first = match self.begin_compilation(unit, reason) {
            Ok(first) => first,
            Err(trap) => return Compilation::Failed(trap),
        };
        let unit = Arc::clone(&first.unit);
        let (keep, code) = match &self.compile_queue {
            Some(queue) if first.tier != Tier::Baseline => {
                let core = self.shared();
                let task = move |generator: &mut dyn CodeGenerator| {
                    let code = generator.generate(&first.unit);
                    Ok((keep, first, code))
                };
                let abandoned = move |(keep, first, code): (K, FirstCompilation, _)| {
                    if let Some(core) = core {
                        abandoned(keep, first.finish(&core, code));
                    }
                };
                match queue.run_while(|| watch.check(), task, abandoned) {
                    Ok(Waited::Done((keep, first, code))) => (keep, first.finish(self, code)),
                    Ok(Waited::Abandoned(cause)) => {
                        return Compilation::Abandoned(
                            cause.into_trap(vec![Arc::clone(&unit.function.name)]),
                        );
                    }
                    Err(reason) => {
                        return Compilation::Failed(Trap::Compile { code: CodeName::of(&unit), reason });
                    }
                }
            }
            _ => (keep, self.compile_baseline(first)),
        };
        match code {
            Ok(code) => Compilation::Code(keep, code),
            Err(trap) => Compilation::Failed(trap),
        }
    }

    /// Prepares the compilation of initial code.
    fn begin_compilation(
        &self,
        unit: UnitToCompile,
        reason: CompileReason,
    ) -> Result<FirstCompilation, Trap> {
        self.code_budget.check()?;
        let UnitToCompile { mut unit, dependencies } = unit;
        unit.known_maths = known_maths(&unit);
        let flag = self.add_validity_flag(&mut unit, &dependencies)?;
        let unit = Arc::new(unit);
        let has_backend = self.compile_queue.is_some();
        let (tier, profile) = match (self.settings.mode, reason) {
            (Mode::Lazy | Mode::Eager, CompileReason::FirstCall) if has_backend => (Tier::Lazy, None),
            (Mode::Lazy | Mode::Eager, CompileReason::Eager) if has_backend => (Tier::Eager, None),
            _ => (Tier::Baseline, has_backend.then(|| Arc::new(self.new_profile(&unit)))),
        };
        Ok(FirstCompilation { unit, dependencies, flag, tier, profile })
    }

    /// Compiles baseline code, with counters if the profile has any. A function that is too large
    /// to count is compiled without.
    fn compile_baseline(&self, mut first: FirstCompilation) -> Result<ProfiledCode, Trap> {
        let counting = first.profile.as_deref().filter(|profile| profile.counts());
        let mut code = self.baseline.compile(&first.unit, counting);
        if code.is_err() && first.profile.take().is_some() {
            code = self.baseline.compile(&first.unit, None);
        }
        first.finish(self, code)
    }

    fn new_profile(&self, unit: &Arc<Unit>) -> Profile {
        let number = self.n_profiles.fetch_add(1, Ordering::Relaxed);
        match self.calls_per_count_of(unit) {
            Some(calls_per_count) => Profile::uncounted(number, Arc::clone(unit), calls_per_count),
            None => Profile::counting(number, Arc::clone(unit), self.settings.thresholds),
        }
    }

    /// Calls of the unit's code per counted event, if it need not count itself.
    fn calls_per_count_of(&self, unit: &Unit) -> Option<u32> {
        let function = &unit.function;
        if function.has_loops() || !policy::can_be_inlined(function) {
            return None;
        }
        let callees =
            unit.call_targets.iter().filter(|(_, callee)| matches!(callee, CallTarget::Slot { .. }));
        self.table().calls_per_count(unit.id?, callees.map(|(&id, _)| id))
    }
}

impl Table {
    /// The unit of an IR function, with the dependencies of plain code: the maths functions that it
    /// calls directly.
    pub(crate) fn unit_to_compile(
        &mut self,
        function: Arc<Function>,
        id: Option<FunctionId>,
        version: u32,
    ) -> UnitToCompile {
        let unit = self.unit(function, id, version);
        let dependencies: Box<[_]> = self.maths_dependencies(&unit.call_targets).collect();
        for &(function, _) in &dependencies {
            self.provide_code(function);
        }
        UnitToCompile { unit, dependencies }
    }

    /// Points the slot of a maths function to C's function, for code that calls it there.
    fn provide_code(&mut self, function: FunctionId) {
        let entry = self.entry_mut(function);
        if let CodeState::Lazy { version } = entry.state
            && let CodeSource::Provided(code) = self.code_source(function, version)
        {
            let entry = self.entry_mut(function);
            entry.state.on_call();
            let installed = entry.install(Box::new(code.into()));
            debug_assert!(installed.is_ok(), "the state waits for this version");
        }
    }

    /// The maths functions among call targets, with their versions.
    pub(crate) fn maths_dependencies<'a>(
        &'a self,
        callees: &'a BTreeMap<FunctionId, CallTarget>,
    ) -> impl Iterator<Item = Dependency> + 'a {
        callees.iter().filter_map(|(&id, callee)| match callee {
            CallTarget::Maths { .. } => Some((id, self.version(id))),
            CallTarget::Slot { .. } => None,
        })
    }

    /// A snapshot of what the function's initial code is made from.
    fn code_source(&mut self, function: FunctionId, version: u32) -> CodeSource {
        let entry = self.entry(function);
        let ir = entry.ir().cloned();
        if let Some(ir) = ir {
            return CodeSource::Compile(self.unit_to_compile(ir, Some(function), version));
        }
        let provided = |name: &str, address| {
            let name = CodeName { name: name.into(), version };
            CodeSource::Provided(CompiledCode::provided(function, name, entry.arity(), address))
        };
        match &entry.definition {
            StoredDefinition::Maths(maths) => provided(maths.name(), maths_entry(*maths).guest_address()),
            StoredDefinition::Host { name } => {
                let stub = entry.host.as_ref().expect("a host function has a stub");
                provided(name, stub.address())
            }
            StoredDefinition::Ir(_) | StoredDefinition::Unavailable => {
                unreachable!("IR is compiled, and a function without a definition is not called")
            }
        }
    }

    /// Installs a function's initial code, unless it is out of date.
    fn install(
        &mut self,
        function: FunctionId,
        code: Box<ProfiledCode>,
    ) -> Result<CodeAddress, Box<ProfiledCode>> {
        if !self.is_current(&code.code) {
            return Err(code);
        }
        let (dependencies, profile) = (code.code.dependencies.clone(), code.profile.clone());
        let entry = self.entry_mut(function);
        if entry.must_count && profile.as_ref().is_some_and(|profile| !profile.counts()) {
            // That became known after the compilation began.
            return Err(code);
        }
        let address = entry.install(code)?;
        self.note_dependent(Dependent::Function(function), &dependencies);
        if let Some(profile) = profile {
            self.note_profile(&profile);
        }
        Ok(address)
    }
}

impl FirstCompilation {
    /// The initial code, now that it is compiled.
    fn finish(self, core: &Core, code: Result<Code, CompileError>) -> Result<ProfiledCode, Trap> {
        let Self { unit, dependencies, flag, mut tier, profile } = self;
        let mut code = code;
        if tier != Tier::Baseline && matches!(code, Err(CompileError::TooLarge)) {
            // The baseline compiler takes larger functions.
            tier = Tier::Baseline;
            code = core.baseline.compile(&unit, None);
        }
        if matches!(code, Err(CompileError::TooLarge)) && unit.function.n_params <= MAX_INTERPRETED_PARAMS {
            // The interpreter takes what no compiler takes.
            let (code, reason) = (CodeName::of(&unit), CompileError::TooLarge.to_string());
            core.emit(|| Event::CompileFailed { code, reason })?;
            return core.interpreted_code(&unit).map(ProfiledCode::from);
        }
        let mut code = code.map_err(|reason| Trap::Compile { code: CodeName::of(&unit), reason })?;
        let exits = std::mem::take(&mut code.exits);
        let validity = flag.map(|flag| flag.of_code(&unit, &dependencies, exits));
        let code = core.code_budget.charge(code)?;
        let info = CodeInfo {
            function: unit.id,
            name: CodeName::of(&unit),
            origin: CodeOrigin::Compiled {
                tier,
                kind: CodeKind::Function,
                times: code.times,
                bytes: code.bytes,
            },
            inlined: Arc::default(),
        };
        let code = CompiledCode::new(info, &unit, dependencies, validity, code);
        Ok(ProfiledCode { code, profile })
    }
}

/// Ends a compilation: returns the function from `Compiling` if no code was installed, even after a
/// panic, and wakes the waiting threads.
struct CompilingGuard {
    core: SharedCore,
    function: FunctionId,
    version: u32,
    is_installed: bool,
}

impl CompilingGuard {
    /// The code is installed.
    fn succeed(mut self) {
        self.is_installed = true;
    }
}

impl Drop for CompilingGuard {
    fn drop(&mut self) {
        if !self.core.is_of_this_process() {
            return;
        }
        if !self.is_installed {
            self.core.table().entry_mut(self.function).state.on_failure(self.version);
        }
        self.core.compiled.notify_all();
    }
}
