//! Each crate in the quickest safe way that it offers: what can be prepared is prepared, and calls pass no text. Kaleidoscope
//! is there in its raw way, too, because symjit's pointers are as raw.

use crate::formulas::variables;
use crate::{Formula, Made, Peer, Points};
use evalexpr::{ContextWithMutableVariables, DefaultNumericTypes, HashMapContext, Node, Value};
use exmex::{Express, FlatEx};
use fasteval::{Compiler, Evaler, Instruction, Parser, Slab};
use kaleidoscope::{Engine, Function, Mode, Scope};
use symjit::FastFunc;

const KNOWN: &str = "the formulas are right";

/// All of them, Kaleidoscope first.
pub fn peers() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Kaleidoscope::new("kaleidoscope", Mode::Tiered, Way::Scope)),
        Box::new(Kaleidoscope::new("kaleidoscope, raw", Mode::Tiered, Way::Raw)),
        Box::new(Kaleidoscope::new("kaleidoscope, columns", Mode::Tiered, Way::Columns)),
        Box::new(Kaleidoscope::new("kaleidoscope, quick code", Mode::Baseline, Way::Scope)),
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
    way: Way,
}

/// How it is called.
#[derive(Clone, Copy)]
enum Way {
    /// Each call guarded, all in one scope.
    Scope,
    /// Each call by a pointer, as symjit does.
    Raw,
    /// All by one call for columns.
    Columns,
}

impl Kaleidoscope {
    fn new(name: &'static str, mode: Mode, way: Way) -> Self {
        let engine = Engine::builder().mode(mode).build().expect("an engine");
        engine.prelude();
        Self { name, engine, way }
    }
}

impl Peer for Kaleidoscope {
    fn name(&self) -> &'static str {
        self.name
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        let made = self.engine.formula(formula.usual, &["x", "y", "z"]).expect(KNOWN);
        let function = made.typed::<Three>().expect("it has three parameters");
        match self.way {
            Way::Scope => Box::new((&self.engine, function)),
            Way::Raw => {
                function.prepare().expect("code can be made");
                Box::new(function)
            }
            Way::Columns => Box::new((function, Vec::new())),
        }
    }
}

type Three = (f64, f64, f64);

impl Made for (&Engine, Function<Three>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (engine, function) = self;
        let call =
            |scope: &Scope<'_>, [x, y, z]: [f64; 3]| scope.call(function, (x, y, z)).expect("it has a value");
        engine
            .enter(|scope| points.rows.iter().map(|&row| call(scope, row)).sum())
            .expect("a scope can be entered")
    }
}

impl Made for Function<Three> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        // SAFETY: formulas are not defined again, and all that these reach is of the maths library.
        points.rows.iter().map(|&[x, y, z]| unsafe { self.call_raw((x, y, z)) }).sum()
    }
}

impl Made for (Function<Three>, Vec<f64>) {
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

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        let mut compiler = symjit::Compiler::new();
        Box::new(compiler.compile(&variables(), &[(formula.symjit)()]).expect(KNOWN))
    }
}

impl Made for symjit::Application {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        match self.fast_func().expect("it has three parameters") {
            FastFunc::F3(f, _) => points.rows.iter().map(|&[x, y, z]| f(x, y, z)).sum(),
            _ => unreachable!("it has three parameters"),
        }
    }
}

struct Lua(mlua::Lua);

impl Peer for Lua {
    fn name(&self) -> &'static str {
        "LuaJIT by mlua"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        let names = "local sin, cos, exp, sqrt = math.sin, math.cos, math.exp, math.sqrt";
        let text = format!("{names} return function(x, y, z) return {} end", formula.usual);
        Box::new(self.0.load(text).eval::<mlua::Function>().expect(KNOWN))
    }
}

impl Made for mlua::Function {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let call = |&[x, y, z]: &[f64; 3]| self.call::<f64>((x, y, z)).expect("it has a value");
        points.rows.iter().map(call).sum()
    }
}

struct Fasteval;

impl Peer for Fasteval {
    fn name(&self) -> &'static str {
        "fasteval"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        let mut slab = Slab::new();
        let parsed = Parser::new().parse(formula.fasteval, &mut slab.ps).expect(KNOWN);
        let compiled = parsed.from(&slab.ps).compile(&slab.ps, &mut slab.cs);
        Box::new((slab, compiled))
    }
}

impl Made for (Slab, Instruction) {
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
            sum += compiled.eval(slab, &mut variables).expect("it has a value");
        }
        sum
    }
}

struct Exmex;

impl Peer for Exmex {
    fn name(&self) -> &'static str {
        "exmex"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        Box::new(FlatEx::<f64>::parse(formula.usual).expect(KNOWN))
    }
}

impl Made for FlatEx<f64> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        points.rows.iter().map(|point| self.eval(point).expect("it has a value")).sum()
    }
}

struct Meval;

impl Peer for Meval {
    fn name(&self) -> &'static str {
        "meval"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        let parsed: meval::Expr = formula.usual.parse().expect(KNOWN);
        Box::new(Bound(parsed.bind3("x", "y", "z").expect(KNOWN)))
    }
}

struct Bound<F>(F);

impl<F: Fn(f64, f64, f64) -> f64> Made for Bound<F> {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        points.rows.iter().map(|&[x, y, z]| self.0(x, y, z)).sum()
    }
}

struct Evalexpr;

impl Peer for Evalexpr {
    fn name(&self) -> &'static str {
        "evalexpr"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        Box::new((evalexpr::build_operator_tree(formula.evalexpr).expect(KNOWN), HashMapContext::new()))
    }
}

impl Made for (Node<DefaultNumericTypes>, HashMapContext<DefaultNumericTypes>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (tree, variables) = self;
        let mut sum = 0.0;
        for point in points.rows {
            for (name, value) in ["x", "y", "z"].into_iter().zip(point) {
                variables.set_value(name.to_owned(), Value::Float(*value)).expect("it is a number");
            }
            sum += tree.eval_float_with_context(variables).expect("it has a value");
        }
        sum
    }
}

struct Rhai(rhai::Engine);

impl Peer for Rhai {
    fn name(&self) -> &'static str {
        "Rhai"
    }

    fn make<'p>(&'p self, formula: &Formula) -> Box<dyn Made + 'p> {
        Box::new((&self.0, self.0.compile_expression(formula.usual).expect(KNOWN), rhai::Scope::new()))
    }
}

impl Made for (&rhai::Engine, rhai::AST, rhai::Scope<'static>) {
    fn sum(&mut self, points: Points<'_>) -> f64 {
        let (engine, tree, scope) = self;
        let mut sum = 0.0;
        for &[x, y, z] in points.rows {
            scope.set_value("x", x).set_value("y", y).set_value("z", z);
            sum += engine.eval_ast_with_scope::<f64>(scope, tree).expect("it has a value");
        }
        sum
    }
}
