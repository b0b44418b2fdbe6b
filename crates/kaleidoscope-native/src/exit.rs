//! The end of the process, when other threads are not to be waited for.

/// Ends the process at once with this exit code. Nothing is flushed, and neither destructors nor handlers run, which is the
/// difference from [`std::process::exit`]: what a library takes down at the end, as LLVM does, another thread may be in the midst
/// of using.
pub fn exit_at_once(code: u8) -> ! {
    // SAFETY: any code will do, and nobody is left who could miss what is not done.
    unsafe { libc::_exit(code.into()) }
}
