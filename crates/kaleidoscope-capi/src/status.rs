//! The status that most functions of the library return.

/// The result of a call of this library.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_status {
    /// Success.
    KLS_OK = 0,
    /// An argument is invalid: it is `NULL`, too large, or of a newer version of this library.
    KLS_INVALID_ARGUMENT = 1,
    /// A text is not UTF-8.
    KLS_NOT_UTF8 = 2,
    /// The operating system refused memory.
    KLS_MEMORY = 3,
    /// No function has the name.
    KLS_UNKNOWN_FUNCTION = 4,
    /// The name is a keyword, or not an identifier.
    KLS_INVALID_NAME = 5,
    /// The program or the formula has errors, which the diagnostics describe.
    KLS_PROGRAM = 6,
    /// A call failed; the code says why.
    KLS_CALL = 7,
    /// kls_engine_interrupt stopped a call.
    KLS_INTERRUPTED = 8,
    /// A call reached its time limit.
    KLS_TIMED_OUT = 9,
    /// An internal error of this library, which was caught.
    KLS_PANIC = 10,
    /// A function or an array has the name already.
    KLS_NAME_IN_USE = 11,
}
