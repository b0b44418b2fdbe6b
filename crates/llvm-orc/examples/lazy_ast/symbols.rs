//! Linker names of the example's functions.

/// Name of a function's code. The function's own name is that of its stub.
pub(crate) fn code(name: &str) -> String {
    format!("{name}$impl")
}
