//! What a generated text may refer to where it stands.

/// The functions that a program may define. A function calls only those before it in the list, by index.
pub(super) const FUNCTIONS: &[&str] = &["fa", "fb", "fc", "fd", "fe", "ff"];

/// Functions of the maths library that are never redefined: loops and calls rely on `fmod`.
pub(super) const MATHS_1: &[&str] = &[
    "sin", "cos", "tan", "atan", "exp", "log", "sqrt", "cbrt", "floor", "ceil", "round", "trunc", "fabs",
    "rint", "tanh", "asinh", "exp2", "expm1", "log1p", "log2", "log10", "erf", "erfc", "tgamma", "acos",
    "asin", "sinh", "cosh", "acosh", "atanh",
];

/// The same with two parameters.
pub(super) const MATHS_2: &[&str] = &["fmod", "pow", "atan2", "fmin", "fmax", "hypot"];

/// Of these, the ones that a program may define anew, with the same number of parameters.
pub(super) const REDEFINABLE: &[&str] = &["cos", "floor", "sqrt", "exp"];

/// Names of user operators, binary and prefix.
pub(super) const BINARY: &[&str] = &["%", "&", "|", ":", ">", "--", "@", "<=", "~!"];
pub(super) const PREFIX: &[&str] = &["-", "!", "+", "!!", "*"];

/// What is defined so far, and the variables around the place.
pub(super) struct Scope {
    /// For each of [`FUNCTIONS`]: the number of parameters it has now.
    pub(super) arities: Vec<Option<usize>>,
    pub(super) binary: Vec<&'static str>,
    pub(super) prefix: Vec<&'static str>,
    /// Innermost last. Names may repeat.
    pub(super) variables: Vec<Variable>,
    /// Those of the host, which are around everything.
    of_host: Vec<Variable>,
    n_variables: usize,
}

/// A variable in scope.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Whether the text may assign it: not so for counters, which keep loops finite.
    pub(super) assignable: bool,
}

impl Scope {
    pub(super) fn new(of_host: &[(&str, f64)]) -> Self {
        let of_host = of_host.iter().map(|&(name, _)| Variable { name: name.to_owned(), assignable: true });
        Self {
            arities: vec![None; FUNCTIONS.len()],
            binary: Vec::new(),
            prefix: Vec::new(),
            variables: Vec::new(),
            of_host: of_host.collect(),
            n_variables: 0,
        }
    }

    /// A name that no variable has yet: for counters, which must not be shadowed.
    pub(super) fn fresh_name(&mut self, prefix: &str) -> String {
        self.n_variables += 1;
        format!("{prefix}{}", self.n_variables)
    }

    pub(super) fn push(&mut self, name: &str, assignable: bool) {
        self.variables.push(Variable { name: name.to_owned(), assignable });
    }

    /// The variables that can be seen from here: of two with one name, the inner.
    pub(super) fn visible(&self, only_assignable: bool) -> Vec<String> {
        let mut seen: Vec<&Variable> = Vec::new();
        for variable in self.variables.iter().rev().chain(&self.of_host) {
            if !seen.iter().any(|inner| inner.name == variable.name) {
                seen.push(variable);
            }
        }
        let chosen = seen.into_iter().filter(|variable| variable.assignable || !only_assignable);
        chosen.map(|variable| variable.name.clone()).collect()
    }
}
