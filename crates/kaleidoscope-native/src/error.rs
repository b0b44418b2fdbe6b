//! What can go wrong when stubs are made: the system gives no memory, or the ids are used up.

use std::fmt;

use rustix::io::Errno;

/// An error of a pool.
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
    Map,
    /// The system refused to make filled pages executable.
    Protect,
    /// All 2³² ids of a pool are used.
    Full,
}

impl Error {
    pub(crate) fn map(source: Errno) -> Self {
        Self { kind: ErrorKind::Map, source: Some(source) }
    }

    pub(crate) fn protect(source: Errno) -> Self {
        Self { kind: ErrorKind::Protect, source: Some(source) }
    }

    pub(crate) fn full() -> Self {
        Self { kind: ErrorKind::Full, source: None }
    }

    /// The sort of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Map => "cannot map memory for a pool of stubs",
            ErrorKind::Protect => "cannot make a pool of stubs executable",
            ErrorKind::Full => "a pool of stubs has used all its ids",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|errno| errno as &(dyn std::error::Error + 'static))
    }
}
