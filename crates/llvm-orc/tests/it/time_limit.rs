//! Time limits: child processes and threads of a test that hang fail the test.

use std::io::{self, Read};
use std::panic::resume_unwind;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The slowest test takes a few seconds on an idle machine with two cores.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a command to its end and collects its output, like [`Command::output`].
///
/// # Panics
/// When the time limit expires. The process is killed first.
pub(crate) fn output(command: &mut Command) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = read_to_end(child.stdout.take().unwrap());
    let stderr = read_to_end(child.stderr.take().unwrap());
    let texts = stdout.recv_timeout(LIMIT).and_then(|stdout| Ok((stdout, stderr.recv_timeout(LIMIT)?)));
    let Ok((stdout, stderr)) = texts else {
        child.kill()?;
        child.wait()?;
        panic!("{command:?} did not end within {LIMIT:?}");
    };
    Ok(Output { status: child.wait()?, stdout, stderr })
}

/// Reads a pipe on a new thread. The pipe ends when the process ends.
fn read_to_end(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        // The receiver does not exist any more if the time limit expired.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Runs `test` on a new thread and waits for at most [`LIMIT`].
///
/// A test that waits for other threads runs in this function. If the event that it waits for never
/// happens, the test fails instead of blocking the test binary.
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel::<()>();
    let thread = thread::spawn(move || {
        let _disconnects_at_the_end = sender;
        test();
    });
    match receiver.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("the test did not end within {LIMIT:?}"),
        _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}
