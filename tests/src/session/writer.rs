//! Generator of a session's items, over a few names.
//!
//! All items end. A function calls only names of a lower rank, or itself with its first argument
//! reduced by one. Callers pass a first argument below 4. Each definition makes at most
//! [`MAX_CALLS`] other calls; a call in a loop counts once for each iteration. Redefinitions
//! cannot break this, because a rank belongs to a name. Some functions recurse until the stack
//! overflows. These call nothing else, so their depth does not change other results.

use super::handle::call_text;
use super::race::Race;
use crate::generate::mistake::MISTAKES;
use crate::random::Random;

/// The functions that a session defines, by rank. The first two exist from the start, and their
/// definitions call nothing.
const FUNCTIONS: &[&str] = &["printd", "cos", "f", "g", "h"];
const BINARY: &[&str] = &["@", "--"];
const PREFIX: &[&str] = &["!", "-"];

/// The rank of user operators: below `f` and above the functions that exist from the start.
const OPERATOR_RANK: usize = 1;

/// The rank of a top-level expression: the highest.
const TOP_RANK: usize = FUNCTIONS.len();

/// The most calls of a definition, except its call of itself.
const MAX_CALLS: usize = 3;

/// The most iterations of a loop.
const MAX_ITERATIONS: usize = 3;

/// Names of parameters. A function with n parameters has the first n.
const PARAMETERS: &[&str] = &["n", "x", "y"];

/// A function that is declared but never defined.
const ABSENT: &str = "lost";

/// Bodies with an error.
const INVALID_BODIES: &[&str] =
    &["nowhere", "(1", "x +", "1.2.3", "cos(1, 2, 3, 4)", "1 = 2", "12ab", "if n then 1"];

/// Generates items.
pub(super) struct Writer {
    pub(super) random: Random,
    /// For each of [`FUNCTIONS`]: its current number of parameters, unless a definition failed.
    arities: [Option<usize>; FUNCTIONS.len()],
    operators: Vec<&'static str>,
    prefixes: Vec<&'static str>,
    /// The variables in scope.
    variables: Vec<&'static str>,
    n_calls_left: usize,
    /// Whether the last generated body has an error.
    is_invalid: bool,
}

fn function_rank(idx: usize) -> usize {
    if idx < 2 { 0 } else { idx }
}

impl Writer {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            arities: [Some(1), Some(1), None, None, None],
            operators: Vec::new(),
            prefixes: Vec::new(),
            variables: Vec::new(),
            n_calls_left: 0,
            is_invalid: false,
        }
    }

    /// Generates an item without its terminator.
    pub(super) fn item(&mut self) -> String {
        match self.random.below(32) {
            0..=13 => self.body(&[], TOP_RANK),
            14..=23 => self.function(),
            24 | 25 => self.binary_operator(),
            26 | 27 => self.prefix_operator(),
            28 | 29 => self.declaration(),
            30 => self.random.pick(MISTAKES).to_owned(),
            _ => self.random.pick(&["", "# nothing", "4;;5", "f", "f(", "1 2", "def", "x = 1"]).to_owned(),
        }
    }

    /// Chooses the number of parameters of a definition, declaration or call: usually the current
    /// one.
    fn arity(&mut self, idx: usize) -> usize {
        match self.arities[idx] {
            Some(arity) if self.random.one_in(11, 12) => arity,
            _ => self.random.below(PARAMETERS.len() + 1),
        }
    }

    /// Generates a function. Functions that may call others may also call themselves.
    fn function(&mut self) -> String {
        let idx = self.random.below(FUNCTIONS.len());
        let (name, arity) = (FUNCTIONS[idx], self.arity(idx));
        if function_rank(idx) == 0 || arity == 0 || self.random.one_in(1, 3) {
            return self.plain_function(idx, arity);
        }
        // The counter is read, but never assigned.
        let last = self.body(&PARAMETERS[..arity], function_rank(idx));
        let again = format!("{name}({})", ["n - 1", "x * 2", "y + n"][..arity].join(", "));
        let deeper = format!("{name}({})", ["n + 1", "x", "y"][..arity].join(", "));
        let body = match self.random.below(8) {
            0 | 1 => format!("if n < 1 then {last} else {again}"),
            2 => format!("if n < 1 then {last} else n + {again}"),
            3 | 4 => format!("if 0 < n then (var v = x in {again}) else {last}"),
            5 => format!("if n < 1 then {last} else {again} - printd(n)"),
            6 => format!("if n < 0 then 1 else (0 - {deeper})"),
            _ => format!("printd(n) + {deeper}"),
        };
        self.define(idx, arity, &body)
    }

    /// Generates a function that does not call itself.
    fn plain_function(&mut self, idx: usize, arity: usize) -> String {
        let body = self.body(&PARAMETERS[..arity], function_rank(idx));
        self.define(idx, arity, &body)
    }

    fn define(&mut self, idx: usize, arity: usize, body: &str) -> String {
        if !self.is_invalid {
            self.arities[idx] = Some(arity);
        }
        format!("def {}({}) {body}", FUNCTIONS[idx], PARAMETERS[..arity].join(" "))
    }

    /// Chooses a function and usually its number of parameters.
    pub(super) fn function_and_arity(&mut self) -> (&'static str, usize) {
        let idx = self.random.below(FUNCTIONS.len());
        (FUNCTIONS[idx], self.arity(idx))
    }

    /// Chooses a function for the host to register, and its number of parameters.
    pub(super) fn registered(&mut self) -> (&'static str, usize) {
        let idx = self.random.below(FUNCTIONS.len());
        let arity = self.arity(idx);
        self.arities[idx] = Some(arity);
        (FUNCTIONS[idx], arity)
    }

    /// Generates a race over one function. The threads call the function directly or through a
    /// function that nothing else calls.
    pub(super) fn race(&mut self) -> Race {
        let idx = self.random.below(FUNCTIONS.len());
        let arity = self.arity(idx);
        let callee = (FUNCTIONS[idx], arity);
        // The first definition always succeeds, so whatever happens to the second, the function
        // does not call itself.
        let mut before = vec![self.define(idx, arity, "1"), self.plain_function(idx, arity)];
        let callee = if self.random.one_in(1, 2) {
            callee
        } else {
            before.push(format!("def caller(n) {} + n", call_text(callee.0, callee.1)));
            ("caller", 1)
        };
        let n_definitions = 1 + self.random.below(3);
        let mut definition = || {
            let arity = self.arity(idx);
            self.plain_function(idx, arity)
        };
        let definitions = (0..n_definitions).map(|_| definition()).collect();
        let last = definition();
        Race { before, callee, definitions, last }
    }

    fn binary_operator(&mut self) -> String {
        let op = self.random.pick(BINARY);
        let precedence = self.random.pick(&["", " 1 ", " 10 ", "20", " 40", " 50", "100 ", "101"]);
        let body = self.body(&["a", "b"], OPERATOR_RANK);
        self.operators.push(op);
        if self.random.one_in(1, 10) {
            format!("extern binary{op}{precedence}(a b)")
        } else {
            format!("def binary{op}{precedence}(a b) {body}")
        }
    }

    fn prefix_operator(&mut self) -> String {
        let op = self.random.pick(PREFIX);
        let body = self.body(&["v"], OPERATOR_RANK);
        self.prefixes.push(op);
        format!("def unary{op}(v) {body}")
    }

    fn declaration(&mut self) -> String {
        if self.random.one_in(1, 4) {
            return format!("extern {ABSENT}({})", self.random.pick(&["a", "a b"]));
        }
        let idx = self.random.below(FUNCTIONS.len());
        let arity = self.arity(idx);
        self.arities[idx] = self.arities[idx].or(Some(arity));
        format!("extern {}({})", FUNCTIONS[idx], ["a", "b", "c"][..arity].join(" "))
    }

    /// Generates the body of a definition of this rank.
    fn body(&mut self, variables: &[&'static str], rank: usize) -> String {
        self.is_invalid = self.random.one_in(1, 16);
        if self.is_invalid {
            return self.random.pick(INVALID_BODIES).to_owned();
        }
        self.variables = variables.to_vec();
        self.n_calls_left = MAX_CALLS;
        self.expression(rank, 4)
    }

    fn expression(&mut self, rank: usize, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let inner = depth - 1;
        match self.random.below(16) {
            0..=2 => self.leaf(),
            3 | 4 => {
                let op = self.random.pick(&["+", "-", "*", "/", "<", "^"]);
                format!("({} {op} {})", self.expression(rank, inner), self.expression(rank, inner))
            }
            5 => self.binary(rank, inner),
            6 => self.prefix(rank, inner),
            7 => {
                let [one, two, three] = [0; 3].map(|_| self.expression(rank, inner));
                format!("if {one} then {two} else {three}")
            }
            8 => {
                let name = self.random.pick(&["x", "v"]);
                let initial = self.expression(rank, inner);
                self.variables.push(name);
                let body = self.expression(rank, inner);
                self.variables.pop();
                format!("(var {name} = {initial} in {body})")
            }
            9 => self.counted_loop(rank, inner),
            10 => {
                let name = self.variables.iter().rev().find(|name| !["n", "i"].contains(name)).copied();
                let value = self.expression(rank, inner);
                name.map_or_else(|| value.clone(), |name| format!("({name} = {value})"))
            }
            _ => self.call(rank, inner),
        }
    }

    fn leaf(&mut self) -> String {
        if !self.variables.is_empty() && self.random.one_in(1, 2) {
            return self.variables[self.random.below(self.variables.len())].to_owned();
        }
        self.random.pick(&["1", "0", "2", "0.5", "3", "65", "(0/0)", "1e308"]).to_owned()
    }

    fn binary(&mut self, rank: usize, depth: usize) -> String {
        let (left, right) = (self.expression(rank, depth), self.expression(rank, depth));
        if self.operators.is_empty() || !self.may_call(rank, OPERATOR_RANK) {
            return format!("{left} * {right}");
        }
        let operators = self.operators.clone();
        format!("{left} {} {right}", self.random.pick(&operators))
    }

    fn prefix(&mut self, rank: usize, depth: usize) -> String {
        let operand = self.expression(rank, depth);
        if self.prefixes.is_empty() || !self.may_call(rank, OPERATOR_RANK) {
            return format!("({operand})^2");
        }
        let prefixes = self.prefixes.clone();
        format!("{} {operand}", self.random.pick(&prefixes))
    }

    /// Generates a loop. Its calls count once for each iteration, so it gets few of them.
    fn counted_loop(&mut self, rank: usize, depth: usize) -> String {
        let n_outside = self.n_calls_left;
        self.n_calls_left /= MAX_ITERATIONS;
        let n_inside = self.n_calls_left;
        self.variables.push("i");
        let last = self.random.below(MAX_ITERATIONS);
        let body = self.expression(rank, depth);
        self.variables.pop();
        self.n_calls_left = n_outside - MAX_ITERATIONS * (n_inside - self.n_calls_left);
        format!("(for i = 0, i < {last} in {body})")
    }

    /// Returns whether the caller's rank allows a call of the callee's rank here. Counts the call
    /// if so.
    fn may_call(&mut self, caller: usize, callee: usize) -> bool {
        let may = callee < caller && self.n_calls_left > 0;
        self.n_calls_left -= usize::from(may);
        may
    }

    fn call(&mut self, rank: usize, depth: usize) -> String {
        let idx = self.random.below(FUNCTIONS.len());
        let is_known = self.arities[idx].is_some() || self.random.one_in(1, 8);
        if !is_known || !self.may_call(rank, function_rank(idx)) {
            if self.random.one_in(1, 32) {
                return format!("{ABSENT}({})", self.leaf());
            }
            return format!("(putchard({}) + {})", 65 + self.random.below(26), self.leaf());
        }
        let mut arguments = Vec::new();
        for param_idx in 0..self.arity(idx) {
            // The callee may count the first argument down.
            arguments.push(if param_idx == 0 && function_rank(idx) > 0 {
                self.random.below(4).to_string()
            } else {
                self.expression(rank, depth)
            });
        }
        format!("{}({})", FUNCTIONS[idx], arguments.join(", "))
    }
}
