//! What a command needs of its process: its end without waiting for other threads, and which
//! signals its parent wants it to ignore.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr::null;

/// Ends the process at once with this exit code.
///
/// Unlike [`std::process::exit`], flushes nothing and runs neither destructors nor exit handlers.
/// Exit handlers of a library such as LLVM free what another thread may still be using.
pub fn exit_at_once(code: u8) -> ! {
    // SAFETY: `_exit` accepts any code, and no code of this process runs afterwards.
    unsafe { libc::_exit(code.into()) }
}

/// Whether the process ignores this signal. A command that a shell starts in the background, or by
/// `nohup`, inherits that, and keeps it.
pub fn is_signal_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: changes nothing; the structure is written in full if the result is 0.
    let known = unsafe { libc::sigaction(signal, null(), action.as_mut_ptr()) };
    // SAFETY: written by the call above.
    known == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
