//! AddressSanitizer: runs the tests of the crates with unsafe code under it.
//!
//! The sanitizer finds accesses to freed memory and beyond the end of memory, in Rust and in the
//! C++ files of llvm-orc, and leaks at the end of a process. LLVM itself and generated code are
//! not instrumented: the sanitizer only sees their allocations. It needs a nightly toolchain, so
//! it is not a part of `./check`.

use crate::nightly;

/// The target that the sanitizer's runtime supports. Naming it keeps the sanitizer out of build
/// scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The packages to test.
const PACKAGES: &[&str] = &["kaleidoscope-native", "kaleidoscope-jit", "llvm-orc"];

/// Flags for the C++ files. With the macro, LLVM's headers mark memory as forbidden until they
/// allocate it. LLVM's libraries are not instrumented and allocate it without a mark.
const CXXFLAGS: &str = "-fsanitize=address -fno-omit-frame-pointer -U__SANITIZE_ADDRESS__";

/// The sanitizer keeps freed memory from use for a while, so that it sees late accesses: 256 MiB by
/// default, which would hide what the tests of resident memory measure. 1 MiB stays within their
/// bounds.
const ASAN_OPTIONS: &str = "quarantine_size_mb=1:thread_local_quarantine_size_kb=16";

/// Runs the tests. The sanitizer prints its findings.
///
/// # Errors
///
/// If a program is missing or tests fail.
pub(crate) fn run() -> Result<(), String> {
    let mut cargo = nightly::cargo()?;
    cargo.args(["test", "--quiet", "--tests", "--target", TARGET]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo.env("RUSTFLAGS", "-Zsanitizer=address");
    cargo.env(format!("CXXFLAGS_{}", TARGET.replace('-', "_")), CXXFLAGS);
    cargo.env("ASAN_OPTIONS", ASAN_OPTIONS);
    let status = cargo.status().map_err(|error| format!("rustup cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the tests under AddressSanitizer: {status}")) }
}
