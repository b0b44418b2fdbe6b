//! The lives of function bodies, as the engine tells them.
//!
//! Two promises are checked: what is compiled lazily was called before, and between two steps, when nothing runs, no
//! code is left of a definition that has been replaced. Optimised code comes and goes as the compile threads get to it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use kaleidoscope::{CodeName, Event, Observer, Tier};

/// Listens to an engine. Clones are the same listener.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The version of each name that a call reaches now.
    current: HashMap<Arc<str>, u32>,
    called: HashSet<CodeName>,
    /// What was compiled as if it had been called.
    compiled_lazily: HashSet<CodeName>,
    /// How many pieces of code there are of each code.
    live: HashMap<CodeName, usize>,
    /// Promises broken.
    complaint: Option<String>,
}

impl Lives {
    /// Notes that calls of this name reach no definition any more.
    pub(super) fn withdraw(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).current.remove(name);
    }

    /// Whether all promises were kept; to be asked when nothing runs.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(complaint) = &known.complaint {
            return Err(complaint.clone());
        }
        // One thread may have told of the call after another had told of the code.
        if let Some(code) = known.compiled_lazily.difference(&known.called).next() {
            return Err(format!("{code:?} was compiled, and was not called"));
        }
        let mut live = known.live.iter().filter(|&(_, &n)| n > 0);
        let left = live.find(|(code, n)| known.current.get(&code.name) != Some(&code.version) || **n > 1);
        left.map_or(Ok(()), |(code, n)| Err(format!("{n} pieces of code are left of {code:?}")))
    }
}

impl Observer for Lives {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(event);
    }
}

impl Known {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Defined { code, .. } => {
                self.current.insert(Arc::clone(&code.name), code.version);
            }
            Event::FirstCalled { code } => {
                let is_first = self.called.insert(code.clone());
                self.expect(is_first, || format!("{code:?} is called for the first time again"));
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
                self.expect(n_live > 0, || format!("{code:?} is freed, but was not there"));
                self.live.insert(code.clone(), n_live.saturating_sub(1));
            }
            _ => {}
        }
    }

    /// Notes the complaint unless all is well or there was one before.
    fn expect(&mut self, is_well: bool, complaint: impl FnOnce() -> String) {
        if !is_well {
            self.complaint.get_or_insert_with(complaint);
        }
    }
}
