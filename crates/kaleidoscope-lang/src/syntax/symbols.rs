//! Symbols: names as small numbers. Equal names have equal numbers, and each text is stored once.

use std::collections::HashMap;
use std::sync::Arc;

use super::MAX_KEPT;

/// A name of a [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

impl Symbol {
    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The names that were interned.
#[derive(Clone, Debug)]
pub struct Symbols {
    numbers: HashMap<Arc<str>, Symbol>,
    names: Vec<Arc<str>>,
    /// Names that were found last, by their [key](recent_key): most names occur again soon.
    recent: [Symbol; N_RECENT],
}

const N_RECENT: usize = 64;

impl Default for Symbols {
    fn default() -> Self {
        Self { numbers: HashMap::new(), names: Vec::new(), recent: [Symbol(u32::MAX); N_RECENT] }
    }
}

/// An index in the table of recent names.
fn recent_key(name: &str) -> usize {
    match name.as_bytes() {
        [] => 0,
        [first, .., last] => (usize::from(*first) + 7 * usize::from(*last) + 13 * name.len()) % N_RECENT,
        [only] => usize::from(*only) % N_RECENT,
    }
}

impl Symbols {
    /// The symbol of a name; a new symbol if the name is new.
    pub fn intern(&mut self, name: &str) -> Symbol {
        let key = recent_key(name);
        let recent = self.recent[key];
        if self.names.get(recent.index()).is_some_and(|known| **known == *name) {
            return recent;
        }
        let symbol = self.intern_hashed(name);
        self.recent[key] = symbol;
        symbol
    }

    fn intern_hashed(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.numbers.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, symbol);
        symbol
    }

    /// The name of a symbol.
    pub fn name(&self, symbol: Symbol) -> &Arc<str> {
        &self.names[symbol.index()]
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Removes all names if there are many. They are interned again when they occur again.
    pub(super) fn forget_if_many(&mut self) {
        if self.names.len() > MAX_KEPT {
            *self = Self::default();
        }
    }
}
