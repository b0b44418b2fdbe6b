//! The names in scope between items: functions, operators, and variables of the host.
//!
//! Reading an item only asks here; nothing changes before [`Names::commit`], so that an item that fails leaves nothing
//! behind. A function id belongs to a name *and* an arity: two calls of `g` with one and two arguments, before `g` is
//! defined, are two functions, of which the definition will bring one to life.

mod nearest;
#[cfg(test)]
mod tests;

pub(crate) use nearest::nearest;

use std::collections::HashMap;
use std::sync::Arc;

use crate::item::{Item, Operator};
use crate::operator::{BinaryMeaning, BinaryOperator, Operators, Sign};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::{FunctionId, HostVariable};

/// A function's name and number of parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The name: `fib`, `unary!`, `binary|`.
    pub name: Arc<str>,
    /// How many parameters it has.
    pub arity: u32,
}

/// What stands behind a function id now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameState {
    /// Nothing: it was called, and nobody has said what it is.
    Undefined,
    /// Nothing yet, but an `extern` says that somebody will provide it.
    Declared,
    /// A function of the C maths library.
    Maths(MathsFunction),
    /// A function of the host.
    Host,
    /// A function that a `def` gave.
    Defined,
    /// Nothing any more: the name now means a function of another arity.
    Replaced,
}

/// What a call finds.
pub(crate) enum Lookup {
    /// The function of that name and arity.
    Found(FunctionId),
    /// The name is known with this other arity.
    OtherArity(FunctionId),
    /// The name means nothing so far; calls before may already have given this name and arity an id.
    Unknown(Option<FunctionId>),
}

/// The names in scope between items.
#[derive(Clone, Debug)]
pub struct Names {
    functions: Vec<Entry>,
    by_name: HashMap<Arc<str>, ByName>,
    operators: Operators,
    /// The names of the host's variables, by id.
    variables: Vec<Arc<str>>,
    /// What the names mean now.
    variable_by_name: HashMap<Arc<str>, HostVariable>,
    n_expressions: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    signature: Signature,
    state: NameState,
    /// The next older function of the same name.
    older: Option<FunctionId>,
}

#[derive(Clone, Copy, Debug)]
struct ByName {
    /// The youngest function of this name; the others hang on it.
    youngest: FunctionId,
    /// What the name means, if it means anything.
    current: Option<FunctionId>,
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl kaleidoscope_ir::text::IdNames for Names {
    fn function(&self, id: FunctionId) -> Option<&str> {
        (id.index() < self.n_functions()).then(|| &*self.signature(id).name)
    }

    fn host_variable(&self, id: HostVariable) -> Option<&str> {
        (id.index() < self.n_variables()).then(|| &**self.variable_name(id))
    }
}

impl Names {
    /// The maths functions and the built-in operators.
    pub fn new() -> Self {
        let mut names = Self {
            functions: Vec::new(),
            by_name: HashMap::new(),
            operators: Operators::new(),
            variables: Vec::new(),
            variable_by_name: HashMap::new(),
            n_expressions: 0,
        };
        for &maths in MathsFunction::ALL {
            let id = names.add(Signature { name: maths.name().into(), arity: maths.arity() });
            names.make_current(id, NameState::Maths(maths));
        }
        names
    }

    /// Makes the name mean a function of the host, as if the host had a `def` of its own.
    pub fn declare_host(&mut self, name: &str, arity: u32) -> FunctionId {
        let id = match self.find(name, arity) {
            Some(id) => id,
            None => self.add(Signature { name: name.into(), arity }),
        };
        self.make_current(id, NameState::Host);
        id
    }

    /// The name of the function means nothing from now on, nor does the operator that it stood behind.
    ///
    /// # Panics
    /// When the id is not from these names.
    pub fn remove(&mut self, id: FunctionId) {
        let name = &self.functions[id.index()].signature.name;
        let by_name = self.by_name.get_mut(name).expect("every function's name is known");
        if by_name.current == Some(id) {
            by_name.current = None;
            let mut next = Some(by_name.youngest);
            while let Some(of_name) = next {
                let entry = &mut self.functions[of_name.index()];
                entry.state = NameState::Undefined;
                next = entry.older;
            }
        }
        self.operators.remove(id);
    }

    /// The functions whose names mean something now, in the order in which they were first named.
    pub fn known(&self) -> impl Iterator<Item = FunctionId> {
        let ids = (0..self.functions.len()).map(|number| FunctionId::new(number as u32));
        ids.filter(|&id| self.current(&self.signature(id).name) == Some(id))
    }

    /// Name and arity of a function.
    ///
    /// # Panics
    /// When the id is not from these names.
    pub fn signature(&self, id: FunctionId) -> &Signature {
        &self.functions[id.index()].signature
    }

    /// What the name means now.
    pub fn current(&self, name: &str) -> Option<FunctionId> {
        self.by_name.get(name)?.current
    }

    /// What stands behind an id now.
    ///
    /// # Panics
    /// When the id is not from these names.
    pub fn state(&self, id: FunctionId) -> NameState {
        self.functions[id.index()].state
    }

    /// How many function ids were given out; they are 0 to this.
    pub fn n_functions(&self) -> usize {
        self.functions.len()
    }

    /// The binary operator with this sign, if there is one.
    pub fn binary_operator(&self, sign: Sign) -> Option<BinaryOperator> {
        self.operators.binary(sign)
    }

    /// The function behind the prefix operator with this sign, if there is one.
    pub fn prefix_operator(&self, sign: Sign) -> Option<FunctionId> {
        self.operators.prefix(sign)
    }

    /// A new variable of the host by this name, which means it from now on. What was read before goes on meaning what it
    /// meant.
    pub fn add_variable(&mut self, name: &str) -> HostVariable {
        let variable = HostVariable::new(self.variables.len() as u32);
        self.variables.push(name.into());
        self.use_variable(variable);
        variable
    }

    /// Makes the variable's name mean it again.
    ///
    /// # Panics
    /// When the id is not from these names.
    pub fn use_variable(&mut self, variable: HostVariable) {
        self.variable_by_name.insert(Arc::clone(&self.variables[variable.index()]), variable);
    }

    /// The variable of the host that the name means now, where it is no variable of the program's.
    pub fn variable(&self, name: &str) -> Option<HostVariable> {
        self.variable_by_name.get(name).copied()
    }

    /// The name of a variable of the host.
    ///
    /// # Panics
    /// When the id is not from these names.
    pub fn variable_name(&self, variable: HostVariable) -> &Arc<str> {
        &self.variables[variable.index()]
    }

    /// How many variables of the host were given ids; they are 0 to this.
    pub fn n_variables(&self) -> usize {
        self.variables.len()
    }

    /// The names of the host's variables, the youngest first; one that has had several meanings occurs as often.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().rev().map(|name| &**name)
    }

    /// Makes what the item brings real: its names, operators and new ids.
    ///
    /// # Panics
    /// When another item was committed since the item was read: its ids are taken.
    pub fn commit(&mut self, item: &Item) {
        match item {
            Item::Definition { id, function: _, operator, new_functions } => {
                self.add_new(new_functions, *id);
                self.make_current(*id, NameState::Defined);
                self.set_operator(*id, *operator);
            }
            Item::Extern { id, operator, new_functions } => {
                self.add_new(new_functions, *id);
                let state = self.state(*id);
                if state == NameState::Undefined {
                    self.make_current(*id, NameState::Declared);
                }
                // An operator that is defined keeps its precedence: `extern` changes nothing of what exists.
                if matches!(state, NameState::Undefined | NameState::Declared) {
                    self.set_operator(*id, *operator);
                }
            }
            Item::Expression { .. } => self.n_expressions += 1,
        }
    }

    pub(crate) fn operators(&self) -> &Operators {
        &self.operators
    }

    /// The number of the next top-level expression.
    pub(crate) fn next_expression(&self) -> u64 {
        self.n_expressions + 1
    }

    /// The function of this name and arity, whatever stands behind it.
    pub fn find(&self, name: &str, arity: u32) -> Option<FunctionId> {
        self.of_name(self.by_name.get(name)?.youngest).find(|&id| self.signature(id).arity == arity)
    }

    pub(crate) fn look_up(&self, name: &str, arity: u32) -> Lookup {
        match self.by_name.get(name) {
            None => Lookup::Unknown(None),
            Some(&ByName { current: Some(id), .. }) if self.signature(id).arity == arity => Lookup::Found(id),
            Some(&ByName { current: Some(id), .. }) => Lookup::OtherArity(id),
            Some(by_name) => {
                let same_arity = |&id: &FunctionId| self.signature(id).arity == arity;
                Lookup::Unknown(self.of_name(by_name.youngest).find(same_arity))
            }
        }
    }

    /// The functions that share the name of `youngest`, from it to the oldest.
    fn of_name(&self, youngest: FunctionId) -> impl Iterator<Item = FunctionId> {
        std::iter::successors(Some(youngest), |id| self.functions[id.index()].older)
    }

    fn add_new(&mut self, signatures: &[Signature], id: FunctionId) {
        for signature in signatures {
            assert!(
                self.find(&signature.name, signature.arity).is_none(),
                "the item was read with other names: `{}` has an id already",
                signature.name
            );
            self.add(signature.clone());
        }
        assert!(id.index() < self.functions.len(), "the item was read with other names");
    }

    fn add(&mut self, signature: Signature) -> FunctionId {
        let id = FunctionId::new(self.functions.len() as u32);
        let mut older = None;
        self.by_name
            .entry(Arc::clone(&signature.name))
            .and_modify(|by_name| older = Some(std::mem::replace(&mut by_name.youngest, id)))
            .or_insert(ByName { youngest: id, current: None });
        self.functions.push(Entry { signature, state: NameState::Undefined, older });
        id
    }

    /// The name of `id` means `id` from now on, and no other function of that name.
    fn make_current(&mut self, id: FunctionId, state: NameState) {
        let name = &self.functions[id.index()].signature.name;
        let by_name = self.by_name.get_mut(name).expect("every function's name is known");
        by_name.current = Some(id);
        let mut next = Some(by_name.youngest);
        while let Some(other) = next {
            let entry = &mut self.functions[other.index()];
            entry.state = if other == id { state } else { NameState::Replaced };
            next = entry.older;
        }
    }

    fn set_operator(&mut self, id: FunctionId, operator: Option<Operator>) {
        match operator {
            None => {}
            Some(Operator::Unary(sign)) => self.operators.set_prefix(sign, id),
            Some(Operator::Binary { sign, precedence }) => {
                let meaning = BinaryMeaning::Call(id);
                self.operators.set_binary(sign, BinaryOperator { precedence, meaning });
            }
        }
    }
}
