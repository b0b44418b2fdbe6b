//! Runs a program as a process and measures its time.

use crate::timing::{processor_time, time};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// Times of a run.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Wall time from before the start of the process until its end: what a person waits.
    pub wall: Duration,
    /// Processor time of all threads of the process, including time in the kernel.
    pub processor: Duration,
}

/// Runs the program and discards its output. This process must have no other child meanwhile.
///
/// # Errors
/// If the program cannot be started.
pub fn run(command: &mut Command) -> io::Result<(Cost, ExitStatus)> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut status = None;
    let mut wall = Duration::ZERO;
    let processor = processor_time(&mut || wall = time(&mut || status = Some(command.status())));
    let status = status.expect("the closure ran")?;
    Ok((Cost { wall, processor }, status))
}
