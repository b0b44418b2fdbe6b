//! Random numbers, and random functions that qualify for the column interpreter.

use super::{Functions, maths_id};
use crate::{
    Arithmetic, Function, FunctionBuilder, FunctionId, HostArray, HostVariable, Local, MathsFunction, Op,
};
use std::sync::Arc;

/// Numbers that are special cases of arithmetic, mixed with others. xorshift (Marsaglia 2003)
pub(super) struct Random(pub(super) u64);

const SPECIAL: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE / 2.0,
    5e-324,
    f64::MAX,
    1e15 + 0.5,
    -2.5,
    3.5,
];

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n
    }

    fn number(&mut self) -> f64 {
        match self.below(4) {
            0 => SPECIAL[self.below(SPECIAL.len())],
            1 => f64::from_bits(self.next()),
            2 => self.below(7) as f64 - 3.0,
            _ => (self.below(2_000) as f64 - 1_000.0) / 128.0,
        }
    }

    pub(super) fn column(&mut self, n_rows: usize) -> Vec<f64> {
        (0..n_rows).map(|_| self.number()).collect()
    }
}

/// Generates a function that qualifies.
struct Generator<'a> {
    random: &'a mut Random,
    builder: FunctionBuilder,
    /// The variables that are set.
    variables: Vec<Local>,
    /// The functions so far, which it may call.
    callees: &'a [Arc<Function>],
}

impl Generator<'_> {
    fn value(&mut self, size: usize) {
        if size == 0 {
            return self.leaf();
        }
        let part = self.random.below(size);
        let rest = size - 1 - part;
        match self.random.below(13) {
            0..=3 => {
                let operators = [
                    Arithmetic::Add,
                    Arithmetic::Subtract,
                    Arithmetic::Multiply,
                    Arithmetic::Divide,
                    Arithmetic::Less,
                    Arithmetic::Power,
                ];
                self.value(part);
                self.value(rest);
                self.builder.arithmetic(operators[self.random.below(operators.len())]);
            }
            4 => {
                self.value(size - 1);
                self.builder.op(Op::Square);
            }
            5..=7 => {
                self.value(self.random.0 as usize % 3);
                self.builder.begin_if();
                let n_set = self.variables.len();
                self.value(part);
                self.builder.begin_else();
                self.variables.truncate(n_set);
                self.value(rest);
                self.builder.end_if();
                self.variables.truncate(n_set);
            }
            8 => {
                self.value(part);
                let variable = self.builder.local("v");
                self.builder.set(variable).drop_top();
                self.variables.push(variable);
                self.value(rest);
            }
            9 if !self.variables.is_empty() => {
                self.value(part);
                let variable = self.variables[self.random.below(self.variables.len())];
                self.builder.set(variable).drop_top();
                self.value(rest);
            }
            11 => {
                // A comparison is an index.
                self.value(part);
                self.value(rest);
                let array = HostArray::new(self.random.below(3) as u32);
                self.builder.arithmetic(Arithmetic::Less).op(Op::GetElement(array));
            }
            10 if !self.callees.is_empty() => {
                let nth = self.random.below(self.callees.len());
                let n_args = self.callees[nth].n_params;
                for _ in 0..n_args {
                    self.value(part / 2);
                }
                self.builder.call(FunctionId::new(nth as u32), n_args);
            }
            _ => {
                let function = MathsFunction::ALL[self.random.below(MathsFunction::ALL.len())];
                for _ in 0..function.arity() {
                    self.value(part);
                }
                self.builder.call(maths_id(function), function.arity());
            }
        }
    }

    fn leaf(&mut self) {
        match self.random.below(5) {
            0 => {
                let number = self.random.number();
                self.builder.number(number);
            }
            1 => {
                let variable = HostVariable::new(self.random.below(3) as u32);
                self.builder.op(Op::GetHost(variable));
            }
            _ if self.variables.is_empty() => {
                self.builder.number(7.0);
            }
            _ => {
                let variable = self.variables[self.random.below(self.variables.len())];
                self.builder.get(variable);
            }
        }
    }
}

/// A function with up to three results and two inlinees.
pub(super) fn random_functions(random: &mut Random) -> Functions {
    let mut functions = Functions::default();
    for size in [4, 6, 14] {
        let mut builder = FunctionBuilder::new("f");
        let variables = (0..random.below(4)).map(|_| builder.param("x")).collect();
        let mut generator = Generator { random, builder, variables, callees: &functions.functions };
        let n_results = if size == 14 { 1 + generator.random.below(3) } else { 1 };
        for _ in 0..n_results {
            generator.value(size);
        }
        let function =
            generator.builder.results(n_results as u32).finish().expect("the generator keeps the promises");
        functions.functions.push(Arc::new(function));
    }
    functions
}
