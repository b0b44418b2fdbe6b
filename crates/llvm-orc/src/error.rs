//! The crate's one error type, and how LLVM's error values become it.
//!
//! LLVM tells what went wrong by a text, seldom by a type its C API can name. So the kind is decided by the
//! operation that failed, and by the text only where one operation fails in ways a caller must tell apart.

use std::error::Error as StdError;
use std::ffi::{CStr, CString, c_char};
use std::fmt;

use llvm_sys::core::LLVMDisposeMessage;
use llvm_sys::error::{LLVMCreateStringError, LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};

/// A failed operation of this crate.
///
/// [`kind`](Error::kind) says which sort, the text names the culprit, and [`source`](StdError::source) carries
/// what the session reported while the operation ran, if it did: a failed look-up says *that* a symbol could
/// not be linked, its source says why.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    cause: Option<Error>,
}

/// Which sort of operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// LLVM cannot make code for the wanted machine.
    Target,
    /// The text of a pass pipeline is not one.
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
    /// What was asked for went away meanwhile: its tracker was removed.
    Removed,
    /// A name holds a NUL character, which LLVM's C API cannot take.
    Name,
    /// The session failed in another way.
    Session,
}

impl Error {
    /// Which sort of operation failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// An error of one's own, for a [`Materialize`](crate::Materialize) or a transform that fails.
    #[must_use]
    pub fn custom(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
    }

    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), cause: None }))
    }

    pub(crate) fn because(mut self, cause: Option<Error>) -> Error {
        self.0.cause = self.0.cause.or(cause);
        self
    }

    /// An error value of LLVM's with this text, to be given over.
    pub(crate) fn into_raw(self) -> LLVMErrorRef {
        let mut text = self.to_string();
        text.retain(|c| c != '\0');
        let text = CString::new(text).expect("there is no NUL left");
        // SAFETY: the text is ended by NUL, and copied.
        unsafe { LLVMCreateStringError(text.as_ptr()) }
    }

    /// Takes over an error value of LLVM's, `Ok` if it is the null of success.
    ///
    /// # Safety
    /// `raw` is null or an error value nobody else consumes.
    pub(crate) unsafe fn check(raw: LLVMErrorRef, kind: ErrorKind) -> Result<(), Error> {
        if raw.is_null() {
            return Ok(());
        }
        // SAFETY: not null, and by the caller's promise ours to consume.
        let text = unsafe { LLVMGetErrorMessage(raw) };
        // SAFETY: LLVM made this text, which is ended by NUL and lives until it is disposed of below.
        let message = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        // SAFETY: `text` came from `LLVMGetErrorMessage` and is used no more.
        unsafe { LLVMDisposeErrorMessage(text) };
        Err(Error::new(narrow(kind, &message), message))
    }
}

/// The kinds that one operation fails with and a caller must tell apart, by LLVM's text.
fn narrow(kind: ErrorKind, message: &str) -> ErrorKind {
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

/// Takes over a text of LLVM's that has to be given back by `LLVMDisposeMessage`.
///
/// # Safety
/// `text` is null or such a text, and nobody else gives it back.
pub(crate) unsafe fn take_message(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, so by the caller's promise a text ended by NUL.
    let owned = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    // SAFETY: by the caller's promise ours to give back, and used no more.
    unsafe { LLVMDisposeMessage(text) };
    owned
}

/// The name as C wants it.
pub(crate) fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name)
        .map_err(|_| Error::new(ErrorKind::Name, format!("name {name:?} holds a NUL character")))
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
