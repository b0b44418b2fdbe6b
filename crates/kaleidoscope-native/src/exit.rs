//! Exit of the process without waiting for other threads.

/// Ends the process at once with this exit code.
///
/// Unlike [`std::process::exit`], flushes nothing and runs neither destructors nor exit handlers.
/// Exit handlers of a library such as LLVM free what another thread may still be using.
pub fn exit_at_once(code: u8) -> ! {
    // SAFETY: `_exit` accepts any code, and no code of this process runs afterwards.
    unsafe { libc::_exit(code.into()) }
}
