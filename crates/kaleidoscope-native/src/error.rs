//! What can go wrong when stubs are made, code is stored and calls are prepared: the system gives no memory or no thread,
//! or the ids are used up.

use std::fmt;

use rustix::io::Errno;

/// An error of a pool, of a memory for code, or of the preparations for a call.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<Errno>,
}

/// The sort of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system refused to map memory.
    StubMemory,
    /// The system refused to make filled pages executable.
    StubProtection,
    /// All 2³² ids of a pool are used.
    StubIds,
    /// The system gave no memory for code.
    CodeMemory,
    /// The system refused to map a guest stack.
    GuestStack,
    /// The system refused an alternate stack for handlers of signals.
    SignalStack,
    /// The system refused a thread that watches over deadlines.
    DeadlineThread,
    /// The thread that calls is ending, and has taken down what it needs for that.
    ThreadEnding,
}

impl Error {
    pub(crate) fn map(source: Errno) -> Self {
        Self { kind: ErrorKind::StubMemory, source: Some(source) }
    }

    pub(crate) fn protect(source: Errno) -> Self {
        Self { kind: ErrorKind::StubProtection, source: Some(source) }
    }

    pub(crate) fn full() -> Self {
        Self { kind: ErrorKind::StubIds, source: None }
    }

    pub(crate) fn code(source: Errno) -> Self {
        Self { kind: ErrorKind::CodeMemory, source: Some(source) }
    }

    pub(crate) fn code_file(source: &std::io::Error) -> Self {
        Self { kind: ErrorKind::CodeMemory, source: Errno::from_io_error(source) }
    }

    pub(crate) fn stack(source: Errno) -> Self {
        Self { kind: ErrorKind::GuestStack, source: Some(source) }
    }

    pub(crate) fn signal_stack(source: Errno) -> Self {
        Self { kind: ErrorKind::SignalStack, source: Some(source) }
    }

    pub(crate) fn watch(source: &std::io::Error) -> Self {
        Self { kind: ErrorKind::DeadlineThread, source: Errno::from_io_error(source) }
    }

    pub(crate) fn thread_ends() -> Self {
        Self { kind: ErrorKind::ThreadEnding, source: None }
    }

    /// The sort of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::StubMemory => "cannot map memory for a pool of stubs",
            ErrorKind::StubProtection => "cannot make a pool of stubs executable",
            ErrorKind::StubIds => "a pool of stubs has used all its ids",
            ErrorKind::CodeMemory => "cannot get memory for code",
            ErrorKind::GuestStack => "cannot map a stack for generated code",
            ErrorKind::SignalStack => "cannot set up an alternate stack for handlers of signals",
            ErrorKind::DeadlineThread => "cannot start the thread that watches over deadlines",
            ErrorKind::ThreadEnding => "a thread that is ending makes no guarded calls",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|errno| errno as &(dyn std::error::Error + 'static))
    }
}
