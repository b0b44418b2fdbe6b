//! Epochs: tell when no thread can be inside code that stubs jumped to before.
//!
//! A thread is inside while it calls a function by this crate ([`Symbol`](crate::Symbol),
//! [`OwnedSymbol`](crate::OwnedSymbol), [`Redirectable`](crate::Redirectable)). It stores the epoch
//! in which it entered. Retiring code ends the epoch. Code is reclaimed when all threads that are
//! inside entered after it was retired: these read the stub's new target. A thread that leaves
//! looks whether it may have been the last one inside of retired code. If no thread is inside,
//! [`Tracker::retire`](crate::Tracker::retire) reclaims at once. Redirecting a stub does not,
//! because it must stay cheap: the next thread that leaves does.
//!
//! Entering is two stores and no fence, because it is a part of each call. The thread that reclaims
//! makes all other threads execute a fence instead, by Linux's `membarrier`. Without that system
//! call, entering and leaving have a fence. As in userspace RCU (liburcu, `src/urcu-memb.c`).

use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The current epoch. The value 0 in a record means that its thread is outside.
static EPOCH: AtomicU64 = AtomicU64::new(1);
/// Threads that entered in this epoch or before try to reclaim when they leave. Zero if nothing is
/// retired.
static RECLAIM_UNTIL: AtomicU64 = AtomicU64::new(0);
/// Whether entering and leaving must have a fence. Cleared before the first record is in the list.
static NEEDS_FENCE: AtomicBool = AtomicBool::new(true);
static RECORDS: Mutex<Vec<&'static Record>> = Mutex::new(Vec::new());
static RETIRED: Mutex<Vec<Retired>> = Mutex::new(Vec::new());

/// A thread's place in the list of threads.
struct Record {
    /// The epoch in which the thread entered, or 0.
    epoch: AtomicU64,
    is_used: AtomicBool,
}

struct Retired {
    /// The epoch that the retirement ended.
    epoch: u64,
    owner: Owner,
}

/// What keeps code in memory.
pub(crate) type Owner = Arc<dyn Any + Send + Sync>;

struct Local {
    record: Cell<Option<&'static Record>>,
    depth: Cell<u32>,
}

thread_local! {
    /// Without a destructor, so that functions can be called while the thread ends.
    static LOCAL: Local = const { Local { record: Cell::new(None), depth: Cell::new(0) } };
    /// Releases the record for another thread when this one ends.
    static AT_END: ReleaseRecord = const { ReleaseRecord };
}

struct ReleaseRecord;

impl Drop for ReleaseRecord {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            if local.depth.get() == 0
                && let Some(record) = local.record.take()
            {
                record.is_used.store(false, Ordering::Release);
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This thread is inside until the value is dropped.
pub(crate) struct Inside(PhantomData<*const ()>);

#[inline]
pub(crate) fn enter() -> Inside {
    LOCAL.with(|local| {
        let depth = local.depth.get();
        local.depth.set(depth + 1);
        if depth == 0 {
            let record = local.record.get().unwrap_or_else(|| register(local));
            record.epoch.store(EPOCH.load(Ordering::Acquire), Ordering::Relaxed);
            fence_if_needed();
        }
    });
    Inside(PhantomData)
}

/// Orders what this thread stores in its record before what it reads afterwards. The thread that
/// reclaims has the other fence.
#[inline]
fn fence_if_needed() {
    if NEEDS_FENCE.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        LOCAL.with(|local| {
            // Saturating, for a stack that was resumed on another thread.
            let depth = local.depth.get().saturating_sub(1);
            local.depth.set(depth);
            if depth == 0
                && let Some(record) = local.record.get()
            {
                let epoch = record.epoch.load(Ordering::Relaxed);
                record.epoch.store(0, Ordering::Release);
                // Either this thread sees what is retired, or the other one sees that it has left.
                fence_if_needed();
                if RECLAIM_UNTIL.load(Ordering::Relaxed) >= epoch {
                    reclaim();
                }
            }
        });
    }
}

#[cold]
fn register(local: &Local) -> &'static Record {
    let mut records = lock(&RECORDS);
    if records.is_empty() && membarrier::register() {
        NEEDS_FENCE.store(false, Ordering::Relaxed);
    }
    let free = records.iter().find(|record| !record.is_used.swap(true, Ordering::Acquire));
    let record = match free {
        Some(record) => record,
        None => {
            let new = Record { epoch: AtomicU64::new(0), is_used: AtomicBool::new(true) };
            let new: &'static Record = Box::leak(Box::new(new));
            records.push(new);
            new
        }
    };
    local.record.set(Some(record));
    // A thread that is already ending keeps its record.
    let _ = AT_END.try_with(|_| ());
    record
}

/// Drops `owner` when no thread can be inside its code. No stub leads to the code any more.
///
/// Allocates memory only if more owners wait than ever before.
pub(crate) fn retire(owner: Owner) {
    let mut retired = lock(&RETIRED);
    let epoch = EPOCH.fetch_add(1, Ordering::AcqRel);
    RECLAIM_UNTIL.store(epoch + 1, Ordering::Relaxed);
    let address = Arc::as_ptr(&owner).addr();
    let known = retired.iter_mut().find(|known| Arc::as_ptr(&known.owner).addr() == address);
    match known {
        Some(known) => known.epoch = epoch,
        None => {
            retired.push(Retired { epoch, owner });
            return;
        }
    }
    drop(retired);
    // Outside of the lock: it may be the last owner.
    drop(owner);
}

/// Drops the owners of code that no thread can be inside of. Returns the number of those that wait.
/// If the system refuses the fence, these are all.
#[cold]
pub(crate) fn reclaim() -> usize {
    let epoch_before = EPOCH.load(Ordering::Acquire);
    {
        let retired = lock(&RETIRED);
        if retired.is_empty() {
            RECLAIM_UNTIL.store(0, Ordering::Relaxed);
            return 0;
        }
    }
    // Locked before the flag is read: a thread whose record is not in the list enters later, and
    // the flag is what those in the list have seen.
    let records = lock(&RECORDS);
    if NEEDS_FENCE.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    } else if !membarrier::execute_everywhere() {
        drop(records);
        let retired = lock(&RETIRED);
        // Threads that leave do not try again. The next retirement does.
        RECLAIM_UNTIL.store(0, Ordering::Relaxed);
        return retired.len();
    }
    let inside =
        records.iter().map(|record| record.epoch.load(Ordering::Acquire)).filter(|&epoch| epoch != 0).min();
    drop(records);
    let until = inside.unwrap_or(u64::MAX).min(epoch_before);
    loop {
        let mut retired = lock(&RETIRED);
        let Some(idx) = retired.iter().position(|retired| retired.epoch < until) else {
            let newest = retired.iter().map(|retired| retired.epoch).max();
            // What was retired after this call began is left to those that are inside.
            if newest.is_none_or(|newest| newest < epoch_before) {
                RECLAIM_UNTIL.store(newest.unwrap_or(0), Ordering::Relaxed);
            }
            return retired.len();
        };
        let owner = retired.swap_remove(idx).owner;
        drop(retired);
        // Outside of the lock: this frees code.
        drop(owner);
    }
}

/// Linux's system call that makes all threads of the process execute a fence.
#[cfg(target_os = "linux")]
mod membarrier {
    use std::ffi::{c_int, c_long, c_uint};

    use crate::arch;

    // SAFETY: the signature is that of the C library.
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    const PRIVATE_EXPEDITED: c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: c_int = 1 << 4;

    fn request(command: c_int) -> bool {
        let Some(number) = arch::MEMBARRIER else { return false };
        let flags: c_uint = 0;
        let cpu: c_int = 0;
        // SAFETY: the call takes no pointers and changes no memory.
        unsafe { syscall(number, command, flags, cpu) == 0 }
    }

    /// Whether the system has the call, for this process from now on.
    pub(super) fn register() -> bool {
        request(REGISTER_PRIVATE_EXPEDITED)
    }

    /// Makes each running thread of the process execute a fence. Returns whether it did: a sandbox
    /// may refuse the call after the registration.
    pub(super) fn execute_everywhere() -> bool {
        request(PRIVATE_EXPEDITED)
    }
}

#[cfg(not(target_os = "linux"))]
mod membarrier {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn execute_everywhere() -> bool {
        false
    }
}
