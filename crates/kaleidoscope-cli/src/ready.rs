//! Writing that never waits for a reader longer than it has to.
//!
//! A pipe whose reader does not read blocks whoever writes to it, and nothing in the process can
//! end such a write. So text is written in pieces that the kernel takes at once, and the wait for
//! room between two pieces ends when the command is to stop.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// A pipe that is ready takes as many bytes at once (`PIPE_BUF` of Linux).
const PIECE: usize = 4096;

/// The time between two checks whether the command is to stop, in nanoseconds: short for a person.
const CHECK_NANOSECONDS: i64 = 20_000_000;

/// Why a write ended early: there is no room, and the command is to stop.
pub(crate) const BLOCKED: &str = "no one reads it, and the wait for room was ended";

/// Writes all bytes and flushes. While there is no room, asks whether to stop.
pub(crate) fn write_all(
    mut to: impl Write + AsFd,
    mut bytes: &[u8],
    is_to_stop: impl Fn() -> bool,
) -> io::Result<()> {
    // A regular file takes everything at once.
    let is_file = fstat(&to).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let most = if is_file { usize::MAX } else { PIECE };
    while !bytes.is_empty() {
        if !is_file {
            wait_for_room(&to, &is_to_stop)?;
        }
        match to.write(&bytes[..bytes.len().min(most)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n_written) => bytes = &bytes[n_written..],
            Err(error) if is_temporary(error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    to.flush()
}

/// Someone else may have set the file to fail instead of waiting.
fn is_temporary(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

fn wait_for_room(to: &impl AsFd, is_to_stop: &impl Fn() -> bool) -> io::Result<()> {
    let pause = Timespec { tv_sec: 0, tv_nsec: CHECK_NANOSECONDS };
    loop {
        // A closed pipe is ready, too: the write reports it.
        match poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&pause)) {
            Ok(0) | Err(Errno::INTR) if is_to_stop() => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, BLOCKED));
            }
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
