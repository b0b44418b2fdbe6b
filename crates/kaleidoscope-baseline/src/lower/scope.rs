//! Which variables have a value at the current place, and where each was read last: what must be handed over when a
//! loop is left for better code.

use kaleidoscope_ir::{Function, Local};

pub(super) struct Scope {
    /// The variables that have been set in the brackets around the current place, in that order, parameters first.
    set: Vec<Local>,
    /// Of each variable, whether it is one of them, and the position of the last operation that read it.
    is_set: Vec<bool>,
    last_read: Vec<usize>,
}

impl Scope {
    /// What is known where the function begins.
    pub(super) fn new(function: &Function) -> Self {
        let n_params = function.n_params as usize;
        Self {
            set: (0..function.n_params).map(Local::new).collect(),
            is_set: (0..function.locals.len()).map(|idx| idx < n_params).collect(),
            last_read: vec![0; function.locals.len()],
        }
    }

    /// The operation at `at` reads the variable.
    pub(super) fn read(&mut self, variable: Local, at: usize) {
        self.last_read[variable.index()] = at;
    }

    /// The variable has been set.
    pub(super) fn set(&mut self, variable: Local) {
        if !std::mem::replace(&mut self.is_set[variable.index()], true) {
            self.set.push(variable);
        }
    }

    /// How many variables have a value.
    pub(super) fn n_set(&self) -> usize {
        self.set.len()
    }

    /// Goes on behind a bracket, where only those variables have a value that were set before it.
    pub(super) fn leave(&mut self, n_set: usize) {
        for variable in self.set.drain(n_set..) {
            self.is_set[variable.index()] = false;
        }
    }

    /// Those that have a value and were read behind the operation at `at`.
    pub(super) fn read_since(&self, at: usize) -> impl Iterator<Item = Local> {
        self.set.iter().copied().filter(move |variable| self.last_read[variable.index()] > at)
    }
}
