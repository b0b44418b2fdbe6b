//! What is defined: the names, and for each function its resolved form.
//!
//! The state of the engine that reading text changes, under one lock. No code lives here, and nothing is called from here.

use crate::event::BodyName;
use crate::failure::Failure;
use crate::host::{HostEntry, HostTable, PROVIDED_FUNCTIONS};
use crate::{Error, Variable};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CallTarget, HostVariableAddress, Unit};
use kaleidoscope_ir::{Function, FunctionId, HostVariable, Local, Op};
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_native::HostStub;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The names, and what functions mean.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) names: Names,
    /// By id; none where there is no definition.
    definitions: Vec<Option<Definition>>,
    /// By id: where the slot is.
    slots: Vec<usize>,
    /// How often each name was defined.
    versions: HashMap<Arc<str>, u32>,
    /// The variables of the host, by id: as long as code may use one, it is here.
    variables: Vec<Variable>,
    /// Their ids, by name and address.
    bound: HashMap<(Arc<str>, usize), HostVariable>,
    /// How many functions were made for formulas.
    n_formulas: usize,
    /// Those of them that no formula has now, by arity.
    free_formulas: HashMap<u32, Vec<FunctionId>>,
    /// The functions of the host, those that a `def` has replaced included.
    hosts: HashMap<FunctionId, Host>,
    /// How many functions the language or the host has provided.
    n_provided: usize,
}

/// A function of the host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// Where code calls it.
    pub(crate) stub: HostStub,
    /// Counts the definitions of the name, the host's included, from 1; 0 if it was there from the start.
    pub(crate) version: u32,
}

/// A definition of a function.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) function: Arc<Function>,
    /// Counts the definitions of the name, whatever their arity, from 1.
    pub(crate) version: u32,
    /// The text of it.
    pub(crate) source: Arc<str>,
    was_called: bool,
}

/// The version that bodies of the maths library have.
pub(crate) const PROVIDED: u32 = 0;

/// A function that does nothing but call this one.
fn calling(id: FunctionId, maths: MathsFunction) -> Function {
    let arity = maths.arity();
    let arguments = (0..arity).map(|idx| Op::Get(Local::new(idx)));
    let locals: Box<[_]> = ["x", "y"].into_iter().take(arity as usize).map(Arc::from).collect();
    let ops: Box<[_]> = arguments.chain([Op::Call { callee: id, n_args: arity }]).collect();
    Function::new(maths.name(), arity, locals, ops, arity)
}

impl Program {
    /// What every program finds. The functions of the host get their places in this table.
    pub(crate) fn new(hosts: &HostTable) -> Result<Self, kaleidoscope_native::Error> {
        let names = Names::new();
        let mut program = Self {
            n_provided: names.n_functions(),
            names,
            definitions: Vec::new(),
            slots: Vec::new(),
            versions: HashMap::new(),
            variables: Vec::new(),
            bound: HashMap::new(),
            n_formulas: 0,
            free_formulas: HashMap::new(),
            hosts: HashMap::new(),
        };
        for function in PROVIDED_FUNCTIONS {
            let stub = hosts.allocate(function.arity)?;
            hosts.set(stub.id(), HostEntry::writer(function.name.into(), function.call));
            let id = program.names.declare_host(function.name, function.arity);
            program.add_host(id, Host { stub, version: 0 });
        }
        Ok(program)
    }

    /// The same for another engine: everything but formulas, and where the slots are. The functions of the host are in the
    /// first table and get places in the second.
    pub(crate) fn fork(
        &self,
        hosts: &HostTable,
        new_hosts: &HostTable,
    ) -> Result<Self, kaleidoscope_native::Error> {
        let mut program = Self { slots: Vec::new(), ..self.clone() };
        for host in program.hosts.values_mut() {
            let stub = new_hosts.allocate(host.stub.arity())?;
            new_hosts.set(stub.id(), hosts.entry(host.stub.id()));
            host.stub = stub;
        }
        for definition in program.definitions.iter_mut().flatten() {
            definition.was_called = false;
        }
        let formulas: Vec<_> = program.names.known().filter(|&id| program.is_formula(id)).collect();
        for id in formulas {
            program.remove(id);
            program.give_back_formula(id);
        }
        Ok(program)
    }

    /// The versions of the functions that have one, by id.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (FunctionId, u32)> {
        let version = |id: FunctionId| match self.names.state(id) {
            NameState::Host => self.hosts.get(&id).map(|host| host.version),
            _ => self.definition(id).map(|definition| definition.version),
        };
        self.names.known().filter_map(move |id| Some((id, version(id)?)))
    }

    /// Of the functions that are provided, leaves only those with these names.
    pub(crate) fn keep_only(&mut self, provided: &[String]) -> Result<(), Error> {
        let names = &mut self.names;
        if let Some(unknown) = provided.iter().find(|name| names.current(name).is_none()) {
            return Err(Error::unknown_function(unknown));
        }
        let provided: HashSet<_> = provided.iter().filter_map(|name| names.current(name)).collect();
        let is_hidden = |id: &FunctionId| {
            let is_provided = match names.state(*id) {
                NameState::Maths(_) => true,
                NameState::Host => self.hosts.get(id).is_some_and(|host| host.version == 0),
                _ => false,
            };
            is_provided && !provided.contains(id)
        };
        let hidden: Vec<_> = names.known().filter(is_hidden).collect();
        hidden.into_iter().for_each(|id| names.remove(id));
        Ok(())
    }

    /// Makes the name mean the function of the host behind this stub. Returns its id and version.
    pub(crate) fn provide(&mut self, name: &Arc<str>, stub: HostStub) -> (FunctionId, u32) {
        let id = self.names.declare_host(name, stub.arity());
        let version = self.next_version(name);
        self.add_host(id, Host { stub, version });
        (id, version)
    }

    fn add_host(&mut self, id: FunctionId, host: Host) {
        // The maths functions have the first ids, and are counted already.
        let is_counted = id.index() < MathsFunction::ALL.len();
        if self.hosts.insert(id, host).is_none() && !is_counted {
            self.n_provided += 1;
        }
    }

    /// How many of the functions that have an id the language or the host has provided.
    pub(crate) fn n_provided(&self) -> usize {
        self.n_provided
    }

    fn next_version(&mut self, name: &Arc<str>) -> u32 {
        let version = self.versions.entry(Arc::clone(name)).or_default();
        *version += 1;
        *version
    }

    /// Notes where the slots of functions are that had none yet.
    pub(crate) fn add_slots(&mut self, slots: impl IntoIterator<Item = usize>) {
        self.slots.extend(slots);
    }

    /// Puts a definition in the place of what was there.
    pub(crate) fn define(&mut self, id: FunctionId, function: Arc<Function>, source: &str) -> u32 {
        let version = self.next_version(&function.name);
        if self.definitions.len() <= id.index() {
            self.definitions.resize_with(id.index() + 1, || None);
        }
        self.definitions[id.index()] =
            Some(Definition { function, version, source: source.into(), was_called: false });
        version
    }

    /// Takes away what stands behind the function, and its name. Returns the version that begins: that of nothing.
    pub(crate) fn remove(&mut self, id: FunctionId) -> u32 {
        self.names.remove(id);
        if let Some(definition) = self.definitions.get_mut(id.index()) {
            *definition = None;
        }
        let name = Arc::clone(&self.names.signature(id).name);
        self.next_version(&name)
    }

    /// The name for the next formula of this arity: that of a function that no formula has any more, if there is one.
    pub(crate) fn name_of_formula(&self, arity: u32) -> Arc<str> {
        match self.free_formulas.get(&arity).and_then(|free| free.last()) {
            Some(&id) => Arc::clone(&self.names.signature(id).name),
            None => format!("$formula{}", self.n_formulas + 1).into(),
        }
    }

    /// Notes that a formula has this function now, whose name is the one for the next formula of its arity.
    pub(crate) fn take_formula(&mut self, id: FunctionId) {
        let free = self.free_formulas.get_mut(&self.names.signature(id).arity);
        if free.and_then(Vec::pop).is_none() {
            self.n_formulas += 1;
        }
    }

    /// Notes that no formula has this function any more.
    pub(crate) fn give_back_formula(&mut self, id: FunctionId) {
        self.free_formulas.entry(self.names.signature(id).arity).or_default().push(id);
    }

    /// Whether it is the function of a formula, which programs cannot name.
    pub(crate) fn is_formula(&self, id: FunctionId) -> bool {
        self.names.signature(id).name.starts_with('$')
    }

    /// The definition that a call of the function reaches now.
    pub(crate) fn definition(&self, id: FunctionId) -> Option<&Definition> {
        match self.names.state(id) {
            NameState::Defined => self.definitions.get(id.index())?.as_ref(),
            _ => None,
        }
    }

    /// The version of the definition that a call of the function reaches now; [`PROVIDED`] if there is none.
    pub(crate) fn version(&self, id: FunctionId) -> u32 {
        self.definition(id).map_or(PROVIDED, |definition| definition.version)
    }

    /// The unit of the function as it is now. That of a maths function is a function that calls it. None for what has no body here.
    pub(crate) fn unit_of(&self, id: FunctionId) -> Option<Unit> {
        let function = match (self.definition(id), self.names.state(id)) {
            (Some(definition), _) => Arc::clone(&definition.function),
            (None, NameState::Maths(maths)) => Arc::new(calling(id, maths)),
            _ => return None,
        };
        Some(self.unit(function, Some(id), self.version(id)))
    }

    /// Whether a call of the function may assign a variable of the host, as far as functions of the program are concerned.
    #[cfg(feature = "rayon")]
    pub(crate) fn may_assign(&self, id: FunctionId) -> bool {
        let mut seen = HashSet::from([id]);
        let mut waiting = vec![id];
        while let Some(definition) = waiting.pop().map(|id| self.definition(id)) {
            for op in definition.iter().flat_map(|definition| &*definition.function.ops) {
                match *op {
                    Op::SetHost(_) => return true,
                    Op::Call { callee, .. } if seen.insert(callee) => waiting.push(callee),
                    _ => {}
                }
            }
        }
        false
    }

    /// Notes that the function is called. Returns the name of its definition if this is the first time.
    pub(crate) fn note_call(&mut self, id: FunctionId) -> Option<BodyName> {
        self.definition(id)?;
        let definition = self.definitions[id.index()].as_mut()?;
        let is_first = !std::mem::replace(&mut definition.was_called, true);
        is_first
            .then(|| BodyName { name: Arc::clone(&definition.function.name), version: definition.version })
    }

    /// The host's function of this id, though a `def` may have replaced it.
    pub(crate) fn host(&self, id: FunctionId) -> Option<&Host> {
        self.hosts.get(&id)
    }

    /// Why this function cannot be called now. To be asked while it is known that it cannot: under the same lock.
    pub(crate) fn why_absent(&self, id: FunctionId) -> Failure {
        let signature = self.names.signature(id).clone();
        let now = self.names.current(&signature.name).filter(|&now| now != id);
        match (self.names.state(id), now) {
            (NameState::Declared, _) => Failure::Missing { name: signature.name },
            (_, Some(now)) => {
                let takes = self.names.signature(now).arity;
                Failure::Arity { name: signature.name, given: signature.arity, takes }
            }
            _ => Failure::Undefined { name: signature.name },
        }
    }

    /// What code has to be made of for this function; `id` is none for an expression.
    pub(crate) fn unit(&self, function: Arc<Function>, id: Option<FunctionId>, version: u32) -> Unit {
        let mut callees = BTreeMap::new();
        for op in &function.ops {
            let callee = match *op {
                Op::Call { callee, .. } => Some(callee),
                // Counting code leaves for its own better code by the slot.
                Op::TailCall => id,
                _ => None,
            };
            if let Some(callee) = callee {
                callees.entry(callee).or_insert_with(|| self.callee(callee));
            }
        }
        let variables = self.variables_of(&function).collect();
        Unit::new(function, id, version, callees, variables)
    }

    /// Where the variables of the host are that a function uses.
    pub(crate) fn variables_of(
        &self,
        function: &Function,
    ) -> impl Iterator<Item = (HostVariable, HostVariableAddress)> {
        let used = function.ops.iter().filter_map(|op| match *op {
            Op::GetHost(id) | Op::SetHost(id) => Some(id),
            _ => None,
        });
        used.map(|id| {
            let name = Arc::clone(self.names.variable_name(id));
            let address = self.variable(id).address();
            (id, HostVariableAddress { name, address })
        })
    }

    /// Makes the name mean this variable of the host, for what is read from now on.
    pub(crate) fn bind(&mut self, name: &str, variable: &Variable) {
        let key = (Arc::from(name), variable.address());
        if let Some(&known) = self.bound.get(&key) {
            return self.names.use_variable(known);
        }
        let id = self.names.add_variable(name);
        self.variables.push(variable.clone());
        self.bound.insert(key, id);
    }

    /// The variable of the host of this id.
    pub(crate) fn variable(&self, id: HostVariable) -> &Variable {
        &self.variables[id.index()]
    }

    /// What stands behind a function that code calls.
    pub(crate) fn callee(&self, id: FunctionId) -> CallTarget {
        match self.names.state(id) {
            NameState::Maths(maths) => CallTarget::Maths(maths),
            _ => CallTarget::Slot { address: self.slots[id.index()] },
        }
    }

    /// Whether running the function once needs no code of the program: no loop, and no call but of what the host provides.
    pub(crate) fn needs_no_code(&self, function: &Function) -> bool {
        function.ops.iter().all(|op| match op {
            Op::Call { callee, .. } => {
                matches!(self.names.state(*callee), NameState::Maths(_) | NameState::Host)
            }
            Op::TailCall | Op::Next { .. } => false,
            _ => true,
        })
    }
}
