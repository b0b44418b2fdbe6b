//! Names: the functions, operators, host variables and arrays that are in scope between items.
//!
//! Reading an item only looks names up. Nothing changes before [`Names::commit`], so an item that
//! fails leaves no trace. A function id belongs to a name and an arity. Calls of an undefined `g`
//! with one and with two arguments have two ids; the definition of `g` gives a meaning to one of
//! them.

mod failed;
mod nearest;
#[cfg(test)]
mod tests;

pub use crate::signature::Signature;
pub use failed::declared_name;
pub use nearest::nearest;

use std::collections::HashMap;
use std::sync::Arc;

use crate::conventions::{self, MANY_ARGUMENTS, ManyArguments};
use crate::item::{Item, Operator};
use crate::operator::{BinaryMeaning, BinaryOperator, Operators, Sign, is_operator_character};
use crate::token::{Keyword, LAST_CHAPTER};
use failed::FailedDefinition;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::{FunctionId, HostArray, HostVariable};

/// What a function id means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameState {
    /// Nothing: a text called the function, and no text has defined or declared it.
    Undefined,
    /// Nothing yet: an `extern` declared that the host provides it.
    Declared,
    /// A function of the C maths library.
    Maths(MathsFunction),
    /// A host function.
    Host,
    /// A function with a `def`.
    Defined,
    /// Nothing any more: its name now means a function of another arity.
    Replaced,
}

/// The result of looking up a call's name and arity.
pub(crate) enum Lookup {
    /// The function of this name and arity.
    Found(FunctionId),
    /// The name means this function of another arity.
    OtherArity(FunctionId),
    /// The name means nothing. An earlier call may have given this name and arity an id.
    Unknown(Option<FunctionId>),
}

/// The names in scope between items.
#[derive(Clone, Debug)]
pub struct Names {
    functions: Vec<FunctionEntry>,
    by_name: HashMap<Arc<str>, ByName>,
    operators: Operators,
    /// The names of the host variables, by id.
    variables: Vec<Arc<str>>,
    /// The host variable that each name means now.
    variable_by_name: HashMap<Arc<str>, HostVariable>,
    /// The names of the arrays of the host, by id.
    arrays: Vec<Arc<str>>,
    array_by_name: HashMap<Arc<str>, HostArray>,
    n_expressions: u64,
    /// Whether the program has the conventions of the prelude.
    has_conventions: bool,
    /// The chapter of the tutorial whose language the program has.
    chapter: u8,
    /// The functions that take any number of arguments, although they have two parameters.
    many_arguments: Vec<(FunctionId, ManyArguments)>,
    /// The youngest definitions that failed, of names that have no meaning since.
    failed: Vec<FailedDefinition>,
}

#[derive(Clone, Debug)]
struct FunctionEntry {
    signature: Signature,
    state: NameState,
    /// The next older function of the same name.
    older: Option<FunctionId>,
}

#[derive(Clone, Copy, Debug)]
struct ByName {
    /// The youngest function of this name, the head of the list of older ones.
    youngest: FunctionId,
    /// The function that the name means now.
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

    fn host_array(&self, id: HostArray) -> Option<&str> {
        self.arrays.get(id.index()).map(|name| &**name)
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
            arrays: Vec::new(),
            array_by_name: HashMap::new(),
            n_expressions: 0,
            has_conventions: false,
            chapter: LAST_CHAPTER,
            many_arguments: Vec::new(),
            failed: Vec::new(),
        };
        for &maths in MathsFunction::ALL {
            let id = names.add(Signature { name: maths.name().into(), arity: maths.arity() });
            names.make_current(id, NameState::Maths(maths));
        }
        names
    }

    /// Makes the name mean a host function, as a `def` would.
    pub fn declare_host(&mut self, name: &str, arity: u32) -> FunctionId {
        let id = match self.find(name, arity) {
            Some(id) => id,
            None => self.add(Signature { name: name.into(), arity }),
        };
        self.make_current(id, NameState::Host);
        id
    }

    /// Turns the [conventions] on. `prelude` has the functions that the prelude defined. Those
    /// among them that take any number of arguments do so until their name gets another meaning.
    pub fn use_conventions(&mut self, prelude: &[FunctionId]) {
        self.has_conventions = true;
        for &(sign, operator) in conventions::OPERATORS {
            self.operators.set_binary(sign, operator);
        }
        for &(name, meaning) in MANY_ARGUMENTS {
            if let Some(id) = self.find(name, 2).filter(|id| prelude.contains(id)) {
                self.many_arguments.push((id, meaning));
            }
        }
    }

    /// Whether the program has the conventions of the prelude.
    pub fn has_conventions(&self) -> bool {
        self.has_conventions
    }

    /// Whether a program cannot give this name to a variable or a function.
    pub fn is_keyword(&self, name: &str) -> bool {
        Keyword::new(name, self.has_conventions).is_some_and(|keyword| keyword.chapter() <= self.chapter)
    }

    /// Restricts the language to that of a chapter of LLVM's tutorial, from 2 to 7. The keywords of
    /// later chapters are ordinary names, and before chapter 7 there is no assignment.
    pub fn use_chapter(&mut self, chapter: u8) {
        self.chapter = chapter;
        if chapter < LAST_CHAPTER {
            self.operators.remove_assignment();
        }
    }

    /// The chapter of LLVM's tutorial whose language the program has.
    pub fn chapter(&self) -> u8 {
        self.chapter
    }

    /// What to say of a name that a later chapter makes a keyword.
    pub(crate) fn chapter_hint(&self, name: &str) -> Option<String> {
        let chapter = Keyword::new(name, false)?.chapter();
        (chapter > self.chapter).then(|| format!("`{name}` is a keyword from chapter {chapter} on"))
    }

    /// The value of a constant, unless a variable hides it.
    pub(crate) fn constant(&self, name: &str) -> Option<f64> {
        if self.has_conventions { conventions::constant(name) } else { None }
    }

    /// What a call of the function with any number of arguments means; `None` for most functions.
    pub(crate) fn many_arguments(&self, id: FunctionId) -> Option<ManyArguments> {
        self.many_arguments.iter().find(|(known, _)| *known == id).map(|&(_, meaning)| meaning)
    }

    /// Removes the meaning of the function's name, and of the operator that it defines.
    pub fn remove(&mut self, id: FunctionId) {
        self.many_arguments.retain(|(known, _)| *known != id);
        let name = &self.functions[id.index()].signature.name;
        // Only the name of an operator's function ends with a sign.
        let may_be_operator = name.bytes().next_back().is_some_and(is_operator_character);
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
        if may_be_operator {
            self.operators.remove(id);
        }
    }

    /// Gives all functions and operators the meaning that they have in `old`, an earlier state of
    /// these names. Younger functions are undefined. Variables, arrays and names that begin with
    /// `$` keep their meaning, and so does a name that an array has now.
    pub fn restore(&mut self, old: &Self) {
        let keeps = |name: &str, arrays: &HashMap<_, _>| name.starts_with('$') || arrays.contains_key(name);
        for (index, entry) in self.functions.iter_mut().enumerate() {
            if !keeps(&entry.signature.name, &self.array_by_name) {
                entry.state = old.functions.get(index).map_or(NameState::Undefined, |entry| entry.state);
            }
        }
        for (name, by_name) in &mut self.by_name {
            if !keeps(name, &self.array_by_name) {
                by_name.current = old.by_name.get(name).and_then(|old| old.current);
            }
        }
        self.operators = old.operators.clone();
        self.has_conventions = old.has_conventions;
        self.many_arguments.clone_from(&old.many_arguments);
        self.failed.clone_from(&old.failed);
    }

    /// The functions that their names mean now, in the order of their ids.
    pub fn known(&self) -> impl Iterator<Item = FunctionId> {
        let ids = (0..self.functions.len()).map(|number| FunctionId::new(number as u32));
        ids.filter(|&id| self.current(&self.signature(id).name) == Some(id))
    }

    /// The name and arity of a function.
    pub fn signature(&self, id: FunctionId) -> &Signature {
        &self.functions[id.index()].signature
    }

    /// The function that a name means now.
    pub fn current(&self, name: &str) -> Option<FunctionId> {
        self.by_name.get(name)?.current
    }

    /// What an id means now.
    pub fn state(&self, id: FunctionId) -> NameState {
        self.functions[id.index()].state
    }

    /// The number of function ids. Ids are numbered from 0.
    pub fn n_functions(&self) -> usize {
        self.functions.len()
    }

    /// The binary operator with this sign; `None` if there is none.
    pub fn binary_operator(&self, sign: Sign) -> Option<BinaryOperator> {
        self.operators.binary(sign)
    }

    /// The function that defines the prefix operator with this sign; `None` if there is none.
    pub fn prefix_operator(&self, sign: Sign) -> Option<FunctionId> {
        self.operators.prefix(sign)
    }

    /// Adds a host variable and makes the name mean it. Items that were read before keep their
    /// meaning.
    pub fn add_variable(&mut self, name: &str) -> HostVariable {
        let variable = HostVariable::new(self.variables.len() as u32);
        self.variables.push(name.into());
        self.use_variable(variable);
        variable
    }

    /// Makes the name of a host variable mean this variable again.
    pub fn use_variable(&mut self, variable: HostVariable) {
        self.variable_by_name.insert(Arc::clone(&self.variables[variable.index()]), variable);
    }

    /// Makes the name mean no host variable. Items that were read before keep their meaning.
    /// Returns whether it meant one.
    pub fn remove_variable(&mut self, name: &str) -> bool {
        self.variable_by_name.remove(name).is_some()
    }

    /// The host variable that a name means, unless a variable of the function hides it.
    pub fn variable(&self, name: &str) -> Option<HostVariable> {
        self.variable_by_name.get(name).copied()
    }

    /// The name of a host variable.
    pub fn variable_name(&self, variable: HostVariable) -> &Arc<str> {
        &self.variables[variable.index()]
    }

    /// The number of host variables. Ids are numbered from 0.
    pub fn n_variables(&self) -> usize {
        self.variables.len()
    }

    /// The names that mean host variables, the youngest first. A name may occur several times.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let names = self.variables.iter().rev().map(|name| &**name);
        names.filter(|name| self.variable_by_name.contains_key(*name))
    }

    /// Adds an array of the host with this name, which no function and no other array has. From now
    /// on, `name(i)` is an element of the array.
    ///
    /// # Panics
    /// If a function or another array has the name.
    pub fn add_array(&mut self, name: &str) -> HostArray {
        assert!(self.current(name).is_none(), "`{name}` is a function");
        let array = HostArray::new(self.arrays.len() as u32);
        let name: Arc<str> = name.into();
        assert!(self.array_by_name.insert(Arc::clone(&name), array).is_none(), "`{name}` is an array");
        self.arrays.push(name);
        array
    }

    /// The array of the host that has a name.
    pub fn array(&self, name: &str) -> Option<HostArray> {
        self.array_by_name.get(name).copied()
    }

    /// The names of the arrays of the host.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|name| &**name)
    }

    /// Accepts an item: its names, operators and new ids take effect.
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
                // A defined operator keeps its precedence: `extern` changes nothing that exists.
                if matches!(state, NameState::Undefined | NameState::Declared) {
                    self.set_operator(*id, *operator);
                }
            }
            Item::Expression { .. } => self.n_expressions += 1,
            Item::WithoutEffect => {}
        }
    }

    pub(crate) fn operators(&self) -> &Operators {
        &self.operators
    }

    /// The number of the next top-level expression.
    pub(crate) fn next_expression(&self) -> u64 {
        self.n_expressions + 1
    }

    /// The id of this name and arity, whatever it means now.
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

    /// The functions with the name of `youngest`, from the youngest to the oldest.
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
        self.functions.push(FunctionEntry { signature, state: NameState::Undefined, older });
        id
    }

    /// Makes the name of `id` mean `id` and no other function of that name.
    fn make_current(&mut self, id: FunctionId, state: NameState) {
        let name = &self.functions[id.index()].signature.name;
        self.failed.retain(|failed| failed.name != **name);
        let by_name = self.by_name.get_mut(name).expect("every function's name is known");
        by_name.current = Some(id);
        let mut next = Some(by_name.youngest);
        while let Some(other) = next {
            let entry = &mut self.functions[other.index()];
            entry.state = if other == id { state } else { NameState::Replaced };
            next = entry.older;
            self.many_arguments.retain(|(known, _)| *known != other);
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
