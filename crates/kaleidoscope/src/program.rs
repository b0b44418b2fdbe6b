//! The program: names, sources and formulas. The definitions of functions are in the engine's
//! table.
//!
//! Reading text changes the program under one lock. A first call needs only the engine's own lock.
//! Where both are held, the program's lock is taken first.

use crate::backtrace::Place;
use crate::failure::Unavailable;
use crate::host::BUILT_IN_HOSTS;
use crate::{Error, Variable};
use kaleidoscope_ir::{FunctionId, HostVariable, MathsFunction};
use kaleidoscope_lang::formula::FormulaReader;
use kaleidoscope_lang::item::Read;
use kaleidoscope_lang::names::{NameState, Names};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The names of a program, with what belongs to them apart from the engine's definitions.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) names: Names,
    /// Each `def`, by function id.
    sources: Vec<Option<DefinitionText>>,
    /// Definitions of each name so far, whatever their arity.
    versions: HashMap<Arc<str>, u32>,
    /// The functions that each replaced text has defined, with their versions.
    files: HashMap<Arc<str>, Vec<(FunctionId, u32)>>,
    /// The ids of bound host variables, by name and address.
    bound: HashMap<(Arc<str>, usize), HostVariable>,
    /// The number of functions created for formulas.
    n_formulas: usize,
    /// Functions of formulas that no formula uses now, by arity.
    free_formulas: BTreeMap<u32, Vec<FunctionId>>,
    formula_reader: FormulaReader,
    /// `putchard`, `putbyte` and `printd`, unless the host registered others under these names.
    built_in_hosts: HashSet<FunctionId>,
    /// All functions that are host functions, or were before a `def`.
    hosts: HashSet<FunctionId>,
    /// The number of functions that the language or the host provides.
    n_provided: usize,
}

/// A `def`, or a formula.
#[derive(Clone, Debug)]
struct DefinitionText {
    text: Arc<str>,
    /// Where it begins. None for a formula.
    place: Option<Place>,
}

impl Program {
    /// The names that every engine provides. The engine declares the functions in the same order:
    /// [`Self::declarations`].
    pub(crate) fn new() -> Self {
        let mut names = Names::new();
        let built_in_hosts: HashSet<_> =
            BUILT_IN_HOSTS.iter().map(|host| names.declare_host(host.name, host.arity)).collect();
        Self {
            n_provided: names.n_functions(),
            names,
            sources: Vec::new(),
            versions: HashMap::new(),
            files: HashMap::new(),
            bound: HashMap::new(),
            n_formulas: 0,
            free_formulas: BTreeMap::new(),
            formula_reader: FormulaReader::default(),
            hosts: built_in_hosts.clone(),
            built_in_hosts,
        }
    }

    /// A copy for another engine, without formulas. Also returns the functions of the formulas,
    /// with their new versions: the other engine withdraws these functions.
    pub(crate) fn fork(&self) -> (Self, Vec<(FunctionId, u32)>) {
        let mut program = self.clone();
        let formulas: Vec<_> = program.names.known().filter(|&id| program.is_formula(id)).collect();
        let withdrawn = formulas
            .into_iter()
            .map(|id| {
                let version = program.remove(id);
                program.free_formula(id);
                (id, version)
            })
            .collect();
        (program, withdrawn)
    }

    /// Arity and maths function of each function, in the order of ids. The engine declares them.
    pub(crate) fn declarations(
        &self,
        from: usize,
    ) -> impl ExactSizeIterator<Item = (u32, Option<MathsFunction>)> {
        (from..self.names.n_functions()).map(|index| {
            let id = FunctionId::new(u32::try_from(index).expect("ids are 32 bits wide"));
            let maths = match self.names.state(id) {
                NameState::Maths(maths) => Some(maths),
                _ => None,
            };
            (self.names.signature(id).arity, maths)
        })
    }

    /// `putchard`, `putbyte` and `printd`, as far as they are host functions and the host
    /// registered no others.
    pub(crate) fn built_in_hosts(&self) -> impl Iterator<Item = FunctionId> {
        self.built_in_hosts.iter().copied().filter(|&id| self.names.state(id) == NameState::Host)
    }

    /// Hides the provided functions without one of these names. Returns them.
    ///
    /// # Errors
    /// If no function has one of the names.
    pub(crate) fn keep_only(&mut self, provided: &[String]) -> Result<Vec<FunctionId>, Error> {
        let names = &mut self.names;
        if let Some(unknown) = provided.iter().find(|name| names.current(name).is_none()) {
            return Err(Error::unknown_function(unknown));
        }
        let provided: HashSet<_> = provided.iter().filter_map(|name| names.current(name)).collect();
        let is_hidden = |id: &FunctionId| {
            let is_provided = match names.state(*id) {
                NameState::Maths(_) => true,
                NameState::Host => self.built_in_hosts.contains(id),
                _ => false,
            };
            is_provided && !provided.contains(id)
        };
        let hidden: Vec<_> = names.known().filter(is_hidden).collect();
        hidden.iter().for_each(|&id| names.remove(id));
        Ok(hidden)
    }

    /// Gives the name to a host function with this number of parameters. Returns its id and
    /// version.
    pub(crate) fn provide(&mut self, name: &Arc<str>, arity: u32) -> (FunctionId, u32) {
        let id = self.names.declare_host(name, arity);
        self.built_in_hosts.remove(&id);
        // The maths functions have the first ids, and are counted already.
        let is_counted = id.index() < MathsFunction::ALL.len();
        if self.hosts.insert(id) && !is_counted {
            self.n_provided += 1;
        }
        (id, self.next_version(name))
    }

    /// Notes that another registration replaced the closure of a host function.
    pub(crate) fn keep_host(&mut self, id: FunctionId) {
        self.built_in_hosts.remove(&id);
    }

    /// The number of functions with an id that the language or the host provides.
    pub(crate) fn n_provided(&self) -> usize {
        self.n_provided
    }

    fn next_version(&mut self, name: &Arc<str>) -> u32 {
        let version = self.versions.entry(Arc::clone(name)).or_default();
        *version += 1;
        *version
    }

    /// Notes a `def` of the function, with its text and place. Returns the version that begins.
    pub(crate) fn define(&mut self, id: FunctionId, source: &str, place: Option<Place>) -> u32 {
        if self.sources.len() <= id.index() {
            self.sources.resize(id.index() + 1, None);
        }
        self.sources[id.index()] = Some(DefinitionText { text: source.into(), place });
        let name = Arc::clone(&self.names.signature(id).name);
        self.next_version(&name)
    }

    /// The functions that the text of this name has defined, with their versions. It is about to be
    /// replaced.
    pub(crate) fn take_file(&mut self, name: &str) -> Vec<(FunctionId, u32)> {
        self.files.remove(name).unwrap_or_default()
    }

    /// Notes what the text of this name has defined.
    pub(crate) fn add_file(&mut self, name: &str, defined: Vec<(FunctionId, u32)>) {
        self.files.insert(name.into(), defined);
    }

    /// The text of the function's `def`.
    pub(crate) fn source(&self, id: FunctionId) -> Option<&Arc<str>> {
        self.definition_text(id).map(|definition| &definition.text)
    }

    /// Where the definition begins of the function that has this name now.
    pub(crate) fn place_of(&self, name: &str) -> Option<Place> {
        self.definition_text(self.names.current(name)?)?.place.clone()
    }

    fn definition_text(&self, id: FunctionId) -> Option<&DefinitionText> {
        self.sources.get(id.index())?.as_ref()
    }

    /// Takes the source of a function from an earlier state of this program, whose names were taken
    /// before. Returns the version that begins; `None` for the function of a formula, which stays.
    pub(crate) fn restore(&mut self, id: FunctionId, old: &Self) -> Option<u32> {
        if self.is_formula(id) {
            return None;
        }
        if let Some(source) = self.sources.get_mut(id.index()) {
            *source = old.definition_text(id).cloned();
        }
        let name = Arc::clone(&self.names.signature(id).name);
        Some(self.next_version(&name))
    }

    /// Removes the function's name. Returns the version that begins, in which calls trap.
    pub(crate) fn remove(&mut self, id: FunctionId) -> u32 {
        self.names.remove(id);
        if let Some(source) = self.sources.get_mut(id.index()) {
            *source = None;
        }
        let name = Arc::clone(&self.names.signature(id).name);
        self.next_version(&name)
    }

    /// Reads a formula, as the definition of a function with this name.
    pub(crate) fn read_formula(&mut self, text: &str, name: Arc<str>, parameters: &[&str]) -> Read {
        self.formula_reader.read(text, name, parameters, &self.names)
    }

    /// The name for the next formula of this arity: of a function that no formula uses any more, if
    /// there is one.
    pub(crate) fn name_of_formula(&self, arity: u32) -> Arc<str> {
        match self.free_formulas.get(&arity).and_then(|free| free.last()) {
            Some(&id) => Arc::clone(&self.names.signature(id).name),
            None => format!("$formula{}", self.n_formulas + 1).into(),
        }
    }

    /// Notes that a formula uses this function, whose name is [`Self::name_of_formula`].
    pub(crate) fn take_formula(&mut self, id: FunctionId) {
        let free = self.free_formulas.get_mut(&self.names.signature(id).arity);
        if free.and_then(Vec::pop).is_none() {
            self.n_formulas += 1;
        }
    }

    /// Notes that no formula uses this function any more.
    pub(crate) fn free_formula(&mut self, id: FunctionId) {
        self.free_formulas.entry(self.names.signature(id).arity).or_default().push(id);
    }

    /// Whether the function belongs to a formula: programs cannot name it.
    pub(crate) fn is_formula(&self, id: FunctionId) -> bool {
        self.names.signature(id).name.starts_with('$')
    }

    /// Why the function cannot be called now.
    pub(crate) fn why_unavailable(&self, id: FunctionId) -> Unavailable {
        let signature = self.names.signature(id).clone();
        let now = self.names.current(&signature.name).filter(|&now| now != id);
        match (self.names.state(id), now) {
            (NameState::Declared, _) => Unavailable::Missing { name: signature.name },
            (_, Some(now)) => {
                let takes = self.names.signature(now).arity;
                Unavailable::Arity { name: signature.name, given: signature.arity, takes }
            }
            _ => {
                let failure = self.names.failure(&signature.name).cloned();
                Unavailable::Undefined { name: signature.name, failure }
            }
        }
    }

    /// The id of this host variable under this name, if it was bound before.
    pub(crate) fn bound(&self, name: &str, variable: &Variable) -> Option<HostVariable> {
        self.bound.get(&(Arc::from(name), variable.as_ptr().addr())).copied()
    }

    /// Adds a host variable with the next id.
    pub(crate) fn add_bound(&mut self, name: &str, variable: &Variable, id: HostVariable) {
        let of_names = self.names.add_variable(name);
        assert_eq!(of_names, id, "names and engine give host variables the same ids");
        self.bound.insert((Arc::from(name), variable.as_ptr().addr()), id);
    }
}
