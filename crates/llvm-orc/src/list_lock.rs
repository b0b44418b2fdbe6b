//! The lock of the debuggers' list, which all users of the list in a program share: crates of other
//! names can use the list as well, such as `kaleidoscope-native`. They agree on the name of a word
//! in memory, `jit_debug_list_lock` (`arch/x86_64.rs`). It is weak, so each of them defines it.

use crate::arch;
use std::sync::atomic::Ordering;
use std::thread::yield_now;

/// Owns the list until it is dropped.
pub(crate) struct ListLock(());

impl ListLock {
    pub(crate) fn take() -> ListLock {
        while arch::list_lock().compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            yield_now();
        }
        ListLock(())
    }
}

impl Drop for ListLock {
    fn drop(&mut self) {
        arch::list_lock().store(0, Ordering::Release);
    }
}
