//! Peers of the formula benchmark, each with its fastest safe interface.
//!
//! Peers prepare as much as they can, and calls pass no text. Kaleidoscope also has an entry with
//! raw calls, because symjit's function pointers are raw too.

use crate::formulas::variables;
use crate::{Formula, CompiledFormula, Peer, Points};
use evalexpr::{ContextWithMutableVariables, DefaultNumericTypes, HashMapContext, Node, Value};
use exmex::{Express, FlatEx};
use fasteval::{Compiler, Evaler, Instruction, Parser, Slab};
use kaleidoscope::{Engine, Function, Mode, Scope};
use symjit::FastFunc;

const VALID: &str = "the formulas are valid";

/// Returns all peers, Kaleidoscope first.
pub fn peers() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Kaleidoscope::new("kaleidoscope", Mode::Tiered, CallStyle::Scope)),
        Box::new(Kaleidoscope::new("kaleidoscope, raw", Mode::Tiered, CallStyle::Raw)),
        Box::new(Kaleidoscope::new("kaleidoscope, columns", Mode::Tiered, CallStyle::Columns)),
        Box::new(Kaleidoscope::new("kaleidoscope, baseline", Mode::Baseline, CallStyle::Scope)),
        Box::new(Symjit),
        Box::new(Lua(mlua::Lua::new())),
        Box::new(Fasteval),
        Box::new(Exmex),
        Box::new(Meval),
        Box::new(Evalexpr),
        Box::new(Rhai(rhai::Engine::new())),
    ]
}

struct Kaleidoscope {
    name: &'static str,
    engine: Engine,
    style: CallStyle,
}

/// How the formula is called.
#[derive(Clone, Copy)]
enum CallStyle {
    /// Guarded calls in one scope.
    Scope,
    /// Raw calls through a pointer, like symjit.
    Raw,
    /// One call for all columns.
    Columns,
}

impl Kaleidoscope {
    fn new(name: &'static str, mode: Mode, style: CallStyle) -> Self {
        let engine = Engine::builder().mode(mode).build().expect("an engine");
        engine.prelude().expect("the engine has no limits");
        Self { name, engine, style }
    }
}

impl Peer for Kaleidoscope {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        let formula = self.engine.formula(formula.usual, &["x", "y", "z"]).expect(VALID);
        let function = formula.typed::<Three>().expect("the formula has three parameters");
        match self.style {
            CallStyle::Scope => Box::new((&self.engine, function)),
            CallStyle::Raw => {
                function.prepare().expect("the formula compiles");
                Box::new(function)
            }
            CallStyle::Columns => Box::new((function, Vec::new())),
        }
    }
}

type Three = (f64, f64, f64);

impl CompiledFormula for (&Engine, Function<Three>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (engine, function) = self;
        let call =
            |scope: &Scope<'_>, [x, y, z]: [f64; 3]| scope.call(function, (x, y, z)).expect("the formula has a value");
        engine
            .enter(|scope| Ok(points.rows.iter().map(|&row| call(scope, row)).sum()))
            .expect("a scope can be entered")
    }
}

impl CompiledFormula for Function<Three> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        // SAFETY: formulas are not redefined, and these call the maths library only.
        points.rows.iter().map(|&[x, y, z]| unsafe { self.call_raw((x, y, z)) }).sum()
    }
}

impl CompiledFormula for (Function<Three>, Vec<f64>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (function, values) = self;
        values.resize(points.rows.len(), 0.0);
        function.map(&points.columns, values).expect("each row has a value");
        values.iter().sum()
    }
}

struct Symjit;

impl Peer for Symjit {
    fn name(&self) -> &'static str {
        "symjit"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        let mut compiler = symjit::Compiler::new();
        Box::new(compiler.compile(&variables(), &[(formula.symjit)()]).expect(VALID))
    }
}

impl CompiledFormula for symjit::Application {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        match self.fast_func().expect("the formula has three parameters") {
            FastFunc::F3(f, _) => points.rows.iter().map(|&[x, y, z]| f(x, y, z)).sum(),
            _ => unreachable!("the formula has three parameters"),
        }
    }
}

struct Lua(mlua::Lua);

impl Peer for Lua {
    fn name(&self) -> &'static str {
        "LuaJIT by mlua"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        let names = "local sin, cos, exp, sqrt = math.sin, math.cos, math.exp, math.sqrt";
        let text = format!("{names} return function(x, y, z) return {} end", formula.usual);
        Box::new(self.0.load(text).eval::<mlua::Function>().expect(VALID))
    }
}

impl CompiledFormula for mlua::Function {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let call = |&[x, y, z]: &[f64; 3]| self.call::<f64>((x, y, z)).expect("the formula has a value");
        points.rows.iter().map(call).sum()
    }
}

struct Fasteval;

impl Peer for Fasteval {
    fn name(&self) -> &'static str {
        "fasteval"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        let mut slab = Slab::new();
        let parsed = Parser::new().parse(formula.fasteval, &mut slab.ps).expect(VALID);
        let compiled = parsed.from(&slab.ps).compile(&slab.ps, &mut slab.cs);
        Box::new((slab, compiled))
    }
}

impl CompiledFormula for (Slab, Instruction) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (slab, compiled) = self;
        let mut sum = 0.0;
        for &[x, y, z] in points.rows {
            let mut variables = |name: &str, _: Vec<f64>| match name {
                "x" => Some(x),
                "y" => Some(y),
                "z" => Some(z),
                _ => None,
            };
            sum += compiled.eval(slab, &mut variables).expect("the formula has a value");
        }
        sum
    }
}

struct Exmex;

impl Peer for Exmex {
    fn name(&self) -> &'static str {
        "exmex"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        Box::new(FlatEx::<f64>::parse(formula.usual).expect(VALID))
    }
}

impl CompiledFormula for FlatEx<f64> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        points.rows.iter().map(|point| self.eval(point).expect("the formula has a value")).sum()
    }
}

struct Meval;

impl Peer for Meval {
    fn name(&self) -> &'static str {
        "meval"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        let parsed: meval::Expr = formula.usual.parse().expect(VALID);
        Box::new(Bound(parsed.bind3("x", "y", "z").expect(VALID)))
    }
}

struct Bound<F>(F);

impl<F: Fn(f64, f64, f64) -> f64> CompiledFormula for Bound<F> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        points.rows.iter().map(|&[x, y, z]| self.0(x, y, z)).sum()
    }
}

struct Evalexpr;

impl Peer for Evalexpr {
    fn name(&self) -> &'static str {
        "evalexpr"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        Box::new((evalexpr::build_operator_tree(formula.evalexpr).expect(VALID), HashMapContext::new()))
    }
}

impl CompiledFormula for (Node<DefaultNumericTypes>, HashMapContext<DefaultNumericTypes>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (tree, variables) = self;
        let mut sum = 0.0;
        for point in points.rows {
            for (name, value) in ["x", "y", "z"].into_iter().zip(point) {
                variables.set_value(name.to_owned(), Value::Float(*value)).expect("the value is a number");
            }
            sum += tree.eval_float_with_context(variables).expect("the formula has a value");
        }
        sum
    }
}

struct Rhai(rhai::Engine);

impl Peer for Rhai {
    fn name(&self) -> &'static str {
        "Rhai"
    }

    fn compile<'p>(&'p self, formula: &Formula) -> Box<dyn CompiledFormula + 'p> {
        Box::new((&self.0, self.0.compile_expression(formula.usual).expect(VALID), rhai::Scope::new()))
    }
}

impl CompiledFormula for (&rhai::Engine, rhai::AST, rhai::Scope<'static>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (engine, tree, scope) = self;
        let mut sum = 0.0;
        for &[x, y, z] in points.rows {
            scope.set_value("x", x).set_value("y", y).set_value("z", z);
            sum += engine.eval_ast_with_scope::<f64>(scope, tree).expect("the formula has a value");
        }
        sum
    }
}
