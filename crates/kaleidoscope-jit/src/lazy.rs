//! Lazy compilation: what a function's first call does.
//!
//! A call of a function without code enters the lazy-compile entry, which asks for code here. One
//! thread compiles; others that call the function meanwhile wait. The code is installed in the
//! slot, unless the function was redefined during the compilation.

use crate::code::{CodeInfo, CodeOrigin, CompiledCode, FunctionCode};
use crate::code_state::{CallAction, CodeState};
use crate::core::Core;
use crate::event::{CodeName, Event, Tier};
use crate::maths::maths_entry;
use crate::mode::Mode;
use crate::policy;
use crate::profile::{Profile, ProfiledCode};
use crate::table::{Dependent, StoredDefinition, Table};
use crate::trap::Trap;
use crate::validity::Dependency;
use kaleidoscope_ir::compile::{CallTarget, Code, CodeKind, CompileError, Unit};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_native::CodeAddress;
use std::collections::BTreeMap;
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

/// A unit, and the functions that its code will depend on.
pub(crate) struct UnitToCompile {
    pub(crate) unit: Unit,
    dependencies: Box<[Dependency]>,
}

/// What a function's initial code is made from.
enum CodeSource {
    Compile(UnitToCompile),
    Provided(CompiledCode),
}

impl Core {
    /// A call reached the function's slot and found no code. Returns the address to continue at.
    pub(crate) fn first_call(&self, function: FunctionId) -> Result<CodeAddress, Trap> {
        self.materialize(function, CompileReason::FirstCall)
    }

    /// The address of the function's code, compiled now if there is none. Waits for another thread
    /// that compiles it. A first call is emitted before the version that it reached is compiled.
    pub(crate) fn materialize(
        &self,
        function: FunctionId,
        reason: CompileReason,
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
                    drop(self.compiled.wait(table).unwrap_or_else(PoisonError::into_inner));
                }
                CallAction::Compile { version } => {
                    drop(table);
                    if let Some(address) = self.compile_and_install(function, version, reason)? {
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
    ) -> Result<Option<CodeAddress>, Trap> {
        let compiling = CompilingGuard { core: self, function, version };
        let code = match self.initial_code(function, version, reason) {
            Ok(Some(code)) => code,
            Ok(None) => return Ok(None),
            Err(trap) => {
                drop(compiling);
                return Err(self.emit_failed(trap));
            }
        };
        let info = code.code.info.clone();
        let installed = self.table().install(function, Box::new(code));
        // No observer knows the code yet, so a refused one is dropped without an event.
        let Ok(address) = installed else { return Ok(None) };
        compiling.succeed();
        if self.settings.observers.is_empty() {
            return Ok(Some(address));
        }
        self.emit_compiled(&info)?;
        // An observer may have redefined something that the code depends on. A new call does not
        // enter invalid code.
        Ok(self.table().code_of_version(function, version).map(FunctionCode::address))
    }

    /// The initial code of this version of a function. Returns nothing if it was redefined.
    fn initial_code(
        &self,
        function: FunctionId,
        version: u32,
        reason: CompileReason,
    ) -> Result<Option<ProfiledCode>, Trap> {
        let ir = self.table().entry(function).ir().cloned();
        if let Some(ir) = ir {
            self.verify_version(&ir, version)?;
        }
        let source = {
            let mut table = self.table();
            if table.version(function) != version {
                return Ok(None);
            }
            table.code_source(function, version)
        };
        match source {
            CodeSource::Provided(code) => Ok(Some(code.into())),
            CodeSource::Compile(unit) => self.compile_first(unit, reason).map(Some),
        }
    }

    /// Compiles the initial code of a unit, by the tier that the mode asks for.
    pub(crate) fn compile_first(
        &self,
        unit: UnitToCompile,
        reason: CompileReason,
    ) -> Result<ProfiledCode, Trap> {
        self.code_budget.check()?;
        let UnitToCompile { mut unit, dependencies } = unit;
        let flag = self.add_validity_flag(&mut unit, &dependencies)?;
        let unit = Arc::new(unit);
        let (tier, profile, code) = match (self.settings.mode, &self.compile_queue) {
            (Mode::Lazy | Mode::Eager, Some(queue)) => {
                let sent = Arc::clone(&unit);
                let code = queue.run(move |generator| generator.generate(&sent));
                let tier = match reason {
                    CompileReason::FirstCall => Tier::Lazy,
                    CompileReason::Eager => Tier::Eager,
                };
                (tier, None, code)
            }
            (_, queue) => {
                let profile = queue.as_ref().map(|_| Arc::new(self.new_profile(&unit)));
                let (profile, code) = self.compile_baseline(&unit, profile);
                (Tier::Baseline, profile, code)
            }
        };
        let mut code = code.map_err(|reason| Trap::Compile { code: CodeName::of(&unit), reason })?;
        let exits = std::mem::take(&mut code.exits);
        let validity = flag.map(|flag| flag.of_code(&unit, &dependencies, exits));
        let code = self.code_budget.charge(code)?;
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
        let code = CompiledCode::new(info, unit.function.n_params, dependencies, validity, code);
        Ok(ProfiledCode { code, profile })
    }

    /// Compiles baseline code, with counters if the profile has any. A function that is too large
    /// to count is compiled without.
    fn compile_baseline(
        &self,
        unit: &Unit,
        profile: Option<Arc<Profile>>,
    ) -> (Option<Arc<Profile>>, Result<Code, CompileError>) {
        let counting = profile.as_deref().filter(|profile| profile.counts());
        match self.baseline.compile(unit, counting) {
            Err(_) if profile.is_some() => (None, self.baseline.compile(unit, None)),
            code => (profile, code),
        }
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

/// Ends a compilation: returns the function from `Compiling` if no code was installed, even after a
/// panic, and wakes the waiting threads.
struct CompilingGuard<'a> {
    core: &'a Core,
    function: FunctionId,
    version: u32,
}

impl CompilingGuard<'_> {
    /// The code is installed.
    fn succeed(self) {
        self.core.compiled.notify_all();
        std::mem::forget(self);
    }
}

impl Drop for CompilingGuard<'_> {
    fn drop(&mut self) {
        self.core.table().entry_mut(self.function).state.on_failure(self.version);
        self.core.compiled.notify_all();
    }
}
