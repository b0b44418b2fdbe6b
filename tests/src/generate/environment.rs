//! Names that generated text can refer to: functions, operators and variables in scope.

/// The functions that a program may define. A function calls only functions before it in this list.
pub(super) const FUNCTIONS: &[&str] = &["fa", "fb", "fc", "fd", "fe", "ff"];

/// Maths functions with one parameter.
pub(super) const MATHS_1: &[&str] = &[
    "sin", "cos", "tan", "atan", "exp", "log", "sqrt", "cbrt", "floor", "ceil", "round", "trunc", "fabs",
    "rint", "tanh", "asinh", "exp2", "expm1", "log1p", "log2", "log10", "erf", "erfc", "tgamma", "acos",
    "asin", "sinh", "cosh", "acosh", "atanh",
];

/// Maths functions with two parameters. Never redefined: calls rely on `fmod`.
pub(super) const MATHS_2: &[&str] = &["fmod", "pow", "atan2", "fmin", "fmax", "hypot"];

/// Maths functions that a program may redefine, with the same number of parameters.
pub(super) const REDEFINABLE: &[&str] = &["cos", "floor", "sqrt", "exp"];

/// Names of user operators, binary and prefix.
pub(super) const BINARY: &[&str] = &["%", "&", "|", ":", ">", "--", "@", "<=", "~!"];
pub(super) const PREFIX: &[&str] = &["-", "!", "+", "!!", "*"];

/// Binary operators and words of the prelude.
const PRELUDE_BINARY: &[&str] =
    &[">", "<=", ">=", "==", "!=", "%", "**", "&&", "||", "&", "|", ":", " and ", " or "];

/// Functions of the prelude with one parameter. A program may redefine them.
pub(super) const PRELUDE_1: &[&str] = &["abs", "ln", "sign"];

/// Functions of the prelude with any number of parameters.
pub(super) const PRELUDE_MANY: &[&str] = &["min", "max", "sum", "avg"];

/// Constants of the prelude.
pub(super) const CONSTANTS: &[&str] = &["pi", "e", "tau", "inf", "nan"];

/// Current definitions, and the variables in scope.
pub(super) struct Environment {
    /// For each of [`FUNCTIONS`]: its current number of parameters.
    pub(super) arities: Vec<Option<usize>>,
    pub(super) binary: Vec<&'static str>,
    pub(super) prefix: Vec<&'static str>,
    /// Variables in scope, innermost last. Names may repeat.
    pub(super) variables: Vec<Variable>,
    /// Host variables, which are always in scope.
    host_variables: Vec<Variable>,
    /// The arrays of the host, with their lengths.
    pub(super) arrays: &'static [(&'static str, usize)],
    n_variables: usize,
    /// Whether the host function `change()` exists.
    pub(super) calls_change: bool,
    /// Whether the program has the prelude.
    pub(super) has_prelude: bool,
}

/// A variable in scope.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Whether the text may assign the variable. False for counters, which keep loops finite.
    pub(super) assignable: bool,
}

impl Environment {
    pub(super) fn new(host_variables: &[(&str, f64)], arrays: &'static [(&'static str, usize)]) -> Self {
        let host_variables =
            host_variables.iter().map(|&(name, _)| Variable { name: name.to_owned(), assignable: true });
        Self {
            arities: vec![None; FUNCTIONS.len()],
            binary: Vec::new(),
            prefix: Vec::new(),
            variables: Vec::new(),
            host_variables: host_variables.collect(),
            arrays,
            n_variables: 0,
            calls_change: false,
            has_prelude: false,
        }
    }

    /// Adds the prelude.
    pub(super) fn with_prelude(mut self) -> Self {
        self.has_prelude = true;
        self.binary.extend(PRELUDE_BINARY);
        self.prefix.extend(["-", "+", "!"]);
        self
    }

    /// Returns a new variable name, for counters, which must not be shadowed.
    pub(super) fn fresh_name(&mut self, prefix: &str) -> String {
        self.n_variables += 1;
        format!("{prefix}{}", self.n_variables)
    }

    pub(super) fn push(&mut self, name: &str, assignable: bool) {
        self.variables.push(Variable { name: name.to_owned(), assignable });
    }

    /// Returns the visible variables: the innermost of each name.
    pub(super) fn visible(&self, only_assignable: bool) -> Vec<String> {
        let mut seen: Vec<&Variable> = Vec::new();
        for variable in self.variables.iter().rev().chain(&self.host_variables) {
            if !seen.iter().any(|inner| inner.name == variable.name) {
                seen.push(variable);
            }
        }
        let chosen = seen.into_iter().filter(|variable| variable.assignable || !only_assignable);
        chosen.map(|variable| variable.name.clone()).collect()
    }
}
