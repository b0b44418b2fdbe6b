//! Code lifetimes: checks an engine's events from definition to reclaimed code.
//!
//! Two properties are checked. Lazily compiled functions were called. Between two steps, when
//! nothing runs, no code of a replaced definition exists. Optimized code is exempt: compile
//! threads add and remove it at any time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use kaleidoscope::{CodeName, Event, Observer, Tier};

/// Observer of an engine. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct CodeLifetimes(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The current version of each name.
    current: HashMap<Arc<str>, u32>,
    called: HashSet<CodeName>,
    /// Functions compiled at their first call.
    compiled_lazily: HashSet<CodeName>,
    /// Number of compilations of each version that still exist.
    live: HashMap<CodeName, usize>,
    /// The first property that did not hold.
    complaint: Option<String>,
}

impl CodeLifetimes {
    /// Records that this name has no definition any more.
    pub(super) fn withdraw(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).current.remove(name);
    }

    /// Checks the properties. No evaluation may be running.
    pub(super) fn check(&self) -> Result<(), String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(complaint) = &seen.complaint {
            return Err(complaint.clone());
        }
        // Two threads may notify of the call and of its code in either order.
        if let Some(code) = seen.compiled_lazily.difference(&seen.called).next() {
            return Err(format!("{code:?} was compiled but not called"));
        }
        let mut live = seen.live.iter().filter(|&(_, &n)| n > 0);
        let left = live.find(|(code, n)| seen.current.get(&code.name) != Some(&code.version) || **n > 1);
        left.map_or(Ok(()), |(code, n)| Err(format!("{n} compilations of {code:?} are left")))
    }
}

impl Observer for CodeLifetimes {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(event);
    }
}

impl Seen {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Defined { code, .. } => {
                self.current.insert(Arc::clone(&code.name), code.version);
            }
            Event::FirstCalled { code } => {
                let is_first = self.called.insert(code.clone());
                self.expect(is_first, || format!("{code:?} has a second first call"));
            }
            Event::Compiled { tier: Tier::Optimized, .. }
            | Event::Reclaimed { tier: Tier::Optimized, .. } => {}
            Event::Compiled { code, tier, .. } => {
                if matches!(tier, Tier::Lazy | Tier::Baseline) && !code.is_expression() {
                    self.compiled_lazily.insert(code.clone());
                }
                *self.live.entry(code.clone()).or_default() += 1;
            }
            Event::Reclaimed { code, .. } => {
                let n_live = self.live.get(code).copied().unwrap_or(0);
                self.expect(n_live > 0, || format!("{code:?} is reclaimed, but was not compiled"));
                self.live.insert(code.clone(), n_live.saturating_sub(1));
            }
            _ => {}
        }
    }

    /// Records the complaint if the property does not hold and no complaint was recorded before.
    fn expect(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.complaint.get_or_insert_with(complaint);
        }
    }
}
