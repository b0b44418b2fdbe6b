//! Generated programs: the same program in several languages, in each language's usual style.
//!
//! Functions are global in languages that have local ones: Lua allows at most 200 local variables.

/// The language of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Kaleidoscope, in the form that the chapter 7 program also accepts.
    Kaleidoscope,
    /// Lua 5.1.
    Lua,
    /// JavaScript.
    JavaScript,
    /// C: a function `run` with the program's input as its argument.
    C,
}

impl Language {
    /// Returns the extension of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Kaleidoscope => "kal",
            Self::Lua => "lua",
            Self::JavaScript => "js",
            Self::C => "c",
        }
    }
}

/// Functions of the programs `definitions` and `first_calls`.
const N_FUNCTIONS: usize = 1_000;

/// Groups of functions in the mixed program. A group has ten functions; the last one calls others
/// in a loop.
const N_GROUPS: usize = 30;

/// Writes 1,000 functions and one call of each of five.
pub fn definitions(language: Language) -> String {
    let mut program = Writer::new(language);
    program.independent_functions();
    let call = |k: usize, x: &str| format!("f{k}({x}, {k})");
    program.print("7", |input| [3, 141, 592, 653, 897].map(|k| call(k, input)).join(" + "))
}

/// Writes 1,000 functions, each called once, through 40 functions that call 25 each.
pub fn first_calls(language: Language) -> String {
    const N_EACH: usize = 25;
    let mut program = Writer::new(language);
    program.independent_functions();
    let n_callers = N_FUNCTIONS / N_EACH;
    for caller in 0..n_callers {
        let calls = (caller * N_EACH..(caller + 1) * N_EACH).map(|k| format!("f{k}(x, {k})"));
        program.function(&format!("caller{caller}"), &["x"], &calls.collect::<Vec<_>>().join(" + "));
    }
    program.print("7", |input| {
        (0..n_callers).map(|k| format!("caller{k}({input})")).collect::<Vec<_>>().join(" + ")
    })
}

/// Writes 300 functions in 30 groups. Each group's loop has 1.41 times as many iterations as the
/// loop of the group before. Some functions are called once or never while others are called ten
/// thousand times. `scale` multiplies all iterations.
pub fn mixed(language: Language, scale: f64) -> String {
    let mut program = Writer::new(language);
    for group in 0..N_GROUPS {
        program.group(group);
    }
    let iterations = |group: usize| 2_f64.powf(group as f64 / 2.0).round();
    program.print(&scale.to_string(), |input| {
        let loops = (0..N_GROUPS).map(|group| format!("loop{group}({input} * {})", iterations(group)));
        loops.collect::<Vec<_>>().join(" + ")
    })
}

/// Writes a program.
struct Writer {
    language: Language,
    text: String,
}

impl Writer {
    fn new(language: Language) -> Self {
        Self { language, text: String::new() }
    }

    /// Writes functions of about 25 operations that call nothing.
    fn independent_functions(&mut self) {
        for k in 0..N_FUNCTIONS {
            let low = format!("(x * {k} + y) * (y - x * 0.5) + (x + {k}) * 0.25");
            let high = format!("(x - y) * {k} - (x + {k}) * (y + 0.25) * 0.125");
            let body = self.choice("x < y", &low, &high);
            self.function(&format!("f{k}"), &["x", "y"], &body);
        }
    }

    /// Writes ten functions that call each other: arithmetic, conditions, recursion, a short loop
    /// and the long loop.
    fn group(&mut self, group: usize) {
        let name = |stem: &str| format!("{stem}{group}");
        let k = group + 1;
        self.function(&name("line"), &["x"], &format!("x * 0.{k:02} + {k}"));
        self.function(&name("curve"), &["x", "y"], &format!("(x - y) * (x + y) * 0.0{k:02} + x * y * 0.001"));
        let least = self.choice("x < y", "x", "y");
        self.function(&name("least"), &["x", "y"], &least);
        let most = self.choice("x < y", "y", "x");
        self.function(&name("most"), &["x", "y"], &most);
        self.function(
            &name("between"),
            &["x", "low", "high"],
            &format!("least{group}(most{group}(x, low), high)"),
        );
        let smooth = format!("curve{group}(line{group}(x), between{group}(x, {k}, {}))", k * 100);
        self.function(&name("smooth"), &["x"], &smooth);
        let powers = self.choice("n < 1", "x", &format!("powers{group}(x * 0.5 + {k}, n - 1)"));
        self.function(&name("powers"), &["x", "n"], &powers);
        self.sum(&name("series"), &["x", "n"], &format!("line{group}(x + i)"));
        let step = format!("smooth{group}(x) + powers{group}(x, 4) - series{group}(x, 3)");
        self.function(&name("step"), &["x"], &step);
        self.sum(&name("loop"), &["n"], &format!("step{group}(i)"));
    }

    /// Writes a function whose body is an expression.
    fn function(&mut self, name: &str, params: &[&str], body: &str) {
        let list = self.parameters(params);
        self.text += &match self.language {
            Language::Kaleidoscope => format!("def {name}({list}) {body};\n"),
            Language::Lua => format!("function {name}({list}) return {body} end\n"),
            Language::JavaScript => format!("function {name}({list}) {{ return {body}; }}\n"),
            Language::C => format!("static double {name}({list}) {{ return {body}; }}\n"),
        };
    }

    /// Writes a function that sums `term` for each `i` from 1 to its last parameter, `n`.
    fn sum(&mut self, name: &str, params: &[&str], term: &str) {
        let list = self.parameters(params);
        self.text += &match self.language {
            Language::Kaleidoscope => {
                format!("def {name}({list}) var s = 0 in (for i = 1, i < n in s = s + {term}) + s;\n")
            }
            Language::Lua => {
                format!(
                    "function {name}({list}) local s = 0; for i = 1, n do s = s + {term} end return s end\n"
                )
            }
            Language::JavaScript => format!(
                "function {name}({list}) {{ let s = 0; for (let i = 1; i <= n; i++) s += {term}; return s; }}\n"
            ),
            Language::C => format!(
                "static double {name}({list}) {{ double s = 0; for (double i = 1; i <= n; i++) s += {term}; return s; }}\n"
            ),
        };
    }

    fn parameters(&self, names: &[&str]) -> String {
        match self.language {
            Language::Kaleidoscope => names.join(" "),
            Language::Lua | Language::JavaScript => names.join(", "),
            Language::C => names.iter().map(|name| format!("double {name}")).collect::<Vec<_>>().join(", "),
        }
    }

    fn choice(&self, condition: &str, then: &str, otherwise: &str) -> String {
        match self.language {
            Language::Kaleidoscope => format!("(if {condition} then {then} else {otherwise})"),
            Language::Lua => format!("({condition} and {then} or {otherwise})"),
            Language::JavaScript | Language::C => format!("({condition} ? {then} : {otherwise})"),
        }
    }

    /// Returns the whole program. It ends by printing an expression of its input.
    fn print(mut self, input: &str, value: impl Fn(&str) -> String) -> String {
        self.text += &match self.language {
            Language::Kaleidoscope => format!("{};\n", value(input)),
            Language::Lua => format!("print(string.format(\"%.17g\", {}))\n", value(input)),
            Language::JavaScript => format!("console.log({});\n", value(input)),
            Language::C => format!("double run(const double *input) {{ return {}; }}\n", value("input[0]")),
        };
        self.text
    }
}

#[cfg(test)]
mod tests;
