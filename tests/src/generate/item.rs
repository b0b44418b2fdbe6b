//! Generator of items: definitions, externs and expressions.

use super::Generator;
use super::environment::{BINARY, FUNCTIONS, PREFIX, PRELUDE_1, REDEFINABLE};
use super::expression::{Bounds, OPERATOR_RANK, cost_of_rank, function_rank};

/// The most activations of a recursive function for one outer call: its counter goes from 8 to 0.
const N_ACTIVATIONS: usize = 9;

impl Generator {
    /// Generates the next item with its separator.
    pub(super) fn item(&mut self) -> String {
        let item = match self.random.below(20) {
            0..=5 => self.function(),
            6 => self.binary_operator(),
            7 => self.prefix_operator(),
            8 => self.redefined_maths(),
            9 => self.declaration(),
            10 => self.mistake(),
            _ => self.top_level(),
        };
        self.separated(item)
    }

    /// Generates a function or an operator with its separator.
    pub(super) fn definition(&mut self) -> String {
        let item = match self.random.below(5) {
            0 => self.binary_operator(),
            1 => self.prefix_operator(),
            _ => self.function(),
        };
        self.separated(item)
    }

    fn separated(&mut self, item: String) -> String {
        let separator = self.random.pick(&[";\n", ";\n", ";\n\n", " ; # a comment; with a semicolon\n", ";"]);
        item + separator
    }

    pub(super) fn top_level(&mut self) -> String {
        self.expression(Bounds { cost: 20_000, depth: 5, rank: usize::MAX })
    }

    /// Generates a function `if counter < 1 then … else …`. The else branch can call the function
    /// itself once, in tail position or not.
    fn function(&mut self) -> String {
        let idx = self.random.below(FUNCTIONS.len());
        let n_parameters = match self.environment.arities[idx] {
            Some(arity) if self.random.one_in(5, 6) => arity,
            _ => {
                let most = if self.random.one_in(1, 6) { 12 } else { 4 };
                1 + self.random.below(most)
            }
        };
        let parameters: Vec<String> = (0..n_parameters)
            .map(|at| {
                if at == 0 {
                    "n".to_owned()
                } else {
                    ["x", "y", "z", "a", "b"]
                        .get(at - 1)
                        .map_or_else(|| format!("p{at}"), ToString::to_string)
                }
            })
            .collect();
        self.environment.push("n", false);
        for parameter in &parameters[1..] {
            self.environment.push(parameter, true);
        }

        let rank = function_rank(idx);
        let bounds = Bounds { cost: cost_of_rank(rank) / N_ACTIVATIONS / 2, depth: 4, rank };
        let then_branch = self.expression(bounds);
        let else_branch = self.else_branch(FUNCTIONS[idx], n_parameters, bounds);
        self.environment.variables.clear();
        self.environment.arities[idx] = Some(n_parameters);

        let separator = self.random.pick(&[" ", ", ", ","]);
        format!(
            "def {}({}) if n < 1 then {then_branch} else {else_branch}",
            FUNCTIONS[idx],
            parameters.join(separator)
        )
    }

    /// Generates the else branch of a function, for counters of 1 and more.
    fn else_branch(&mut self, name: &str, n_parameters: usize, bounds: Bounds) -> String {
        if self.random.one_in(1, 3) {
            return self.expression(bounds);
        }
        let part = Bounds { cost: bounds.cost / (n_parameters + 1), depth: bounds.depth - 1, ..bounds };
        let mut arguments = "n - 1".to_owned();
        for _ in 1..n_parameters {
            arguments += &format!(", {}", self.expression(part));
        }
        let call = format!("{name}({arguments})");
        match self.random.below(4) {
            0 => format!("{} + {call}", self.expression(part)),
            1 => format!("var v = {} in ({call})", self.expression(part)),
            2 => format!("if {} then {call} else {}", self.expression(part), self.expression(part)),
            _ => call,
        }
    }

    fn operator_body(&mut self, operands: &[&str]) -> String {
        for operand in operands {
            self.environment.push(operand, true);
        }
        let body =
            self.expression(Bounds { cost: cost_of_rank(OPERATOR_RANK) / 2, depth: 3, rank: OPERATOR_RANK });
        self.environment.variables.clear();
        body
    }

    fn binary_operator(&mut self) -> String {
        let op = match self.environment.has_prelude && self.random.one_in(1, 4) {
            true => self.random.pick(&["&&", "||", "**", "=="]),
            false => BINARY[self.random.below(BINARY.len())],
        };
        let body = self.operator_body(&["a", "b"]);
        let precedence = match self.random.below(4) {
            0 => String::new(),
            1 => format!(" {}", self.random.pick(&["1", "2", "10", "20", "40", "50", "100"])),
            _ => format!(" {}", 1 + self.random.below(100)),
        };
        if !self.environment.binary.contains(&op) {
            self.environment.binary.push(op);
        }
        format!("def binary{op}{precedence} (a b) {body}")
    }

    fn prefix_operator(&mut self) -> String {
        let op = PREFIX[self.random.below(PREFIX.len())];
        let body = self.operator_body(&["v"]);
        if !self.environment.prefix.contains(&op) {
            self.environment.prefix.push(op);
        }
        format!("def unary{op}(v) {body}")
    }

    /// Generates a redefinition of a maths function, of rank 0: it calls nothing.
    pub(super) fn redefined_maths(&mut self) -> String {
        let is_of_prelude = self.environment.has_prelude && self.random.one_in(1, 3);
        let name = self.random.pick(if is_of_prelude { PRELUDE_1 } else { REDEFINABLE });
        self.environment.push("x", true);
        let body = self.expression(Bounds { cost: cost_of_rank(0), depth: 2, rank: 0 });
        self.environment.variables.clear();
        format!("def {name}(x) {body}")
    }

    fn declaration(&mut self) -> String {
        let known =
            FUNCTIONS.iter().zip(&self.environment.arities).find_map(|(name, arity)| Some((name, (*arity)?)));
        match (self.random.below(3), known) {
            (0, Some((name, 1))) => format!("extern {name}(n)"),
            (0, Some((name, arity))) => {
                let parameters: Vec<String> = (0..arity).map(|at| format!("p{at}")).collect();
                format!("extern {name}({})", parameters.join(" "))
            }
            (1, _) => "extern sin(x)".to_owned(),
            _ => "extern absent(x); absent(1)".to_owned(),
        }
    }
}
