//! Random functions in text form, which end soon.

use std::ops::Range;

use kaleidoscope_ir::Function;

/// How many functions a program has.
const N_FUNCTIONS: usize = 4;

/// A function that is being written.
struct Writer {
    state: u64,
    text: String,
    /// The names of all variables so far.
    n_locals: usize,
    /// The variables that have a value here.
    set: Vec<usize>,
    /// Those that count iterations, which nothing else assigns.
    counters: Vec<usize>,
    /// The functions that can be called: those written before, by their numbers of parameters.
    callees: Vec<usize>,
    n_left: usize,
}

/// The functions of a program. Each calls those before it, and the host function.
pub(super) fn functions(seed: u64) -> Vec<Function> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut functions: Vec<Function> = Vec::new();
    for number in 0..N_FUNCTIONS {
        let n_params = 1 + number % 3;
        let mut writer = Writer {
            state,
            text: String::new(),
            n_locals: n_params,
            set: (0..n_params).collect(),
            counters: Vec::new(),
            callees: functions.iter().map(|function| function.n_params as usize).collect(),
            n_left: 60,
        };
        writer.body(n_params);
        // The last function, which no other calls, has several results.
        let n_results = if number == N_FUNCTIONS - 1 { 3 } else { 1 };
        for _ in 1..n_results {
            writer.value();
        }
        let names = |numbers: Range<usize>| numbers.map(|nth| format!("x.{nth} ")).collect::<String>();
        let (params, locals) = (names(0..n_params), names(n_params..writer.n_locals));
        let text = format!(
            "function f{number}({}), locals {}, results {n_results}\n{}",
            params.trim(),
            locals.trim(),
            writer.text
        );
        functions.push(text.parse().unwrap_or_else(|error| panic!("{error}: {text}")));
        state = writer.state;
    }
    functions
}

impl Writer {
    /// A number below `n`, by xorshift.
    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 33) as usize % n
    }

    fn line(&mut self, op: impl AsRef<str>) {
        self.text += op.as_ref();
        self.text.push('\n');
    }

    fn get(&mut self, variable: usize) {
        self.line(format!("get x.{variable}"));
    }

    fn set(&mut self, variable: usize) {
        self.line(format!("set x.{variable}"));
        if !self.set.contains(&variable) {
            self.set.push(variable);
        }
    }

    fn new_variable(&mut self) -> usize {
        self.n_locals += 1;
        self.n_locals - 1
    }

    /// A few operands, then a value; some functions call themselves in tail position.
    fn body(&mut self, n_params: usize) {
        for _ in 0..2 {
            self.value();
            let variable = self.new_variable();
            self.set(variable);
            self.line("drop");
        }
        if self.below(2) == 0 {
            return self.last_value();
        }
        // The first parameter counts down.
        self.line("number 0.5\nget x.0\nless\nif");
        let n_set = self.set.len();
        for nth in 0..n_params {
            if nth == 0 {
                self.line("get x.0\nnumber 1\nsubtract");
            } else {
                self.value();
            }
        }
        self.set.truncate(n_set);
        self.line("tail_call\nelse");
        self.last_value();
        self.set.truncate(n_set);
        self.line("end");
    }

    fn last_value(&mut self) {
        self.value();
        self.value();
        self.line("add");
    }

    /// Code that leaves one value.
    fn value(&mut self) {
        let choice = if self.n_left == 0 { self.below(2) } else { self.below(14) };
        self.n_left = self.n_left.saturating_sub(1);
        match choice {
            0 => {
                let number = self.below(7);
                self.line(format!("number {number}"));
            }
            1 | 2 => {
                let nth = self.below(self.set.len());
                self.get(self.set[nth]);
            }
            3 | 4 => {
                self.value();
                self.value();
                let op = ["add", "subtract", "multiply", "less"][self.below(4)];
                self.line(op);
            }
            5 | 6 => self.assignment(),
            7 => {
                for _ in 0..2 {
                    self.value();
                }
                self.line("call sum#1000/2");
            }
            8 => self.call(),
            9 => self.branch(),
            10 => {
                let index = self.below(3);
                self.line(format!("number {index}\nget_element u#0"));
            }
            11 => {
                let index = self.below(3);
                self.line(format!("number {index}"));
                self.value();
                self.line("set_element u#0");
            }
            _ => self.counted_loop(),
        }
    }

    /// Assigns a variable that is no counter, an old one or a new one.
    fn assignment(&mut self) {
        self.value();
        let old: Vec<_> = self
            .set
            .iter()
            .copied()
            .filter(|variable| *variable > 0 && !self.counters.contains(variable))
            .collect();
        let variable = match old.len() {
            0 => self.new_variable(),
            n if self.below(3) > 0 => old[self.below(n)],
            _ => self.new_variable(),
        };
        self.set(variable);
    }

    fn call(&mut self) {
        if self.callees.is_empty() {
            return self.line("number 3");
        }
        let callee = self.below(self.callees.len());
        let n_args = self.callees[callee];
        // The first argument may say how often the function calls itself.
        self.line("number 2");
        for _ in 1..n_args {
            self.value();
        }
        self.line(format!("call f#{callee}/{n_args}"));
    }

    fn branch(&mut self) {
        self.value();
        self.line("if");
        let n_set = self.set.len();
        for end in ["else", "end"] {
            self.value();
            self.set.truncate(n_set);
            self.line(end);
        }
    }

    /// Two or three iterations.
    fn counted_loop(&mut self) {
        let counter = self.new_variable();
        self.line("number 1");
        self.set(counter);
        self.counters.push(counter);
        let n_set = self.set.len();
        self.line("drop\nloop");
        self.value();
        self.line("drop\nnumber 1");
        self.get(counter);
        let bound = 2 + self.below(2);
        self.line(format!("number {bound}\nless"));
        self.set.truncate(n_set);
        self.line(format!("next x.{counter}"));
        self.value();
    }
}
