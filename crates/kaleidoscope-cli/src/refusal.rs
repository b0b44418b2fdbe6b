//! Refusal: why the command cannot begin or read on, as a sentence, and how it ends then.

use crate::Exit;
use std::io;

/// Why something that the command line names cannot be used.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) exit: Exit,
}

impl Refusal {
    /// The command line is wrong.
    pub(crate) fn usage(message: String) -> Self {
        Self { message, exit: Exit::Usage }
    }

    /// A file cannot be used. The command line is wrong, unless the process has no memory or no
    /// file descriptor left.
    pub(crate) fn of_file(message: String, error: &io::Error) -> Self {
        let is_exhausted = error.kind() == io::ErrorKind::OutOfMemory
            || matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE));
        Self { message, exit: if is_exhausted { Exit::Program } else { Exit::Usage } }
    }
}
