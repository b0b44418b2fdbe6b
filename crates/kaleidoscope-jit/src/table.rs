//! The function table: everything the engine knows of each function, under one lock.
//!
//! An entry has the function's definition and version, its slot, the state of its code, and its
//! callers. Beside the entries, the table has what refers to several functions: dependents,
//! profiles, kernels, and retired code. The lock is never held while the engine compiles, runs
//! generated code, or calls the host.

use crate::array::Array;
use crate::code::{CompiledCode, FunctionCode, Slot};
use crate::code_state::CodeState;
use crate::column_state::{ColumnKey, ColumnState};
use crate::event::CodeName;
use crate::kernel_state::{KernelKey, KernelState};
use crate::profile::{Profile, ProfiledCode};
use crate::reclaim::Epoch;
use crate::validity::{Dependency, Validity};
use crate::variable::Variable;
use kaleidoscope_ir::compile::{self, AccessSite, CallTarget, Unit};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable, MathsFunction};
use kaleidoscope_native::{CodeAddress, HostStub};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

/// All functions of one engine.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    /// The host variables, by id. Code contains their addresses, so none is ever removed.
    variables: Vec<(Arc<str>, Variable)>,
    /// The arrays of the host, by id. None is ever removed, either.
    arrays: Vec<(Arc<str>, Array)>,
    /// The address of what code calls when an index means no element.
    bad_index: usize,
    /// For each function, the code that depends on it, or once did.
    pub(crate) dependents: HashMap<FunctionId, HashSet<Dependent>>,
    /// The profiles of all baseline code that may still run, by number.
    pub(crate) profiles: HashMap<u32, Arc<Profile>>,
    /// The kernels of functions for which batches were requested.
    pub(crate) kernels: BTreeMap<KernelKey, KernelState>,
    /// The column programs of these functions, or why there is none.
    pub(crate) column_programs: BTreeMap<ColumnKey, ColumnState>,
    /// Code that was invalidated and may still run, by number.
    pub(crate) invalidated: HashMap<u32, InvalidatedCode>,
    /// Code with inlinees that access elements of arrays, by number.
    access_sites: HashMap<u32, Weak<Validity>>,
    /// Code that runs without a slot and has dependencies, by number.
    pub(crate) unslotted: HashMap<u32, Arc<Validity>>,
    /// Code that no new call can reach, kept while a thread may still be inside; oldest first.
    pub(crate) retired: VecDeque<(Epoch, ProfiledCode)>,
}

/// Code that depends on a function: redefining the function invalidates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dependent {
    /// Code of a function.
    Function(FunctionId),
    /// OSR code of a loop in baseline code with this profile number.
    Loop { profile: u32, nth: usize },
    /// A kernel.
    Kernel(KernelKey),
    /// A column program.
    ColumnProgram(ColumnKey),
    /// Running code without a slot, with this number: of an expression, or of a version that was
    /// superseded.
    Unslotted(u32),
}

/// Code that was invalidated and may still run.
#[derive(Clone, Debug)]
pub(crate) struct InvalidatedCode {
    pub(crate) validity: Arc<Validity>,
    /// The name of the function whose redefinition invalidated it.
    pub(crate) redefined: Arc<str>,
}

/// One function.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) slot: Slot,
    arity: u32,
    pub(crate) definition: StoredDefinition,
    /// The stub of the host function that the function is, or once was. In a box, because few
    /// functions have one.
    pub(crate) host: Option<Box<HostStub>>,
    /// Whether a call reached this version.
    was_called: bool,
    pub(crate) state: CodeState<ProfiledCode>,
    /// Whether baseline code must count its entries, whatever its shape.
    pub(crate) must_count: bool,
    /// The profile numbers of baseline code that calls the function, some of it freed by now.
    pub(crate) callers: Vec<u32>,
}

/// What a function is.
#[derive(Clone, Debug)]
pub(crate) enum StoredDefinition {
    /// A function of the IR.
    Ir(Arc<Function>),
    /// A host function, behind [`Entry::host`].
    Host { name: Arc<str> },
    /// A function of the C maths library.
    Maths(MathsFunction),
    /// Nothing: calls trap.
    Unavailable,
}

/// A caller of the engine passed an id that was not declared there.
#[cold]
fn not_declared(function: FunctionId) -> ! {
    panic!("function {} is not declared in this engine", function.index())
}

impl Entry {
    /// A function at version 0.
    pub(crate) fn new(slot: Slot, arity: u32, definition: StoredDefinition) -> Self {
        Self {
            slot,
            arity,
            definition,
            host: None,
            was_called: false,
            state: CodeState::Lazy { version: 0 },
            must_count: false,
            callers: Vec::new(),
        }
    }

    pub(crate) fn arity(&self) -> u32 {
        self.arity
    }

    pub(crate) fn version(&self) -> u32 {
        self.state.version()
    }

    /// Panics if the version is not above the last one. A function that was only declared may get
    /// version 0.
    pub(crate) fn check_version(&self, version: u32) {
        let last = self.version();
        let is_first = last == 0 && matches!(self.definition, StoredDefinition::Unavailable);
        assert!(version > last || is_first, "versions of one function increase");
    }

    /// Begins a version. Returns the code of the old one, to be retired.
    pub(crate) fn define(&mut self, definition: StoredDefinition, version: u32) -> Vec<ProfiledCode> {
        self.definition = definition;
        self.was_called = false;
        self.discard_code(version)
    }

    /// Points the slot to the lazy-compile entry. Returns all code, to be retired (promise 3 of
    /// `code.rs`).
    pub(crate) fn discard_code(&mut self, version: u32) -> Vec<ProfiledCode> {
        self.slot.reset();
        self.state.on_redefined(version).map(|code| *code).collect()
    }

    /// Installs the initial code, if the state waits for its version. Returns its address.
    pub(crate) fn install(&mut self, code: Box<ProfiledCode>) -> Result<CodeAddress, Box<ProfiledCode>> {
        let address = self.state.on_compiled(code)?;
        self.point_slot_to_current();
        Ok(address)
    }

    /// Installs optimized code, if its version is the current one.
    pub(crate) fn install_optimized(&mut self, code: Box<ProfiledCode>) -> Result<(), Box<ProfiledCode>> {
        self.state.on_optimized(code)?;
        self.point_slot_to_current();
        Ok(())
    }

    /// Returns calls to the initial code. Returns the optimized code, to be retired.
    pub(crate) fn return_to_first(&mut self) -> Option<ProfiledCode> {
        let (optimized, _) = self.state.on_invalidated()?;
        self.point_slot_to_current();
        Some(*optimized)
    }

    fn point_slot_to_current(&self) {
        if let Some(current) = self.state.optimized().or_else(|| self.state.first()) {
            self.slot.point_to(&current.code);
        }
    }

    /// The IR of the function, if it has any.
    pub(crate) fn ir(&self) -> Option<&Arc<Function>> {
        match &self.definition {
            StoredDefinition::Ir(function) => Some(function),
            StoredDefinition::Host { .. } | StoredDefinition::Maths(_) | StoredDefinition::Unavailable => {
                None
            }
        }
    }

    /// The name of what the function is. Empty if it is unavailable.
    pub(crate) fn name(&self) -> Arc<str> {
        match &self.definition {
            StoredDefinition::Ir(function) => Arc::clone(&function.name),
            StoredDefinition::Host { name } => Arc::clone(name),
            StoredDefinition::Maths(maths) => maths.name().into(),
            StoredDefinition::Unavailable => Arc::default(),
        }
    }

    /// Whether this version was called.
    pub(crate) fn was_called(&self) -> bool {
        self.was_called
    }

    /// Notes a call. Returns the function's name and version if the version was never called
    /// before.
    pub(crate) fn note_call(&mut self) -> Option<CodeName> {
        if self.was_called {
            return None;
        }
        let name = Arc::clone(&self.ir()?.name);
        self.was_called = true;
        Some(CodeName { name, version: self.version() })
    }
}

impl Table {
    /// An empty table. Code calls the address when an index means no element.
    pub(crate) fn new(bad_index: usize) -> Self {
        Self { bad_index, ..Self::default() }
    }

    pub(crate) fn n_functions(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn extend(&mut self, entries: Vec<Entry>) {
        self.entries.extend(entries);
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a function.
    ///
    /// # Panics
    /// If the function was not declared here.
    pub(crate) fn entry(&self, function: FunctionId) -> &Entry {
        self.entries.get(function.index()).unwrap_or_else(|| not_declared(function))
    }

    /// As [`entry`](Self::entry).
    pub(crate) fn entry_mut(&mut self, function: FunctionId) -> &mut Entry {
        self.entries.get_mut(function.index()).unwrap_or_else(|| not_declared(function))
    }

    /// The number of parameters of a function, if it was declared here.
    pub(crate) fn arity(&self, function: FunctionId) -> Option<u32> {
        self.entries.get(function.index()).map(Entry::arity)
    }

    /// The code that calls of this version run, if the version is current and has code. Looked up
    /// inside the engine, and used before that scope is left.
    pub(crate) fn code_of_version(&self, function: FunctionId, version: u32) -> Option<FunctionCode> {
        let state = &self.entry(function).state;
        let code = state.optimized().or_else(|| state.first())?;
        (state.version() == version).then(|| code.code.function())
    }

    pub(crate) fn version(&self, function: FunctionId) -> u32 {
        self.entry(function).version()
    }

    /// Adds a host variable. Returns its id.
    pub(crate) fn add_variable(&mut self, name: &str, variable: &Variable) -> HostVariable {
        let id = HostVariable::new(u32::try_from(self.variables.len()).expect("ids are 32 bits wide"));
        self.variables.push((name.into(), variable.clone()));
        id
    }

    /// The host variable of this id.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn variable(&self, id: HostVariable) -> &Variable {
        match self.variables.get(id.index()) {
            Some((_, variable)) => variable,
            None => panic!("host variable {} is not bound in this engine", id.index()),
        }
    }

    /// All host variables, in the order of their ids.
    pub(crate) fn variables(&self) -> &[(Arc<str>, Variable)] {
        &self.variables
    }

    /// Takes over the host variables of another engine.
    pub(crate) fn set_variables(&mut self, variables: Vec<(Arc<str>, Variable)>) {
        self.variables = variables;
    }

    /// Adds an array of the host. Returns its id.
    pub(crate) fn add_array(&mut self, name: &str, array: &Array) -> HostArray {
        let id = HostArray::new(u32::try_from(self.arrays.len()).expect("ids are 32 bits wide"));
        self.arrays.push((name.into(), array.clone()));
        id
    }

    /// The name and the array of this id.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn array(&self, id: HostArray) -> &(Arc<str>, Array) {
        match self.arrays.get(id.index()) {
            Some(array) => array,
            None => panic!("array {} is not bound in this engine", id.index()),
        }
    }

    /// All arrays of the host, in the order of their ids.
    pub(crate) fn arrays(&self) -> &[(Arc<str>, Array)] {
        &self.arrays
    }

    /// Takes over the arrays of another engine.
    pub(crate) fn set_arrays(&mut self, arrays: Vec<(Arc<str>, Array)>) {
        self.arrays = arrays;
    }

    /// The compilation unit of an IR function; `id` is none for a top-level expression.
    pub(crate) fn unit(&self, function: Arc<Function>, id: Option<FunctionId>, version: u32) -> Unit {
        let callees = function.facts().callees();
        let call_targets = callees.map(|(callee, _)| (callee, self.call_target(callee))).collect();
        let host_variables = self.variables_of(&function).collect();
        let host_arrays = self.arrays_of(&function).collect();
        Unit { host_arrays, ..Unit::new(function, id, version, call_targets, host_variables) }
    }

    /// The addresses of the host variables that a function uses.
    pub(crate) fn variables_of(
        &self,
        function: &Function,
    ) -> impl Iterator<Item = (HostVariable, compile::HostVariableAddress)> {
        function.facts().host_variables().map(|id| {
            let (name, variable) = &self.variables[id.index()];
            (id, compile::HostVariableAddress { name: Arc::clone(name), address: variable.address() })
        })
    }

    /// The memory of the arrays that a function uses.
    pub(crate) fn arrays_of(
        &self,
        function: &Function,
    ) -> impl Iterator<Item = (HostArray, compile::HostArrayMemory)> {
        function.facts().host_arrays().map(|id| {
            let (name, array) = &self.arrays[id.index()];
            let (name, address, len) = (Arc::clone(name), array.address(), array.len());
            (id, compile::HostArrayMemory { name, address, len, bad_index: self.bad_index })
        })
    }

    /// What a call of the function compiles to: a call through the slot, or of the maths library.
    pub(crate) fn call_target(&self, function: FunctionId) -> CallTarget {
        let entry = self.entry(function);
        let address = entry.slot.address();
        match entry.definition {
            StoredDefinition::Maths(function) => CallTarget::Maths { function, slot: address },
            _ => CallTarget::Slot { address },
        }
    }

    /// Whether the function can run once without machine code of the program: it has no loop, and
    /// calls only what the host provides.
    pub(crate) fn needs_no_code(&self, function: &Function) -> bool {
        let is_provided = |callee| {
            let definition = &self.entry(callee).definition;
            matches!(definition, StoredDefinition::Maths(_) | StoredDefinition::Host { .. })
        };
        !function.has_loops() && function.callees_in_order().all(is_provided)
    }

    /// Whether a call of the function may assign a host variable or an element of an array, as far
    /// as IR functions go.
    #[cfg(feature = "rayon")]
    pub(crate) fn may_assign(&self, function: FunctionId) -> bool {
        let mut seen = HashSet::from([function]);
        let mut waiting = vec![function];
        while let Some(ir) = waiting.pop().map(|id| self.entry(id).ir()) {
            let Some(ir) = ir else { continue };
            if ir.facts().assigns_host_memory() {
                return true;
            }
            waiting.extend(ir.facts().callees().map(|(id, _)| id).filter(|id| seen.insert(*id)));
        }
        false
    }

    /// Whether every dependency of the code is the current version.
    pub(crate) fn is_current(&self, code: &CompiledCode) -> bool {
        code.dependencies.iter().all(|&(function, version)| self.version(function) == version)
    }

    /// Notes that code depends on functions.
    pub(crate) fn note_dependent(&mut self, dependent: Dependent, dependencies: &[Dependency]) {
        for &(function, _) in dependencies {
            self.dependents.entry(function).or_default().insert(dependent);
        }
    }

    /// Forgets a dependent.
    pub(crate) fn forget_dependent(&mut self, dependent: Dependent, dependencies: &[Dependency]) {
        for (function, _) in dependencies {
            if let Some(dependents) = self.dependents.get_mut(function) {
                dependents.remove(&dependent);
            }
        }
    }

    /// Notes code with inlinees that access elements of arrays.
    pub(crate) fn note_access_sites(&mut self, validity: &Arc<Validity>) {
        if self.access_sites.len().is_power_of_two() {
            self.access_sites.retain(|_, validity| validity.strong_count() > 0);
        }
        self.access_sites.insert(validity.code_number, Arc::downgrade(validity));
    }

    /// The names of the functions that are active where running code accesses an element, innermost
    /// first, as far as its own code goes.
    pub(crate) fn names_at_site(&self, site: AccessSite) -> Vec<Arc<str>> {
        match site {
            AccessSite::Function(None) => Vec::new(),
            AccessSite::Function(Some(id)) => vec![self.entry(id).name()],
            AccessSite::Inlined { code_number, exit } => {
                let code = self.access_sites.get(&code_number).and_then(Weak::upgrade);
                code.map_or_else(Vec::new, |code| code.names_at(exit))
            }
        }
    }

    /// Running activations leave this code at their next exit, because this function was
    /// redefined.
    pub(crate) fn invalidate(&mut self, validity: &Arc<Validity>, redefined: &Arc<str>) {
        let invalidated =
            InvalidatedCode { validity: Arc::clone(validity), redefined: Arc::clone(redefined) };
        self.invalidated.entry(validity.code_number).or_insert(invalidated);
        validity.invalidate();
    }

    /// All code that may run, with the names for a stack trace.
    pub(crate) fn name_at(&self, address: CodeAddress) -> Option<Arc<str>> {
        let current = self.entries.iter().flat_map(|entry| entry.state.code());
        let retired = self.retired.iter().map(|(_, code)| code);
        let kernels = self.kernels.values().filter_map(KernelState::code);
        let profiled = current.chain(retired).find(|code| code.contains(address)).map(|code| &code.code);
        let code = profiled.or_else(|| kernels.into_iter().find(|code| code.contains(address)))?;
        Some(Arc::clone(&code.info.name.name))
    }
}
