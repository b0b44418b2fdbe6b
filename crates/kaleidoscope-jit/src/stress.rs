//! Stress: forces tier-up at once, and invalidates optimized code at random. For tests.
//!
//! With the feature `stress`, every counter trips at once (`policy.rs`), and each upcall of
//! generated code may invalidate some optimized code, as a redefinition does, although nothing was
//! redefined. So programs deoptimize all the time, at all places, and must still compute the same.
//! V8 has such switches too (`--always-turbofan`, `--deopt-every-n-times`).
//!
//! The seed is printed to standard error. `KALEIDOSCOPE_STRESS` sets it.

use crate::core::Core;
use crate::kernel_state::KernelState;
use crate::profile::ProfiledCode;
use crate::table::Table;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Upcalls for one invalidation, on average.
const UPCALLS_PER_INVALIDATION: u64 = 8;

/// A random number. Threads share the sequence, so a run with threads is not repeatable.
fn random() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let seed = SEED.get_or_init(|| {
        let given = std::env::var("KALEIDOSCOPE_STRESS").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(0, |now| now.as_nanos() as u64)
        });
        eprintln!("stress: KALEIDOSCOPE_STRESS={seed}");
        seed
    });
    // SplitMix64.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut x = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Core {
    /// Perhaps invalidates some optimized code.
    pub(crate) fn stress(&self) {
        if !random().is_multiple_of(UPCALLS_PER_INVALIDATION) {
            return;
        }
        let mut table = self.table();
        let code = match random() % 4 {
            0 => table.take_random_osr_code(),
            1 => table.take_random_kernel(),
            _ => table.take_random_function(),
        };
        self.retire(&mut table, code, &Arc::from("(stress)"));
    }
}

impl Table {
    fn take_random_function(&mut self) -> Vec<ProfiledCode> {
        let n_functions = self.n_functions();
        let first = random() as usize % n_functions.max(1);
        let mut ids = (first..n_functions).chain(0..first);
        let Some(found) = ids.find(|&index| self.entries()[index].state.optimized().is_some()) else {
            return Vec::new();
        };
        let entry = self.entry_mut(kaleidoscope_ir::FunctionId::new(found as u32));
        if let Some(profile) = entry.state.first().and_then(|first| first.profile.as_ref()) {
            profile.reset_function();
        }
        entry.return_to_first().into_iter().collect()
    }

    fn take_random_osr_code(&mut self) -> Vec<ProfiledCode> {
        let mut profiles: Vec<_> = self.profiles.values().collect();
        profiles.sort_unstable_by_key(|profile| profile.number());
        let first = random() as usize % profiles.len().max(1);
        let mut loops = profiles[first..].iter().chain(&profiles[..first]).flat_map(|profile| {
            (0..profile.unit.function.n_loops()).filter_map(|nth| profile.invalidate_loop(nth))
        });
        loops.next().map(ProfiledCode::from).into_iter().collect()
    }

    fn take_random_kernel(&mut self) -> Vec<ProfiledCode> {
        let ready = self.kernels.iter().find(|(_, state)| state.code().is_some()).map(|(key, _)| *key);
        let kernel = ready.and_then(|key| self.kernels.remove(&key)).and_then(KernelState::into_code);
        kernel.map(ProfiledCode::from).into_iter().collect()
    }
}
