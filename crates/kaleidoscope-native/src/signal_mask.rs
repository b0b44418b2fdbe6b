//! The signal mask of a thread: the host may have blocked the signals of this crate.

use crate::previous_handler::{BUS, FLOAT, INTERRUPT, SEGMENTATION};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Unblocks the signals of this crate in this thread.
pub(crate) fn unblock() {
    let mut ours = MaybeUninit::uninit();
    // SAFETY: writes an empty set.
    unsafe { libc::sigemptyset(ours.as_mut_ptr()) };
    for handler in [&SEGMENTATION, &BUS, &FLOAT, &INTERRUPT] {
        // SAFETY: the set has been written.
        unsafe { libc::sigaddset(ours.as_mut_ptr(), handler.signal()) };
    }
    // SAFETY: the set has been written.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, ours.as_ptr(), null_mut()) };
}
