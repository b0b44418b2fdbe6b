//! Program: a text without mistakes, and the units that compile its functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use kaleidoscope_ir::compile::{
    CallTarget, CodeKind, HostArrayMemory, HostVariableAddress, InliningBudget, InliningPlan, Unit,
};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_lang::reader::Reader;

/// The slot address of function 0, where a test has no slots. Each function has its own.
pub const SLOTS: usize = 0x7fff_3333_3330;

/// The address of every host variable, where a test has none.
pub const HOST_VARIABLE: usize = 0x7fff_6666_6660;

/// The array that exists: its name, and its memory where a test has none.
pub const HOST_ARRAY: &str = "cells";

/// The address of its first element.
pub const HOST_ARRAY_ADDRESS: usize = 0x7fff_9999_9940;

/// Its length.
pub const HOST_ARRAY_LEN: usize = 100;

/// The address of the function that reports a bad index, where a test has none.
pub const BAD_INDEX: usize = 0x7fff_aaaa_aaa0;

/// The address of a function's slot, where a test has no slots.
pub fn slot(id: FunctionId) -> usize {
    SLOTS + size_of::<usize>() * id.index()
}

/// The items of a text.
///
/// The host variable `t` exists, and the array [`HOST_ARRAY`].
#[derive(Clone, Debug)]
pub struct Program {
    /// The names after the last item.
    pub names: Names,
    /// The functions of all definitions and expressions, in order.
    pub functions: Vec<Arc<Function>>,
}

impl Program {
    /// Reads the text.
    ///
    /// # Panics
    /// If the text has a mistake.
    pub fn read(text: &str) -> Self {
        Self::read_by(Reader::new("test"), text)
    }

    /// As [`read`](Self::read), with the positions of operations in the file `/source/test.kal`.
    ///
    /// # Panics
    /// If the text has a mistake.
    pub fn with_positions(text: &str) -> Self {
        let mut reader = Reader::new("test.kal");
        reader.keep_positions("/source");
        Self::read_by(reader, text)
    }

    fn read_by(mut reader: Reader, text: &str) -> Self {
        let mut names = Names::new();
        names.add_variable("t");
        names.add_array(HOST_ARRAY);
        let mut functions = Vec::new();
        reader.push(text);
        reader.finish();
        while let Some(read) = reader.read(&names) {
            let item = read.item.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
            names.commit(&item);
            match item {
                Item::Definition { function, .. } | Item::Expression { function } => functions.push(function),
                _ => {}
            }
        }
        Self { names, functions }
    }

    /// The function of the last item.
    ///
    /// # Panics
    /// If the text has neither a definition nor an expression.
    pub fn last(&self) -> &Arc<Function> {
        self.functions.last().expect("the text has a function")
    }

    /// Standalone code for the function, with the addresses of [`slot`], [`HOST_VARIABLE`] and
    /// [`HOST_ARRAY_ADDRESS`].
    pub fn unit(&self, function: &Arc<Function>) -> Unit {
        let id = self.names.current(&function.name);
        let (call_targets, host_variables) = self.references([&**function], id);
        let unit = Unit::new(Arc::clone(function), id, 1, call_targets, host_variables);
        Unit { host_arrays: host_arrays(&unit), ..unit }
    }

    /// Optimized code for the function, with everything inlined that the budget allows.
    pub fn optimized_unit(&self, function: &Arc<Function>, kind: CodeKind, budget: InliningBudget) -> Unit {
        let plan = self.plan(function, kind, budget);
        let id = self.names.current(&function.name);
        let functions: Vec<_> = plan.instances().iter().map(|instance| instance.function).collect();
        let (call_targets, host_variables) = self.references(functions, id);
        let unit = Unit::new(Arc::clone(function), id, 1, call_targets, host_variables);
        let unit = Unit { kind, inlining: Some(plan), ..unit };
        Unit { host_arrays: host_arrays(&unit), ..unit }
    }

    /// The inlining plan for code of this kind.
    pub fn plan(&self, function: &Arc<Function>, kind: CodeKind, budget: InliningBudget) -> InliningPlan {
        let id = self.names.current(&function.name);
        InliningPlan::new(id, Arc::clone(function), kind.ops(function), budget, |id| {
            self.definition(id).cloned()
        })
    }

    /// The last definition of the function.
    pub fn definition(&self, id: FunctionId) -> Option<&Arc<Function>> {
        let signature = self.names.signature(id);
        let is_definition = |function: &&Arc<Function>| {
            function.name == signature.name && function.n_params == signature.arity
        };
        self.functions.iter().rev().find(is_definition)
    }

    /// The name of each function, for listings.
    pub fn function_names(&self) -> BTreeMap<FunctionId, String> {
        let ids = (0..self.names.n_functions()).map(|index| FunctionId::new(index as u32));
        ids.map(|id| (id, self.names.signature(id).name.to_string())).collect()
    }

    /// The targets of all calls in the functions, and the addresses of their host variables.
    fn references<'a>(
        &self,
        functions: impl IntoIterator<Item = &'a Function>,
        id: Option<FunctionId>,
    ) -> (BTreeMap<FunctionId, CallTarget>, BTreeMap<HostVariable, HostVariableAddress>) {
        let (mut call_targets, mut host_variables) = (BTreeMap::new(), BTreeMap::new());
        call_targets.extend(id.map(|id| (id, CallTarget::Slot { address: slot(id) })));
        for function in functions {
            let facts = function.facts();
            for (callee, _) in facts.callees() {
                call_targets.insert(callee, call_target(&self.names, callee, slot));
            }
            for variable in facts.host_variables() {
                let name = Arc::clone(self.names.variable_name(variable));
                host_variables.insert(variable, HostVariableAddress { name, address: HOST_VARIABLE });
            }
        }
        (call_targets, host_variables)
    }
}

/// The memory of the arrays that the instances of a unit use.
fn host_arrays(unit: &Unit) -> BTreeMap<HostArray, HostArrayMemory> {
    let instances = unit.instances();
    let used = instances.iter().flat_map(|instance| instance.function.facts().host_arrays());
    let (address, len, bad_index) = (HOST_ARRAY_ADDRESS, HOST_ARRAY_LEN, BAD_INDEX);
    used.map(|array| (array, HostArrayMemory { name: HOST_ARRAY.into(), address, len, bad_index })).collect()
}

/// The target of calls of a function: the maths function of this name, or the slot at the address
/// that `slot` returns.
pub fn call_target(names: &Names, id: FunctionId, slot: impl FnOnce(FunctionId) -> usize) -> CallTarget {
    let address = slot(id);
    match names.state(id) {
        NameState::Maths(function) => CallTarget::Maths { function, slot: address },
        _ => CallTarget::Slot { address },
    }
}
