//! The crate's error type, and its conversion from and to LLVM's error values.
//!
//! LLVM describes most failures by text only, without a type that its C API can name. Therefore the
//! failed operation decides the [`ErrorKind`]. The text decides only where one operation fails in
//! ways that a caller must distinguish.

use std::error::Error as StdError;
use std::ffi::{CStr, CString, c_char};
use std::fmt;

use llvm_sys::core::LLVMDisposeMessage;
use llvm_sys::error::{LLVMCreateStringError, LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};

use crate::out_of_memory::InsideLlvm;

/// A failed operation of this crate.
///
/// - [`kind`](Error::kind) is the category.
/// - The text names the culprit.
/// - [`source`](StdError::source) is what the session reported while the operation ran, if
///   anything. A failed look-up's text says *that* a symbol could not be linked, its source says
///   why.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    cause: Option<Error>,
    /// The symbols that the failure is about, each with its dylib's address.
    failed_symbols: Vec<(usize, String)>,
}

/// Category of a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// LLVM has no code generator or linker for the target.
    Target,
    /// The text is not a valid pass pipeline.
    Pipeline,
    /// A module is malformed or belongs to another context.
    Module,
    /// LLVM could not turn a well-formed module into machine code.
    Codegen,
    /// The bytes are not an object file that can be linked here.
    Object,
    /// A library or an archive cannot be read.
    Library,
    /// The name is defined already.
    Duplicate,
    /// No symbol of that name is defined.
    NotFound,
    /// The symbol is defined but could not be linked.
    Link,
    /// The symbol's tracker was removed during the operation.
    Removed,
    /// A name contains a NUL character, which LLVM's C API does not accept.
    Name,
    /// The process is ending: nothing is compiled any more.
    ProcessExit,
    /// There is no memory, and LLVM could report it. Otherwise the process ends.
    OutOfMemory,
    /// Any other failure of the session.
    Session,
}

impl Error {
    /// The category of the failed operation.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// An error of the embedding program, for a [`Materialize`](crate::Materialize) or a transform
    /// that fails.
    #[must_use]
    pub fn custom(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
    }

    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), cause: None, failed_symbols: Vec::new() }))
    }

    /// For a null pointer of LLVM that says so.
    #[cold]
    pub(crate) fn out_of_memory() -> Error {
        Error::new(ErrorKind::OutOfMemory, "out of memory")
    }

    pub(crate) fn with_cause(mut self, cause: Option<Error>) -> Error {
        let inner = &mut *self.0;
        if inner.cause.is_none() {
            inner.cause = cause;
            inner.name_undefined_symbols();
        }
        self
    }

    /// The cause, without the causes of the cause.
    pub(crate) fn cause(&self) -> Option<Error> {
        self.0.cause.as_ref().map(Error::without_cause)
    }

    /// The same error, without its cause.
    pub(crate) fn without_cause(&self) -> Error {
        Error::new(self.0.kind, self.0.message.clone())
    }

    #[cfg(feature = "shim")]
    pub(crate) fn with_failed_symbols(mut self, symbols: Vec<(usize, String)>) -> Error {
        self.0.failed_symbols = symbols;
        self
    }

    pub(crate) fn take_failed_symbols(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.0.failed_symbols)
    }

    /// Converts to an LLVM error value with the same text. The receiver must consume the value.
    pub(crate) fn into_raw(self) -> LLVMErrorRef {
        let _inside = InsideLlvm::enter();
        let mut text = self.to_string();
        text.retain(|c| c != '\0');
        let text = CString::new(text).expect("all NUL characters were removed");
        // SAFETY: the text is NUL-terminated, and LLVM copies it.
        unsafe { LLVMCreateStringError(text.as_ptr()) }
    }

    /// Consumes an LLVM error value. Null means success and gives `Ok`.
    ///
    /// # Safety
    /// `raw` is null or an error value that the caller owns.
    pub(crate) unsafe fn check(raw: LLVMErrorRef, kind: ErrorKind) -> Result<(), Error> {
        if raw.is_null() {
            return Ok(());
        }
        // SAFETY: not null, and the caller passes ownership.
        let text = unsafe { LLVMGetErrorMessage(raw) };
        // SAFETY: LLVM created this NUL-terminated text, which lives until the disposal below.
        let message = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        // SAFETY: `text` came from `LLVMGetErrorMessage` and is not used again.
        unsafe { LLVMDisposeErrorMessage(text) };
        Err(Error::new(kind_from_message(kind, &message), message))
    }
}

impl Inner {
    /// Says in the message which symbols are undefined, if they are why a link failed. LLVM names
    /// only the symbols that were to be linked.
    fn name_undefined_symbols(&mut self) {
        if let (ErrorKind::Link, Some(cause)) = (self.kind, &self.cause)
            && let Some(names) = cause.0.message.strip_prefix("Symbols not found: ")
        {
            self.message.push_str(&format!("; undefined: {names}"));
        }
    }
}

/// Narrows the operation's kind where LLVM's text says more.
fn kind_from_message(kind: ErrorKind, message: &str) -> ErrorKind {
    if message.starts_with("Symbols not found") {
        ErrorKind::NotFound
    } else if message.starts_with("Failed to materialize symbols") {
        ErrorKind::Link
    } else if message.starts_with("Duplicate definition of symbol")
        || message.contains("duplicate definition of symbol")
    {
        ErrorKind::Duplicate
    } else if message.starts_with("Resource tracker") && message.contains("defunct") {
        ErrorKind::Removed
    } else {
        kind
    }
}

/// Copies and disposes of a text that LLVM allocated for `LLVMDisposeMessage`.
///
/// # Safety
/// `text` is null or such a text, and the caller owns it.
pub(crate) unsafe fn take_message(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, so the caller guarantees a NUL-terminated text.
    let owned = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    // SAFETY: the caller passes ownership, and the text is not used again.
    unsafe { LLVMDisposeMessage(text) };
    owned
}

/// The name as a C string.
pub(crate) fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name)
        .map_err(|_| Error::new(ErrorKind::Name, format!("name {name:?} contains a NUL character")))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}
