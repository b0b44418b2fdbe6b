//! Code that computes all rows of columns in one call: which functions have it, and when it goes.
//!
//! ```text
//!           many rows             made                a definition, of what it carries too
//! counting ──────────► making ──────────► ready ─────────────────────────────────────────► nothing
//!                         │ none to be had
//!                         └──────────────► refused, until the function is defined again
//! ```
//! Unlike other code it stands behind no stub: who has rows looks here for it, inside of the engine, and runs it while it is
//! inside. So it can be retired like any other body.

use super::install::{Body, RowsCode};
use super::state::Entry;
use super::tiers::Carrier;
use super::{Jit, Source, StubId, Table};
use crate::batch::Precision;
use crate::policy::RowsAdvice;

/// Which code for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowsKey {
    pub(crate) function: StubId,
    pub(crate) precision: Precision,
}

/// What there is of the present definition of a function.
#[derive(Debug)]
pub(super) enum RowsState {
    /// No code. So many rows were asked for.
    Counting {
        n_rows: u64,
    },
    /// Somebody makes it.
    Making,
    Ready(Box<Body>),
    /// There is none to be had.
    Refused,
}

/// Code for rows that somebody has to make now: of this version of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WantedRows {
    pub(crate) version: u32,
    pub(crate) advice: RowsAdvice,
}

impl RowsState {
    pub(super) fn body(&self) -> Option<&Body> {
        match self {
            Self::Ready(body) => Some(body),
            Self::Counting { .. } | Self::Making | Self::Refused => None,
        }
    }
}

impl<S: Source> Jit<S> {
    /// Notes that so many rows are asked for. What is returned is to be made by whoever asks, and ends with
    /// [`install_rows`](Self::install_rows) or [`refuse_rows`](Self::refuse_rows).
    pub(crate) fn note_rows(
        &self,
        key: RowsKey,
        n_more: usize,
        advise: impl FnOnce(u64) -> RowsAdvice,
    ) -> Option<WantedRows> {
        let mut table = self.table();
        let version = table.functions[key.function.index()].state.version();
        let state = table.rows.entry(key).or_insert(RowsState::Counting { n_rows: 0 });
        let RowsState::Counting { n_rows } = state else { return None };
        *n_rows = n_rows.saturating_add(n_more as u64);
        let advice = advise(*n_rows);
        if advice == RowsAdvice::Calls {
            return None;
        }
        *state = RowsState::Making;
        Some(WantedRows { version, advice })
    }

    /// The code for rows, if it is there. To be asked inside of the engine, and used as long as that lasts.
    pub(crate) fn rows(&self, key: RowsKey) -> Option<RowsCode> {
        self.table().rows.get(&key).and_then(RowsState::body).map(Body::rows)
    }

    /// Puts code for rows where it is looked for. Code that no longer holds is dropped without a word, and rows are counted anew.
    pub(crate) fn install_rows(&self, key: RowsKey, body: Box<Body>) -> Result<(), S::Failure> {
        let facts = body.facts.clone();
        let installed = self.table().install_rows(key, body);
        match installed {
            Ok(()) => self.source.ready(&facts),
            Err(_stale) => Ok(()),
        }
    }

    /// There is no code for rows of this version.
    pub(crate) fn refuse_rows(&self, key: RowsKey, version: u32) {
        self.table().end_making(key, version, RowsState::Refused);
    }
}

impl Table {
    fn install_rows(&mut self, key: RowsKey, body: Box<Body>) -> Result<(), Box<Body>> {
        let version = body.version();
        if !self.holds(&body) {
            self.end_making(key, version, RowsState::Counting { n_rows: 0 });
            return Err(body);
        }
        let carries = body.carries.clone();
        let Some(state) = self.making(key, version) else { return Err(body) };
        *state = RowsState::Ready(body);
        self.note_carrier(Carrier::Rows(key), &carries);
        Ok(())
    }

    fn end_making(&mut self, key: RowsKey, version: u32, state: RowsState) {
        if let Some(making) = self.making(key, version) {
            *making = state;
        }
    }

    /// The state, if somebody makes code of this version, and it is the present one.
    fn making(&mut self, key: RowsKey, version: u32) -> Option<&mut RowsState> {
        let is_current = self.functions[key.function.index()].state.version() == version;
        self.rows.get_mut(&key).filter(|state| is_current && matches!(state, RowsState::Making))
    }

    /// The function is defined again: whatever there is for rows of it goes.
    pub(super) fn forget_rows(&mut self, function: StubId) -> Vec<Body> {
        let states = Precision::ALL.iter().map(|&precision| RowsKey { function, precision });
        let states: Vec<_> = states.filter_map(|key| self.rows.remove(&key)).collect();
        states.into_iter().filter_map(into_body).collect()
    }

    /// Takes the code for rows, if it is such.
    pub(super) fn take_rows(&mut self, key: RowsKey, is_such: impl FnOnce(&Body) -> bool) -> Option<Body> {
        self.rows.get(&key)?.body().filter(|body| is_such(body))?;
        self.rows.remove(&key).and_then(into_body)
    }
}

fn into_body(state: RowsState) -> Option<Body> {
    match state {
        RowsState::Ready(body) => Some(*body),
        RowsState::Counting { .. } | RowsState::Making | RowsState::Refused => None,
    }
}
