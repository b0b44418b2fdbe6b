//! Programs read from text, a machine to make code for, and IR compared with files.

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use kaleidoscope_ir::compile::{CodeKind, InliningBudget, InliningPlan, VectorMaths};
use kaleidoscope_ir::{Function, FunctionId, HostVariable};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names, Signature};
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_llvm::{
    Callee, Effort, HotUnit, OptLevel, Pass, Unit, Variable, effort_hot, lower, lower_hot, symbols,
};
use std::path::Path;
use std::sync::Arc;

pub(crate) const LEVELS: [OptLevel; 4] =
    [OptLevel::None, OptLevel::Less, OptLevel::Default, OptLevel::Aggressive];

/// A program, read to its end.
pub(crate) struct Program {
    pub(crate) names: Names,
    pub(crate) functions: Vec<Arc<Function>>,
}

impl Program {
    pub(crate) fn read(text: &str) -> Self {
        let mut names = Names::new();
        names.add_variable("t");
        let mut functions = Vec::new();
        let mut reader = Reader::new("test");
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

    /// The function that was defined last.
    pub(crate) fn module<'cx>(&self, cx: &'cx Context) -> Module<'cx> {
        self.lower(cx, self.functions.last().expect("the program defines a function"))
    }

    pub(crate) fn lower<'cx>(&self, cx: &'cx Context, function: &Function) -> Module<'cx> {
        let symbol = symbols::body(&function.name, 1);
        let unit = Unit {
            function,
            symbol: &symbol,
            callees: &|callee| self.callee(callee),
            variables: &|variable| self.variable(variable),
        };
        verified(lower(cx, &unit))
    }

    /// A module of hot code, with the bodies that these limits allow.
    pub(crate) fn lower_hot<'cx>(
        &self,
        cx: &'cx Context,
        function: &Arc<Function>,
        part: CodeKind,
        limits: InliningBudget,
    ) -> Module<'cx> {
        self.lower_unit(cx, function, part, limits, &[])
    }

    /// The same with functions for several values at once.
    pub(crate) fn lower_unit<'cx>(
        &self,
        cx: &'cx Context,
        function: &Arc<Function>,
        part: CodeKind,
        limits: InliningBudget,
        vector_maths: &[VectorMaths],
    ) -> Module<'cx> {
        let plan = self.plan(function, limits);
        let symbol = symbols::body(&function.name, 1);
        let instances = plan.instances();
        let callees = |callee| self.callee(callee);
        let variables = |variable| self.variable(variable);
        let unit = HotUnit {
            symbol: &symbol,
            instances: &instances,
            callees: &callees,
            variables: &variables,
            part,
            vector_maths,
        };
        assert_eq!(effort_hot(&unit), Effort::Full);
        verified(lower_hot(cx, &unit))
    }

    pub(crate) fn plan(&self, function: &Arc<Function>, limits: InliningBudget) -> InliningPlan {
        let id = self.names.current(&function.name);
        InliningPlan::new(id, Arc::clone(function), limits, |id| {
            let Signature { name, arity } = self.names.signature(id);
            let has_body = |function: &&Arc<Function>| function.name == *name && function.n_params == *arity;
            self.functions.iter().find(has_body).cloned()
        })
    }

    fn variable(&self, variable: HostVariable) -> Variable {
        Variable::Symbol(symbols::variable(self.names.variable_name(variable)))
    }

    fn callee(&self, callee: FunctionId) -> Callee {
        match self.names.state(callee) {
            NameState::Maths(maths) => Callee::Maths(maths),
            _ => Callee::SlotSymbol(symbols::slot(&self.names.signature(callee).name)),
        }
    }
}

fn verified(module: Module<'_>) -> Module<'_> {
    module.verify().unwrap_or_else(|error| panic!("{error}\n{}", module.to_string()));
    module
}

/// A machine that has no instruction for anything newer than the first x86-64.
pub(crate) fn oldest_machine() -> TargetMachine {
    Target::initialize_x86(&InitializationConfig::default());
    let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
    let target = Target::from_triple(&triple).unwrap();
    let level = OptimizationLevel::Default;
    target.create_target_machine(&triple, "x86-64", "", level, RelocMode::PIC, CodeModel::Small).unwrap()
}

pub(crate) fn optimize(module: &Module<'_>, passes: &[Pass], machine: &TargetMachine) {
    if !passes.is_empty() {
        let names: Vec<_> = passes.iter().map(|pass| pass.as_text()).collect();
        let text = format!("function({})", names.join(","));
        module.run_passes(&text, machine, PassBuilderOptions::create()).unwrap();
        module.verify().unwrap();
    }
}

/// Every construct, in every position that is lowered in a way of its own.
pub(crate) const CONSTRUCTS: &str = "
    def numbers(x) 1 + 0.1 * 1e300 - x / 0 ^ 2 ^ x;
    def truth(x y) (x < y) + (if x < y then x < 1 else y < 1) + (if 1 < (x < y) then 2 else 3);
    def set(x) var a = x < 1 in (x = a = x + 1) + a + x;
    def shadow(x) (var x = x + 1 in var x = x * 2 in x) + x;
    def nested(x) if if x then x < 1 else 0 then (if x then 1 else x = 2) else (if x < 3 then x = 4 else x);
    def loops(n) (for i = 0, i < n in for j = i, j < n, 2 in (if j < i then n = n - 1 else i = i + 1)) + n;
    def loop_in_branch(n) if n then (for i, 0 in n = i) else for i = n, n < i, 0 - 1 in n;
    def held(n) n + (for i = n, i < 9 in n = n + 1) + n;
    def forever(x) forever(x);
    def both(x y) if x then both(y, x) else both(x, y + 1);
    def first(x y) if x then first(y, x) else (y = 2) + x;
    def second(x y) if x then (y = x) + y else second(y, x);
    def third(x) if x < 1 then 1 else if x < 2 then third(x - 2) else (if x then third(x) else third(1)) ;
    def inner(x) var y = x in if y then inner(y - 1) + inner(y - 2) else inner(y = 3);
    def none() none2(none2()); def none2(x) x;
    def unary!(x) if x then 0 else 1;
    def binary| 5 (x y) !(if x then 0 else !y);
    def many(a b c d e f g h i j) many(b, c, d, e, f, g, h, i, j, a) | many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) * 2;
    def shared(x) (for i = t, t < i in t = i + t) + (if t then t = x < 1 else t) + (t < 1);
    many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) | 3;
";

/// Compares what is made of each program in a folder with the files beside it, which have the given extensions.
pub(crate) fn compare_ir(folder: &str, make: impl Fn(&str) -> Vec<(String, String)>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut n_checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "kal") {
            continue;
        }
        for (extension, made) in make(&std::fs::read_to_string(&path).unwrap()) {
            let expected = path.with_extension(extension);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(expected, made).unwrap();
            } else {
                assert_eq!(made, std::fs::read_to_string(&expected).unwrap(), "{}", expected.display());
            }
            n_checked += 1;
        }
    }
    assert_ne!(n_checked, 0);
}
