//! Tier-up state: whether an optimizing compile of a function or loop was requested, and is done.

#[cfg(feature = "models")]
use loom::sync::atomic::{AtomicU8, Ordering};
#[cfg(not(feature = "models"))]
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether an optimizing compile was requested.
#[derive(Debug, Default)]
pub(crate) struct TierUp(AtomicU8);

/// How far a tier-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TierUpState {
    /// Not requested.
    Idle,
    /// A compile job is queued or running.
    Pending,
    /// Optimized code is installed, or cannot be compiled.
    Finished,
}

impl TierUp {
    pub(crate) fn state(&self) -> TierUpState {
        match self.0.load(Ordering::Relaxed) {
            0 => TierUpState::Idle,
            1 => TierUpState::Pending,
            _ => TierUpState::Finished,
        }
    }

    pub(crate) fn set(&self, state: TierUpState) {
        self.0.store(state as u8, Ordering::Relaxed);
    }

    /// Requests the tier-up. Returns whether this request is the first.
    pub(crate) fn request(&self) -> bool {
        let (idle, pending) = (TierUpState::Idle as u8, TierUpState::Pending as u8);
        self.0.compare_exchange(idle, pending, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(all(test, feature = "models"))]
mod models {
    use super::{TierUp, TierUpState};
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn one_request_is_the_first() {
        loom::model(|| {
            let tier_up = Arc::new(TierUp::default());
            let other = Arc::clone(&tier_up);
            let other = thread::spawn(move || other.request());
            let this = tier_up.request();
            assert!(this ^ other.join().unwrap());
            assert_eq!(tier_up.state(), TierUpState::Pending);
        });
    }
}
