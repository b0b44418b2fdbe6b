//! Generator of expressions within bounds of cost, depth and rank.

use super::Generator;
use super::environment::{CONSTANTS, FUNCTIONS, MATHS_1, MATHS_2, PRELUDE_1, PRELUDE_MANY};

/// Bounds of an expression: its cost, its depth and its callees.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The most evaluations of leaves.
    pub(super) cost: usize,
    /// The most levels of nesting.
    pub(super) depth: usize,
    /// The expression may call only callables of a lower rank.
    pub(super) rank: usize,
}

/// The rank of a user operator. User operators call rank 0 only: the maths library, redefined or
/// not.
pub(super) const OPERATOR_RANK: usize = 1;

/// Returns the rank of function number `idx`.
pub(super) fn function_rank(idx: usize) -> usize {
    2 + idx
}

/// Returns the most that one call of this rank can cost.
pub(super) fn cost_of_rank(rank: usize) -> usize {
    match rank {
        0 => 12,
        OPERATOR_RANK => 80,
        _ => 400 << (rank - 2),
    }
}

/// Number literals, with the corner cases of the syntax and of the type.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "10",
    "0.5",
    ".25",
    "7.",
    "007",
    "1e3",
    "2.5E-3",
    "1e308",
    "5e-324",
    "1e16",
    "0.1",
    "9007199254740993",
    "255",
    "4.9",
];

/// Expressions for values without a literal.
const SPECIAL: &[&str] =
    &["(0/0)", "(1/0)", "(0-1/0)", "(0*(0-1))", "(1e308*10)", "(0-1)", "((0-1)^0.5)", "1e400"];

impl Generator {
    /// Generates an expression within the bounds. The expression can be an operand anywhere, but
    /// the text after it can become part of it.
    pub(super) fn expression(&mut self, bounds: Bounds) -> String {
        if bounds.depth == 0 || bounds.cost < 8 {
            return self.leaf();
        }
        if self.environment.calls_change && self.random.one_in(1, 5) {
            return self.call_of_change(bounds);
        }
        if self.environment.has_prelude && self.random.one_in(1, 4) {
            return self.form_of_prelude(bounds);
        }
        let n_kinds = if self.environment.arrays.is_empty() { 20 } else { 22 };
        match self.random.below(n_kinds) {
            20 | 21 => self.element(bounds),
            0..=2 => self.leaf(),
            3..=7 => self.binary(bounds),
            8 => self.power(bounds),
            9 => self.prefix(bounds),
            10 => self.assignment(bounds),
            11 | 12 => self.conditional(bounds),
            13 => self.variables(bounds),
            14 if self.random.one_in(1, 3) => self.nested_loops(bounds),
            14 => self.counted_loop(bounds),
            15 => self.output(bounds),
            16 | 17 => self.maths(bounds),
            _ => self.call(bounds),
        }
    }

    fn leaf(&mut self) -> String {
        let variables = self.environment.visible(false);
        if !variables.is_empty() && self.random.one_in(2, 3) {
            return variables[self.random.below(variables.len())].clone();
        }
        self.constant()
    }

    fn constant(&mut self) -> String {
        if self.environment.has_prelude && self.random.one_in(1, 5) {
            return self.random.pick(CONSTANTS).to_owned();
        }
        let numbers = if self.random.one_in(1, 6) { SPECIAL } else { NUMBERS };
        self.random.pick(numbers).to_owned()
    }

    /// Generates an expression that needs the prelude.
    fn form_of_prelude(&mut self, bounds: Bounds) -> String {
        // The program may define the operators that words mean.
        let has_operators = bounds.rank > OPERATOR_RANK && bounds.cost > 2 * cost_of_rank(OPERATOR_RANK);
        match self.random.below(6) {
            0 if has_operators => format!("(not {})", self.half(bounds)),
            1 if has_operators => {
                let op = self.random.pick(&["&&", "||", "and", "or"]);
                format!("({} {op} {})", self.half(bounds), self.half(bounds))
            }
            2 => {
                let name = self.random.pick(PRELUDE_MANY);
                let n_arguments = 1 + self.random.below(4);
                let each =
                    Bounds { cost: bounds.cost / (n_arguments + 1), depth: bounds.depth - 1, ..bounds };
                let arguments: Vec<_> = (0..n_arguments).map(|_| self.expression(each)).collect();
                format!("{name}({})", arguments.join(", "))
            }
            3 => {
                let each = Bounds { cost: bounds.cost / 4, depth: bounds.depth - 1, ..bounds };
                let [x, low, high] = [(); 3].map(|()| self.expression(each));
                format!("clamp({x}, {low}, {high})")
            }
            4 if bounds.rank > 0 && bounds.cost >= 2 * cost_of_rank(0) => {
                let name = self.random.pick(PRELUDE_1);
                format!("{name}({})", self.half(bounds))
            }
            _ => self.while_loop(bounds),
        }
    }

    /// Generates a `while` of at most five iterations, which counts in a variable of its own.
    fn while_loop(&mut self, bounds: Bounds) -> String {
        let inner = Bounds { cost: bounds.cost / 14, depth: bounds.depth - 1, ..bounds };
        let counter = self.environment.fresh_name("n");
        let n_iterations = 1 + self.random.below(5);
        let n_before = self.environment.variables.len();
        self.environment.push(&counter, false);
        let more = if self.random.one_in(1, 2) { String::new() } else { self.expression(inner) };
        let body = self.expression(inner);
        self.environment.variables.truncate(n_before);
        let count = format!("({counter} = {counter} + 1) < {n_iterations}");
        // The program may have defined `&&`.
        let condition = if more.is_empty() { count } else { format!("if {count} then {more} else 0") };
        format!("(var {counter} in while {condition} in {body})")
    }

    /// Generates an operand with half of the cost.
    pub(super) fn half(&mut self, bounds: Bounds) -> String {
        self.expression(Bounds { cost: bounds.cost / 2, depth: bounds.depth - 1, ..bounds })
    }

    /// Adds parentheses or not. Without them, neighboring text can bind to parts of this text.
    fn maybe_parenthesized(&mut self, text: String) -> String {
        if self.random.one_in(1, 2) { format!("({text})") } else { text }
    }

    fn binary(&mut self, bounds: Bounds) -> String {
        let (left, right) = (self.half(bounds), self.half(bounds));
        let user = bounds.rank > OPERATOR_RANK
            && bounds.cost > 2 * cost_of_rank(OPERATOR_RANK)
            && !self.environment.binary.is_empty()
            && self.random.one_in(1, 2);
        let op = if user {
            let operators = self.environment.binary.clone();
            self.random.pick(&operators)
        } else {
            self.random.pick(&["+", "-", "*", "/", "<", "+", "-", "*"])
        };
        // Without blanks the operator can merge with a prefix operator: the longest existing
        // operator wins.
        let blank = if self.random.one_in(1, 6) { "" } else { " " };
        let text = format!("{left}{blank}{op}{blank}{right}");
        self.maybe_parenthesized(text)
    }

    fn power(&mut self, bounds: Bounds) -> String {
        let base = self.half(bounds);
        if self.random.one_in(1, 2) {
            let exponent = self.random.pick(&["2", "3", "2", "3", "1", "0", "2.0", "(3)", "4"]);
            format!("({base})^{exponent}")
        } else {
            format!("({base} ^ {})", self.half(bounds))
        }
    }

    fn prefix(&mut self, bounds: Bounds) -> String {
        let operand = self.half(bounds);
        if self.environment.prefix.is_empty()
            || bounds.rank <= OPERATOR_RANK
            || bounds.cost <= 2 * cost_of_rank(OPERATOR_RANK)
        {
            return format!("(0 - {operand})");
        }
        let operators = self.environment.prefix.clone();
        let op = self.random.pick(&operators);
        self.maybe_parenthesized(format!("{op} {operand}"))
    }

    fn assignment(&mut self, bounds: Bounds) -> String {
        let variables = self.environment.visible(true);
        if variables.is_empty() {
            return self.variables(bounds);
        }
        let name = variables[self.random.below(variables.len())].clone();
        let value = self.half(bounds);
        if self.random.one_in(1, 5) {
            format!("((({name})) = {value})")
        } else {
            format!("({name} = {value})")
        }
    }

    /// Generates a read or an assignment of an element. Few indices mean none.
    fn element(&mut self, bounds: Bounds) -> String {
        let arrays = self.environment.arrays;
        let (name, len) = arrays[self.random.below(arrays.len())];
        let index = match self.random.below(12) {
            0 => self.half(bounds),
            1..=4 => format!("fmod({}, {len})", self.half(bounds)),
            5 => (len - 1).to_string() + ".75",
            _ => self.random.below(len).to_string(),
        };
        if self.random.one_in(1, 2) {
            return format!("{name}({index})");
        }
        let value = self.half(bounds);
        format!("({name}({index}) = {value})")
    }

    fn conditional(&mut self, bounds: Bounds) -> String {
        let (condition, one, other) = (self.half(bounds), self.half(bounds), self.half(bounds));
        self.maybe_parenthesized(format!("if {condition} then {one} else {other}"))
    }

    /// Generates a `var` with one or two variables, which often shadow others.
    fn variables(&mut self, bounds: Bounds) -> String {
        let n_before = self.environment.variables.len();
        let mut list = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let name = self.random.pick(&["x", "y", "a", "b"]);
            let value = self.half(bounds);
            list.push(if self.random.one_in(1, 4) { name.to_owned() } else { format!("{name} = {value}") });
            self.environment.push(name, true);
        }
        let body = self.half(bounds);
        self.environment.variables.truncate(n_before);
        self.maybe_parenthesized(format!("var {} in {body}", list.join(", ")))
    }

    /// Generates a loop of at most five iterations. It counts in a variable of its own, so start,
    /// step and body can be anything.
    fn counted_loop(&mut self, bounds: Bounds) -> String {
        let inner = Bounds { cost: bounds.cost / 12, depth: bounds.depth - 1, ..bounds };
        let n_iterations = 1 + self.random.below(4);
        let counter = self.environment.fresh_name("n");
        let n_before = self.environment.variables.len();
        self.environment.push(&counter, false);
        let start =
            if self.random.one_in(1, 3) { String::new() } else { format!(" = {}", self.expression(inner)) };
        let variable = self.random.pick(&["i", "j", "x"]);
        self.environment.push(variable, true);
        let step =
            if self.random.one_in(1, 3) { String::new() } else { format!(", {}", self.expression(inner)) };
        let body = self.expression(inner);
        self.environment.variables.truncate(n_before);
        format!(
            "(var {counter} in (for {variable}{start}, ({counter} = {counter} + 1) < {n_iterations}{step} in {body}))"
        )
    }

    /// Generates a loop in a loop, whose first value may depend on the outer variable. Optimized
    /// code counts the iterations of most of them.
    fn nested_loops(&mut self, bounds: Bounds) -> String {
        let inner = Bounds { cost: bounds.cost / 64, depth: bounds.depth - 1, ..bounds };
        let [sum, i, j] = ["s", "i", "j"].map(|prefix| self.environment.fresh_name(prefix));
        let n_before = self.environment.variables.len();
        for name in [&sum, &i, &j] {
            self.environment.push(name, false);
        }
        let [first, more, last] = [3, 4, 5].map(|n| self.random.below(n));
        let start = match self.random.below(6) {
            0 => i.clone(),
            1 => format!("1 + {i}"),
            2 => format!("{i} - 1"),
            3 => format!("{i} + 0.5"),
            _ => format!("{i} + 1"),
        };
        let body = self.expression(inner);
        self.environment.variables.truncate(n_before);
        let outer = format!("{i} = {first}, {i} < {}", first + more);
        let inner = format!("for {j} = {start}, {j} < {last} in {sum} = {sum} / 2 + ({body}) * {j}");
        format!("(var {sum} in (for {outer} in {inner}) + {sum})")
    }

    fn output(&mut self, bounds: Bounds) -> String {
        let value = self.half(bounds);
        if self.random.one_in(1, 4) { format!("putchard({value})") } else { format!("printd({value})") }
    }

    fn maths(&mut self, bounds: Bounds) -> String {
        if bounds.rank == 0 || bounds.cost < 2 * cost_of_rank(0) {
            return self.leaf();
        }
        if self.random.one_in(1, 4) {
            return self.maths_of_constants();
        }
        if self.random.one_in(1, 4) {
            let name = self.random.pick(MATHS_2);
            return format!("{name}({}, {})", self.half(bounds), self.half(bounds));
        }
        let name = self.random.pick(MATHS_1);
        format!("{name}({})", self.half(bounds))
    }

    /// Generates a call whose arguments do not depend on variables, which compilers may compute.
    fn maths_of_constants(&mut self) -> String {
        let argument = |generator: &mut Self| match generator.random.below(3) {
            0 => generator.constant(),
            1 => format!("{} / {}", generator.constant(), generator.constant()),
            _ => format!("{} * {} - 1", generator.constant(), generator.constant()),
        };
        if self.random.one_in(1, 4) {
            let name = self.random.pick(MATHS_2);
            return format!("{name}({}, {})", argument(self), argument(self));
        }
        if self.random.one_in(1, 4) {
            return format!("(({}) ^ ({}))", argument(self), argument(self));
        }
        let name = self.random.pick(MATHS_1);
        format!("{name}({})", argument(self))
    }

    /// Generates a call of a function of a lower rank. If the function is undefined, the call
    /// fails at run time.
    pub(super) fn call(&mut self, bounds: Bounds) -> String {
        let callable: Vec<usize> = (0..FUNCTIONS.len())
            .filter(|&idx| {
                function_rank(idx) < bounds.rank && 2 * cost_of_rank(function_rank(idx)) < bounds.cost
            })
            .filter(|&idx| self.environment.arities[idx].is_some() || self.random.one_in(1, 40))
            .collect();
        if callable.is_empty() {
            return self.maths(bounds);
        }
        let idx = callable[self.random.below(callable.len())];
        let n_arguments = self.environment.arities[idx].unwrap_or(2);
        // The callee counts the first argument down: it is below 8, or NaN.
        let mut arguments = if self.random.one_in(1, 3) {
            format!("fmod({}, 8)", self.half(Bounds { cost: bounds.cost / 4, ..bounds }))
        } else {
            self.random.below(8).to_string()
        };
        let each = Bounds { cost: bounds.cost / (2 * n_arguments), depth: bounds.depth - 1, ..bounds };
        for _ in 1..n_arguments {
            arguments += &format!(", {}", self.expression(each));
        }
        format!("{}({arguments})", FUNCTIONS[idx])
    }
}
