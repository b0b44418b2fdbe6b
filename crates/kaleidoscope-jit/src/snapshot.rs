//! Snapshots: the definitions of an engine at one time, and the way back to them in one step.

use crate::core::Core;
use crate::dependents::Superseded;
use crate::host::HostEntry;
use crate::table::{Entry, StoredDefinition, Table};
use kaleidoscope_ir::FunctionId;
use std::fmt;
use std::sync::Arc;

/// The definitions of an engine at one time. From [`crate::Jit::snapshot`].
pub struct Snapshot(Vec<Saved>);

/// What a function was.
struct Saved {
    definition: StoredDefinition,
    version: u32,
    /// The closure behind the stub of a host function.
    host: Option<Arc<HostEntry>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("n_functions", &self.0.len()).finish()
    }
}

impl Core {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let save = |entry: &Entry| Saved {
            definition: entry.definition.clone(),
            version: entry.version(),
            host: self.host_entry(entry),
        };
        Snapshot(self.table().entries().iter().map(save).collect())
    }

    /// Gives all functions the definitions that they had, in one step. Functions that are younger
    /// than the snapshot become unavailable. `next_version` is asked for the version of each
    /// function that changes; a function without one stays as it is.
    pub(crate) fn restore(
        &self,
        snapshot: &Snapshot,
        mut next_version: impl FnMut(FunctionId) -> Option<u32>,
    ) -> Superseded {
        let mut superseded = Superseded::default();
        let mut table = self.table();
        for number in 0..table.n_functions() {
            let function = FunctionId::new(u32::try_from(number).expect("functions are numbered in 32 bits"));
            let saved = snapshot.0.get(number);
            if !self.has_changed(table.entry(function), saved) {
                continue;
            }
            let Some(version) = next_version(function) else { continue };
            self.restore_one(&mut table, function, saved, version, &mut superseded);
        }
        superseded.free(self.take_free(&mut table));
        superseded
    }

    fn has_changed(&self, entry: &Entry, saved: Option<&Saved>) -> bool {
        let Some(saved) = saved else { return !matches!(entry.definition, StoredDefinition::Unavailable) };
        // A host function in the place of another one begins no version.
        let other_host = match (&self.host_entry(entry), &saved.host) {
            (Some(now), Some(before)) => !Arc::ptr_eq(now, before),
            _ => false,
        };
        entry.version() != saved.version || other_host
    }

    fn restore_one(
        &self,
        table: &mut Table,
        function: FunctionId,
        saved: Option<&Saved>,
        version: u32,
        superseded: &mut Superseded,
    ) {
        let definition = saved.map_or(StoredDefinition::Unavailable, |saved| saved.definition.clone());
        let entry = table.entry_mut(function);
        let was_host = matches!(entry.definition, StoredDefinition::Host { .. });
        let is_host = matches!(definition, StoredDefinition::Host { .. });
        if let Some(stub) = entry.host.as_ref().filter(|_| was_host || is_host) {
            let host = saved.and_then(|saved| saved.host.clone()).filter(|_| is_host);
            let host = host.unwrap_or_else(|| Arc::new(HostEntry::Withdrawn(function)));
            superseded.replace_host(self.hosts.set(stub.id(), host));
        }
        if was_host && is_host {
            // The stub stays; calls reach the closure by it.
            return;
        }
        self.begin_version(table, function, definition, version, superseded);
    }

    /// The closure that a host function is now.
    fn host_entry(&self, entry: &Entry) -> Option<Arc<HostEntry>> {
        let is_host = matches!(entry.definition, StoredDefinition::Host { .. });
        entry.host.as_ref().filter(|_| is_host).map(|stub| self.hosts.entry(stub.id()))
    }
}
