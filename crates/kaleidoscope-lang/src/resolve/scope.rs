//! Variables of one function: those in scope, and their numbers.

use crate::syntax::{MAX_KEPT, Symbol, clear};
use kaleidoscope_ir::Local;

/// A table from names to variables, with a stack to undo its changes.
#[derive(Debug, Default)]
pub(super) struct VariableScope {
    /// The variable of each name, by the symbol's number.
    visible: Vec<Option<Local>>,
    /// The variable that each variable in scope hides, that of the youngest last.
    hidden: Vec<(Symbol, Option<Local>)>,
    /// The name of each variable; `None` if no text can name it.
    locals: Vec<Option<Symbol>>,
}

impl VariableScope {
    pub(super) fn clear(&mut self, n_symbols: usize) {
        // An item with a mistake leaves its variables in scope.
        self.unbind(self.hidden.len() as u32);
        if self.visible.len() < n_symbols {
            self.visible.resize(n_symbols, None);
        } else if self.visible.len() > n_symbols.max(MAX_KEPT) {
            self.visible = vec![None; n_symbols];
        }
        clear(&mut self.hidden);
        clear(&mut self.locals);
    }

    /// Brings a new variable into scope. It hides others of its name.
    pub(super) fn bind(&mut self, name: Symbol) -> Local {
        let local = Local::new(self.locals.len() as u32);
        self.locals.push(Some(name));
        self.hidden.push((name, self.visible[name.index()].replace(local)));
        local
    }

    /// A new variable without a name, for a value that is needed twice.
    pub(super) fn add_hidden(&mut self) -> Local {
        let local = Local::new(self.locals.len() as u32);
        self.locals.push(None);
        local
    }

    /// Takes the youngest variables out of scope.
    pub(super) fn unbind(&mut self, n_variables: u32) {
        for _ in 0..n_variables {
            let (name, hidden) = self.hidden.pop().expect("as many were bound");
            self.visible[name.index()] = hidden;
        }
    }

    pub(super) fn find(&self, name: Symbol) -> Option<Local> {
        self.visible[name.index()]
    }

    /// The names of all variables, in scope or not.
    pub(super) fn locals(&self) -> &[Option<Symbol>] {
        &self.locals
    }

    /// The names in scope, the youngest first. A name may occur twice.
    pub(super) fn names(&self) -> impl Iterator<Item = Symbol> {
        self.hidden.iter().rev().map(|&(name, _)| name)
    }
}
