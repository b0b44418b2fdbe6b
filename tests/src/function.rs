//! Random functions of the IR: shapes that no text has, such as loops between operands, and many
//! values at once.
//!
//! Each ends soon: loops count to a small number with a variable that nothing else assigns, and
//! self tail calls count down the first parameter.

use kaleidoscope::ir::compile::CompileError;
use kaleidoscope::ir::{
    Arithmetic, Function, FunctionBuilder, FunctionId, HostArray, HostVariable, Local, MathsFunction, Op,
};
use kaleidoscope::jit::{Array, CallLimits, Jit, Mode, Trap, Variable};
use std::sync::Arc;

use crate::random::Random;

/// The most operations of a function, roughly.
const N_OPS: usize = 120;

/// How deep expressions nest.
const DEPTH: usize = 9;

/// How deep loops nest.
const LOOP_DEPTH: usize = 2;

/// Numbers that calculations treat in special ways, and some usual ones.
const NUMBERS: &[f64] = &[
    1.0,
    0.0,
    -0.0,
    2.0,
    0.5,
    -3.25,
    1e300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
    5e-324,
    1e16,
];

/// The values of the host variables before a call.
const HOST_VALUES: [f64; 2] = [0.75, -2.0];

/// The elements of the array before a call.
const ELEMENTS: [f64; 4] = [0.25, -1.0, 8.0, 1e300];

/// A function with these callees, each with its number of parameters, that uses this many host
/// variables, and if there are any, an array of as many elements as `ELEMENTS`.
pub fn generate(
    random: &mut Random,
    name: &str,
    callees: &[(FunctionId, u32)],
    n_host_variables: usize,
) -> Arc<Function> {
    let mut builder = FunctionBuilder::new(name);
    // Most functions have few parameters, some more than there are registers for.
    let n_params = [1, 2, 3, 0, 5, 9, 12][random.below(7)];
    let params: Vec<_> = (0..n_params).map(|nth| builder.param(format!("p{nth}"))).collect();
    let has_tail_calls = n_params > 0 && random.one_in(1, 4);
    let mut generator = Generator {
        random,
        builder,
        callees,
        n_host_variables,
        set: params.clone(),
        fixed: if has_tail_calls { vec![params[0]] } else { Vec::new() },
        loop_depth: 0,
    };
    if has_tail_calls {
        generator.tail(&params, 3);
    } else {
        generator.expression(DEPTH);
    }
    let function = generator.builder.finish().expect("the generator keeps the promises");
    Arc::new(function)
}

struct Generator<'a> {
    random: &'a mut Random,
    builder: FunctionBuilder,
    callees: &'a [(FunctionId, u32)],
    n_host_variables: usize,
    /// The variables that are set.
    set: Vec<Local>,
    /// The variables that only loops and tail calls assign.
    fixed: Vec<Local>,
    loop_depth: usize,
}

impl Generator<'_> {
    /// An expression in tail position, which may call the function itself.
    fn tail(&mut self, params: &[Local], depth: usize) {
        if depth == 0 || self.random.one_in(1, 3) {
            self.expression(DEPTH);
            return;
        }
        let n_set = self.set.len();
        self.builder.number(0.0).get(params[0]).arithmetic(Arithmetic::Less).begin_if();
        if self.random.one_in(1, 2) {
            self.builder.get(params[0]).number(1.0).arithmetic(Arithmetic::Subtract);
            for _ in 1..params.len() {
                self.expression(3);
            }
            self.builder.op(Op::TailCall);
        } else {
            self.tail(params, depth - 1);
        }
        self.set.truncate(n_set);
        self.builder.begin_else();
        self.tail(params, depth - 1);
        self.set.truncate(n_set);
        self.builder.end_if();
    }

    /// An expression: operations that push one value.
    fn expression(&mut self, depth: usize) {
        if depth == 0 || self.builder.n_ops() > N_OPS {
            self.leaf();
            return;
        }
        match self.random.below(18) {
            0 => self.leaf(),
            1..=5 => self.binary(depth - 1),
            6 => self.branch(depth - 1),
            7 | 8 => self.assignment(depth - 1),
            9 => {
                self.expression(depth - 1);
                self.builder.drop_top();
                self.expression(depth - 1);
            }
            10 => {
                self.expression(depth - 1);
                self.builder.op(Op::Square);
            }
            11 | 12 => self.repetition(depth - 1),
            13 if self.n_host_variables > 0 => {
                let variable = HostVariable::new(self.random.below(self.n_host_variables) as u32);
                self.expression(depth - 1);
                self.builder.op(Op::SetHost(variable));
            }
            14 | 15 if self.n_host_variables > 0 => self.element(depth - 1),
            _ => self.call(depth - 1),
        }
    }

    /// A read or an assignment of an element. Some indices mean none.
    fn element(&mut self, depth: usize) {
        if self.random.one_in(1, 6) {
            self.expression(depth);
        } else {
            let index = self.random.below(4 * ELEMENTS.len()) as f64 / 4.0 - 0.5;
            self.builder.number(index);
            if self.random.one_in(1, 2) {
                // No literal index.
                let variable = self.builder.local("at");
                self.builder.set(variable);
            }
        }
        if self.random.one_in(1, 2) {
            self.builder.op(Op::GetElement(HostArray::new(0)));
        } else {
            self.expression(depth);
            self.builder.op(Op::SetElement(HostArray::new(0)));
        }
    }

    fn leaf(&mut self) {
        match self.random.below(5) {
            0 => {
                let number = NUMBERS[self.random.below(NUMBERS.len())];
                self.builder.number(number);
            }
            1 if self.n_host_variables > 0 => {
                let variable = HostVariable::new(self.random.below(self.n_host_variables) as u32);
                self.builder.op(Op::GetHost(variable));
            }
            _ if self.set.is_empty() => {
                self.builder.number(1.5);
            }
            _ => {
                let variable = self.set[self.random.below(self.set.len())];
                self.builder.get(variable);
            }
        }
    }

    fn binary(&mut self, depth: usize) {
        const OPERATORS: [Arithmetic; 6] = [
            Arithmetic::Add,
            Arithmetic::Subtract,
            Arithmetic::Multiply,
            Arithmetic::Divide,
            Arithmetic::Less,
            Arithmetic::Power,
        ];
        self.expression(depth);
        self.expression(depth);
        let operator = OPERATORS[self.random.below(OPERATORS.len())];
        self.builder.arithmetic(operator);
    }

    fn branch(&mut self, depth: usize) {
        self.expression(depth);
        let n_set = self.set.len();
        self.builder.begin_if();
        self.expression(depth);
        self.set.truncate(n_set);
        self.builder.begin_else();
        self.expression(depth);
        self.set.truncate(n_set);
        self.builder.end_if();
    }

    fn assignment(&mut self, depth: usize) {
        self.expression(depth);
        let assignable: Vec<_> =
            self.set.iter().copied().filter(|local| !self.fixed.contains(local)).collect();
        let variable = if assignable.is_empty() || self.random.one_in(1, 3) {
            let variable = self.builder.local("v");
            self.set.push(variable);
            variable
        } else {
            assignable[self.random.below(assignable.len())]
        };
        self.builder.set(variable);
    }

    fn repetition(&mut self, depth: usize) {
        if self.loop_depth == LOOP_DEPTH {
            self.leaf();
            return;
        }
        let counter = self.builder.local("i");
        self.builder.number(0.0).set(counter).drop_top();
        self.set.push(counter);
        self.fixed.push(counter);
        let n_set = self.set.len();
        self.loop_depth += 1;
        self.builder.begin_loop();
        self.expression(depth);
        self.builder.drop_top();
        let step = [1.0, 0.5, 2.0][self.random.below(3)];
        self.builder.number(step);
        let end = self.random.below(7) as f64;
        self.builder.get(counter).number(end).arithmetic(Arithmetic::Less);
        if self.random.one_in(1, 4) {
            // A condition that is no comparison.
            self.builder.begin_if().get(counter).number(1.0).arithmetic(Arithmetic::Add);
            self.builder.begin_else().number(0.0).end_if();
        }
        self.builder.end_loop(counter);
        self.loop_depth -= 1;
        self.set.truncate(n_set);
        self.leaf();
    }

    fn call(&mut self, depth: usize) {
        if self.callees.is_empty() {
            self.leaf();
            return;
        }
        let (callee, arity) = self.callees[self.random.below(self.callees.len())];
        if self.loop_depth > 0 && callee.index() >= MATHS.len() {
            // Loops in functions that loops call would take long.
            self.leaf();
            return;
        }
        for _ in 0..arity {
            self.expression(depth.min(4));
        }
        self.builder.call(callee, arity);
    }
}

/// The maths functions that functions call: instructions, and C's functions.
const MATHS: &[MathsFunction] = &[
    MathsFunction::Sqrt,
    MathsFunction::Fabs,
    MathsFunction::Floor,
    MathsFunction::Sin,
    MathsFunction::Fmod,
];

/// Functions of one engine, each of which may call those before it.
struct Functions {
    jit: Jit,
    variables: Vec<Variable>,
    array: Array,
    ids: Vec<FunctionId>,
}

impl Functions {
    fn new(mode: Mode, functions: &[Arc<Function>]) -> Self {
        let jit = Jit::builder().mode(mode).build().expect("there is memory");
        let variables: Vec<_> = HOST_VALUES.map(Variable::new).into();
        for variable in &variables {
            jit.bind("host", variable);
        }
        let array = Array::new(ELEMENTS.len());
        jit.bind_array("array", &array);
        let maths = MATHS.iter().map(|maths| (maths.arity(), Some(*maths)));
        jit.declare_all(maths).expect("there is memory");
        let ids = functions.iter().map(|function| {
            let id = jit.declare(function.n_params).expect("there is memory");
            jit.define(id, Arc::clone(function)).expect("the function keeps the promises");
            id
        });
        let ids = ids.collect();
        Self { jit, variables, array, ids }
    }

    /// The value of a call, or how it ended, and the host variables and the array afterwards. A NaN
    /// is one value.
    fn call(&self, nth: usize, args: &[f64]) -> String {
        for (variable, value) in self.variables.iter().zip(HOST_VALUES) {
            variable.set(value);
        }
        self.array.copy_from(&ELEMENTS);
        let value = match self.jit.call(self.jit.callable(self.ids[nth]), args, CallLimits::new()) {
            Ok(value) => shown(value),
            Err(Trap::Compile { reason: CompileError::TooLarge, .. }) => "too large".to_owned(),
            Err(trap) => trap.to_string(),
        };
        let variables = self.variables.iter().map(|variable| shown(variable.get()));
        let elements = self.array.to_vec().into_iter().map(shown);
        [value].into_iter().chain(variables).chain(elements).collect::<Vec<_>>().join(" ")
    }
}

fn shown(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

/// Arguments for a call.
pub fn arguments(random: &mut Random, n: u32) -> Vec<f64> {
    (0..n).map(|nth| if nth == 0 { 4.0 } else { NUMBERS[random.below(NUMBERS.len())] }).collect()
}

/// Generates functions, and compares baseline code with the interpreter.
///
/// # Errors
///
/// The function whose results differ, as text, with both results.
pub fn check(random: &mut Random) -> Result<(), String> {
    let mut callees: Vec<_> =
        (0..).map(FunctionId::new).zip(MATHS.iter().map(|maths| maths.arity())).collect();
    let mut functions = Vec::new();
    for nth in 0..3 {
        let function = generate(random, &format!("f{nth}"), &callees, HOST_VALUES.len());
        // A self tail call counts down an argument that must be small.
        if !function.facts().has_tail_call {
            callees.push((FunctionId::new((MATHS.len() + nth) as u32), function.n_params));
        }
        functions.push(function);
    }
    let [interpreted, compiled] = [Mode::Off, Mode::Baseline].map(|mode| Functions::new(mode, &functions));
    for (nth, function) in functions.iter().enumerate() {
        for _ in 0..3 {
            let args = arguments(random, function.n_params);
            let expected = interpreted.call(nth, &args);
            // The interpreter runs the first call in both.
            for _ in 0..2 {
                let got = compiled.call(nth, &args);
                if got != expected {
                    let text = format!("{function:?}");
                    return Err(format!("{text}\narguments {args:?}\nexpected {expected}\ngot {got}"));
                }
            }
        }
    }
    Ok(())
}
