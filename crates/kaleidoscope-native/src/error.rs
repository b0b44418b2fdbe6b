//! Errors when stubs or flags are allocated, code is stored, or a guarded call is prepared: the
//! system refused memory or a thread, or the ids are used up.

use std::fmt;

use rustix::io::Errno;

/// An error of a pool of stubs or flags, of code memory, or of the preparation of a guarded call.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<Errno>,
    /// What else is known: a size, or what the loader of libraries said.
    detail: Option<String>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system refused to map memory for stubs.
    StubMemory,
    /// The system refused to make pages of stubs executable.
    StubProtection,
    /// All 2³² stub ids of a pool are used.
    StubIds,
    /// The system refused to map memory for validity flags.
    FlagMemory,
    /// The system refused memory for code.
    CodeMemory,
    /// The system refused to map a guest stack.
    GuestStack,
    /// The system refused an alternate stack for signal handlers.
    SignalStack,
    /// The system refused the thread that enforces deadlines.
    DeadlineThread,
    /// The signal that stops running code does not reach the calling thread, so that no deadline
    /// could be kept.
    InterruptSignal,
    /// The calling thread is ending: its thread-local values are already destroyed.
    ThreadEnding,
    /// The C maths library cannot be loaded.
    MathsLibrary,
    /// The call began before the process was forked, and would continue in the child.
    Forked,
    /// The call would continue while a call that began later on its thread has not ended:
    /// coroutines of one thread alternate.
    OutOfOrder,
}

impl Error {
    pub(crate) fn stub_memory(source: Errno) -> Self {
        Self { kind: ErrorKind::StubMemory, source: Some(source), detail: Some(failed("mmap", source)) }
    }

    pub(crate) fn stub_protection(source: Errno) -> Self {
        Self {
            kind: ErrorKind::StubProtection,
            source: Some(source),
            detail: Some(failed("mprotect", source)),
        }
    }

    pub(crate) fn stub_ids() -> Self {
        Self { kind: ErrorKind::StubIds, source: None, detail: None }
    }

    pub(crate) fn flag_memory(source: Errno) -> Self {
        Self { kind: ErrorKind::FlagMemory, source: Some(source), detail: Some(failed("mmap", source)) }
    }

    /// `call` is the system call that failed.
    pub(crate) fn code_memory(call: &str, source: Errno) -> Self {
        Self { kind: ErrorKind::CodeMemory, source: Some(source), detail: Some(failed(call, source)) }
    }

    pub(crate) fn code_memory_file(source: &std::io::Error) -> Self {
        let detail = format!("write: {source}");
        Self { kind: ErrorKind::CodeMemory, source: Errno::from_io_error(source), detail: Some(detail) }
    }

    pub(crate) fn guest_stack(n_bytes: usize, source: Errno) -> Self {
        let detail = format!("the system refuses {} MiB of address space", n_bytes.div_ceil(1 << 20));
        Self { kind: ErrorKind::GuestStack, source: Some(source), detail: Some(detail) }
    }

    pub(crate) fn signal_stack(source: Errno) -> Self {
        Self { kind: ErrorKind::SignalStack, source: Some(source), detail: None }
    }

    pub(crate) fn deadline_thread(source: &std::io::Error) -> Self {
        let detail = Some(source.to_string());
        Self { kind: ErrorKind::DeadlineThread, source: Errno::from_io_error(source), detail }
    }

    pub(crate) fn interrupt_signal(source: Option<&std::io::Error>) -> Self {
        let detail = source.map(|source| format!("rt_tgsigqueueinfo: {source}"));
        Self { kind: ErrorKind::InterruptSignal, source: source.and_then(Errno::from_io_error), detail }
    }

    pub(crate) fn thread_ending() -> Self {
        Self { kind: ErrorKind::ThreadEnding, source: None, detail: None }
    }

    pub(crate) fn maths_library(loader: String) -> Self {
        Self { kind: ErrorKind::MathsLibrary, source: None, detail: Some(loader) }
    }

    pub(crate) fn forked() -> Self {
        Self { kind: ErrorKind::Forked, source: None, detail: None }
    }

    pub(crate) fn out_of_order() -> Self {
        Self { kind: ErrorKind::OutOfOrder, source: None, detail: None }
    }

    /// Whether the system forbids machine code that is made at run time, as some sandboxes do. More
    /// memory would not help.
    pub fn forbids_code(&self) -> bool {
        matches!(self.kind, ErrorKind::StubProtection | ErrorKind::CodeMemory)
            && matches!(self.source, Some(Errno::ACCESS | Errno::PERM | Errno::NOSYS))
    }

    /// The kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// What the system said to a call.
fn failed(call: &str, source: Errno) -> String {
    format!("{call}: {}", std::io::Error::from(source))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::StubMemory => "cannot map memory for stubs",
            ErrorKind::StubProtection => "cannot make stubs executable",
            ErrorKind::StubIds => "all stub ids of a pool are used",
            ErrorKind::FlagMemory => "cannot map memory for validity flags",
            ErrorKind::CodeMemory => "cannot allocate memory for code",
            ErrorKind::GuestStack => "cannot map a stack for generated code",
            ErrorKind::SignalStack => "cannot set up an alternate stack for signal handlers",
            ErrorKind::DeadlineThread => "cannot start the thread that enforces deadlines",
            ErrorKind::InterruptSignal => {
                "cannot keep time limits: SIGURG, the signal that stops running code, does not arrive"
            }
            ErrorKind::ThreadEnding => "a thread that is ending cannot make guarded calls",
            ErrorKind::Forked => {
                "a call that began before the process was forked cannot continue in the child"
            }
            ErrorKind::OutOfOrder => {
                "a call cannot continue while another one that began later on its thread has not ended"
            }
            ErrorKind::MathsLibrary => "cannot load the C maths library",
        })?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|errno| errno as &(dyn std::error::Error + 'static))
    }
}
