//! Linker names.

/// The name under which a function's body is defined; the function's own name is that of its stub.
pub(crate) fn body(name: &str) -> String {
    format!("{name}$impl")
}
