//! One run of a program as a whole process, and what it took.

use crate::timing::{processor_time, time};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From before the process was started until it was gone: what a person waits.
    pub wall: Duration,
    /// The processor's time in the process, on all its threads, the kernel's share included.
    pub processor: Duration,
}

/// Runs the program, what it writes thrown away. This process must have no other child meanwhile.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command) -> io::Result<(Cost, ExitStatus)> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut status = None;
    let mut wall = Duration::ZERO;
    let processor = processor_time(&mut || wall = time(&mut || status = Some(command.status())));
    let status = status.expect("it was run")?;
    Ok((Cost { wall, processor }, status))
}
