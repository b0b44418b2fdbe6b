//! Hot code: what was optimized in an earlier process, so that it tiers up at once in this one.
//!
//! When optimized code is installed, the cache notes its kind with the baseline code's unit. When
//! the same unit gets baseline code in another process, a compile job follows at once. It finds its
//! code in the cache, if the same functions are inlined. So the note has these, and is ignored as
//! long as one of them has another definition: counters decide then, as without a cache.

use super::generator::written;
use super::{CodeCache, EntryKind, checksum};
use crate::call_graph::TierUpTarget;
use crate::core::Core;
use crate::event::{CodeName, Event};
use crate::profile::Profile;
use crate::table::Table;
use crate::trap::Trap;
use crate::validity::Dependency;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{CodeKind, Unit};
use kaleidoscope_native::processor_identity;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Code that was optimized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HotCode {
    kind: CodeKind,
    /// The functions that it depends on, each with a hash of its definition.
    inlined: Vec<(FunctionId, u64)>,
}

impl Core {
    /// Notes that optimized code of the target was installed, which depends on these functions.
    pub(crate) fn note_hot(&self, target: &TierUpTarget, dependencies: &[Dependency]) {
        let Some(cache) = &self.settings.code_cache else { return };
        let inlined = {
            let table = self.table();
            let inlined = dependencies.iter().map(|&(id, _)| Some((id, table.hash_of_definition(id)?)));
            inlined.collect::<Option<Vec<_>>>()
        };
        let Some(inlined) = inlined else { return };
        let key = self.key_of_hot_code(cache, &target.profile.unit);
        let mut known = cache.hot_code(&key);
        let hot = HotCode { kind: target.kind, inlined };
        if known.contains(&hot) {
            return;
        }
        known.retain(|known| known.kind != hot.kind);
        known.push(hot);
        cache.write(EntryKind::HotCode, &key, &written(&known));
    }

    /// Submits compile jobs for what was optimized in an earlier process, now that there is
    /// baseline code with this profile.
    pub(crate) fn tier_up_known(&self, profile: &Arc<Profile>) -> Result<(), Trap> {
        let Some(cache) = self.settings.code_cache.as_ref().filter(|_| self.compile_queue.is_some()) else {
            return Ok(());
        };
        for HotCode { kind, inlined } in cache.hot_code(&self.key_of_hot_code(cache, &profile.unit)) {
            let is_possible = match kind {
                CodeKind::Function => profile.unit.id.is_some(),
                CodeKind::Osr(nth) => nth < profile.unit.function.n_loops(),
                CodeKind::Kernel(..) => false,
            };
            let is_current = || {
                let table = self.table();
                inlined.iter().all(|&(id, hash)| table.hash_of_definition(id) == Some(hash))
            };
            if !is_possible || !is_current() || !profile.request_tier_up(kind) {
                continue;
            }
            let code = CodeName::of(&profile.unit);
            self.submit_tier_up(TierUpTarget { profile: Arc::clone(profile), kind });
            self.emit(|| Event::Hot { code, osr_loop: kind.osr_loop() })?;
        }
        Ok(())
    }

    /// The key of the note of a unit: what is known of the optimized code's key before a code
    /// generator is started. Starting one takes milliseconds, and the note says whether that is
    /// worth it.
    fn key_of_hot_code(&self, cache: &CodeCache, unit: &Unit) -> Vec<u8> {
        let settings = &self.settings;
        let of_engine =
            (&cache.shared.engine, processor_identity(), settings.optimization(), settings.has_debug_info);
        written(&(of_engine, unit.without_addresses()))
    }
}

impl Table {
    /// A hash of what the function is. `None` if no function has this id.
    fn hash_of_definition(&self, id: FunctionId) -> Option<u64> {
        let entry = self.entries().get(id.index())?;
        Some(match entry.ir() {
            Some(ir) => checksum(&written(ir)),
            None => checksum(entry.name().as_bytes()),
        })
    }
}

impl CodeCache {
    fn hot_code(&self, key: &[u8]) -> Vec<HotCode> {
        let content = self.read(EntryKind::HotCode, key);
        content.and_then(|content| postcard::from_bytes(&content).ok()).unwrap_or_default()
    }
}
