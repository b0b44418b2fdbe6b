//! Redefinition: new definitions, and the invalidation of optimized code that depends on old ones.
//!
//! Optimized code contains its callees' bodies; code that calls a maths function contains its
//! address. Both are dependents of the functions inside. A redefinition takes the function's own
//! code and all dependents out of slots and OSR cells before it returns, so no new call reaches
//! the old definition. Code that threads are still inside waits in the table until it can be
//! reclaimed.
//!
//! [`Core::apply`] changes the table and may run under the embedder's locks. [`Core::settle`]
//! emits the events and frees the code afterwards, when no lock is held.

use crate::code::{CodeInfo, CompiledCode};
use crate::core::Core;
use crate::event::{CodeName, Event};
use crate::host::{HostEntry, HostFunction};
use crate::kernel_state::{KernelKey, KernelState};
use crate::profile::ProfiledCode;
use crate::table::{Dependent, Entry, StoredDefinition, Table};
use crate::trap::Trap;
use kaleidoscope_ir::compile::CodeKind;
use kaleidoscope_ir::{Function, FunctionId, MathsFunction};
use kaleidoscope_native as native;
use std::fmt;
use std::sync::Arc;

/// What a function becomes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Definition {
    /// A function of the IR, with as many parameters as were declared.
    Ir(Arc<Function>),
    /// A host function.
    Host(HostFunction),
    /// A function of the C maths library.
    Maths(MathsFunction),
    /// Nothing: calls end in [`Trap::Unavailable`].
    Unavailable,
}

/// A new definition of one function, for [`crate::Jit::apply`].
#[derive(Debug)]
pub struct Change {
    function: FunctionId,
    definition: Definition,
    version: Option<u32>,
}

impl Change {
    /// The function gets this definition.
    pub fn new(function: FunctionId, definition: Definition) -> Self {
        Self { function, definition, version: None }
    }

    /// With this version, instead of the one after the last. Versions of one function must
    /// increase.
    #[must_use]
    pub fn version(self, version: u32) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Panics if the change does not fit the function.
    fn check(&self, entry: &Entry) {
        let arity = match &self.definition {
            Definition::Ir(ir) => Some(ir.n_params),
            Definition::Maths(maths) => Some(maths.arity()),
            Definition::Host(_) | Definition::Unavailable => None,
        };
        if let Some(arity) = arity {
            assert_eq!(arity, entry.arity(), "a function has one arity for its whole life");
        }
        // A host function in the place of another one begins no version.
        let begins_version = !matches!(
            (&self.definition, &entry.definition),
            (Definition::Host(_), StoredDefinition::Host { .. })
        );
        if let Some(version) = self.version.filter(|_| begins_version) {
            entry.check_version(version);
        }
    }
}

/// What changes of definitions leave to do when no lock is held: pass it to [`crate::Jit::settle`].
#[derive(Default)]
#[must_use = "events are emitted and code is freed by `Jit::settle`"]
pub struct Superseded {
    /// New IR definitions, for observers, with the bytes of their IR.
    defined: Vec<(CodeName, usize)>,
    /// Optimized code that was invalidated.
    invalidated: Vec<CodeInfo>,
    /// Code to free.
    free: Vec<ProfiledCode>,
    /// Host functions that were replaced. Dropping one runs the host's code.
    replaced: Vec<Arc<HostEntry>>,
}

impl Superseded {
    /// The leftovers of both.
    pub fn and(mut self, mut more: Self) -> Self {
        self.defined.append(&mut more.defined);
        self.invalidated.append(&mut more.invalidated);
        self.free.append(&mut more.free);
        self.replaced.append(&mut more.replaced);
        self
    }

    /// Adds code to free.
    pub(crate) fn free(&mut self, code: Vec<ProfiledCode>) {
        self.free.extend(code);
    }

    /// Adds what a host function was, to be dropped when no lock is held.
    pub(crate) fn replace_host(&mut self, old: Option<Arc<HostEntry>>) {
        self.replaced.extend(old);
    }
}

impl fmt::Debug for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superseded")
            .field("defined", &self.defined)
            .field("invalidated", &self.invalidated)
            .field("n_free", &self.free.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Makes all changes in one step: no call sees some of them. On an error, nothing has changed.
    ///
    /// # Panics
    /// If an IR function has another arity than its id, or a version does not increase. Nothing has
    /// changed then, unless two changes of one function have versions that do not increase.
    pub(crate) fn apply(
        &self,
        changes: impl AsRef<[Change]> + IntoIterator<Item = Change>,
    ) -> Result<Superseded, native::Error> {
        let mut superseded = Superseded::default();
        let mut table = self.table();
        for change in changes.as_ref() {
            change.check(table.entry(change.function));
        }
        for change in changes.as_ref() {
            if let Definition::Host(_) = change.definition
                && table.entry(change.function).host.is_none()
            {
                let stub = self.hosts.allocate(table.entry(change.function).arity())?;
                // Each stub of the table has an entry, even if a later change gets no stub.
                drop(self.hosts.set(stub.id(), Arc::new(HostEntry::Withdrawn(change.function))));
                table.entry_mut(change.function).host = Some(Box::new(stub));
            }
        }
        for change in changes {
            self.apply_one(&mut table, change, &mut superseded);
        }
        superseded.free(self.take_free(&mut table));
        Ok(superseded)
    }

    fn apply_one(&self, table: &mut Table, change: Change, superseded: &mut Superseded) {
        let Change { function, definition, version } = change;
        let entry = table.entry(function);
        let was_host = matches!(entry.definition, StoredDefinition::Host { .. });
        let version = version.unwrap_or(entry.version() + 1);
        let stored = match definition {
            Definition::Ir(ir) => StoredDefinition::Ir(ir),
            Definition::Host(host) => {
                let name = Arc::clone(host.name());
                let stub = entry.host.as_ref().expect("allocated before");
                superseded.replace_host(self.hosts.set(stub.id(), Arc::new(HostEntry::Closure(host))));
                if was_host {
                    // The stub stays; calls reach the new closure by it.
                    return;
                }
                StoredDefinition::Host { name }
            }
            Definition::Maths(maths) => StoredDefinition::Maths(maths),
            Definition::Unavailable => {
                if let Some(stub) = entry.host.as_ref().filter(|_| was_host) {
                    let withdrawn = Arc::new(HostEntry::Withdrawn(function));
                    superseded.replace_host(self.hosts.set(stub.id(), withdrawn));
                }
                StoredDefinition::Unavailable
            }
        };
        self.begin_version(table, function, stored, version, superseded);
    }

    /// Begins a version of a function. Takes its code, and all code that depends on it.
    pub(crate) fn begin_version(
        &self,
        table: &mut Table,
        function: FunctionId,
        definition: StoredDefinition,
        version: u32,
        superseded: &mut Superseded,
    ) {
        if let StoredDefinition::Ir(ir) = &definition
            && !self.settings.observers.is_empty()
        {
            let name = CodeName { name: Arc::clone(&ir.name), version };
            superseded.defined.push((name, ir.bytes()));
        }
        let entry = table.entry_mut(function);
        let old_name = entry.name();
        entry.check_version(version);
        let mut old = entry.define(definition, version);
        old.extend(table.take_kernels(function).into_iter().map(ProfiledCode::from));
        table.remove_column_programs(function);
        let dependents = table.take_dependents(function, &old_name);
        let optimized = dependents.iter().filter(|code| !matches!(code.code.kind(), CodeKind::Kernel(..)));
        superseded.invalidated.extend(optimized.map(|code| code.code.info.clone()));
        old.extend(dependents);
        self.retire(table, old, &old_name);
    }

    /// Emits what changes of definitions did, and frees code. Returns the first error of an
    /// observer.
    pub(crate) fn settle(&self, superseded: Superseded) -> Result<(), Trap> {
        // The host functions are dropped last: their drop runs the host's code, which may panic.
        let Superseded { defined, invalidated, free, replaced: _replaced } = superseded;
        let mut result = Ok(());
        for info in &invalidated {
            let event = || Event::Invalidated { code: info.name.clone(), osr_loop: info.kind().osr_loop() };
            result = result.and(self.emit(event));
        }
        result = result.and(self.free(free));
        for (code, ir_bytes) in defined {
            result = result.and(self.emit(|| Event::Defined { code, ir_bytes }));
        }
        result
    }
}

impl Table {
    /// Takes the kernels of a function that is redefined.
    fn take_kernels(&mut self, function: FunctionId) -> Vec<CompiledCode> {
        let kernels = self.kernels.range(KernelKey::first_of(function)..);
        let keys = kernels.map(|(key, _)| *key).take_while(|key| key.function == function);
        let keys: Vec<_> = keys.collect();
        let kernels = keys.iter().filter_map(|key| self.kernels.remove(key));
        kernels.filter_map(KernelState::into_code).collect()
    }

    /// Takes the dependents of a function out of slots, OSR cells and the kernel table.
    fn take_dependents(&mut self, function: FunctionId, name: &Arc<str>) -> Vec<ProfiledCode> {
        if self.dependents.is_empty() {
            return Vec::new();
        }
        let dependents = self.dependents.remove(&function).unwrap_or_default();
        let take = |dependent| self.take_dependent(dependent, function, name);
        dependents.into_iter().flat_map(take).collect()
    }

    fn take_dependent(&mut self, dependent: Dependent, on: FunctionId, name: &Arc<str>) -> Vec<ProfiledCode> {
        match dependent {
            Dependent::Unslotted(number) => {
                if let Some(validity) = self.unslotted.get(&number).cloned() {
                    self.invalidate(&validity, name);
                }
                Vec::new()
            }
            Dependent::Loop { profile, nth } => {
                let Some(profile) = self.profiles.get(&profile).cloned() else { return Vec::new() };
                // The loop may have other OSR code by now, which does not depend on `on`.
                if !profile.osr_code_depends_on(nth, on) {
                    return Vec::new();
                }
                let code = profile.invalidate_loop(nth);
                if let Some(code) = &code {
                    self.forget_dependent(dependent, &code.dependencies);
                }
                code.map(ProfiledCode::from).into_iter().collect()
            }
            Dependent::Kernel(key) => {
                let is_dependent = self.kernels.get(&key).and_then(KernelState::code);
                if is_dependent.is_none_or(|code| !code.depends_on(on)) {
                    return Vec::new();
                }
                let kernel = self.kernels.remove(&key).and_then(KernelState::into_code);
                kernel.map(ProfiledCode::from).into_iter().collect()
            }
            Dependent::ColumnProgram(key) => {
                // The function may have another program by now, which does not depend on `on`.
                if self.column_programs.get(&key).is_some_and(|state| state.depends_on(on)) {
                    self.remove_column_program(key);
                }
                Vec::new()
            }
            Dependent::Function(function) => {
                let entry = self.entry_mut(function);
                let Some(first) = entry.state.first() else { return Vec::new() };
                // The function may have other code by now, which does not depend on `on`.
                if first.code.depends_on(on) {
                    let version = entry.version();
                    return entry.discard_code(version);
                }
                if entry.state.optimized().is_some_and(|optimized| optimized.code.depends_on(on)) {
                    if let Some(profile) = &first.profile {
                        profile.reset_function();
                    }
                    return entry.return_to_first().into_iter().collect();
                }
                Vec::new()
            }
        }
    }

    /// Forgets the dependents that were OSR code of a profile.
    pub(crate) fn forget_osr_dependents(&mut self, profile: u32, osr_code: &[CompiledCode]) {
        for code in osr_code {
            let Some(nth) = code.kind().osr_loop() else { continue };
            self.forget_dependent(Dependent::Loop { profile, nth }, &code.dependencies);
        }
    }
}
