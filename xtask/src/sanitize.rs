//! The tests of the crates that stand for unsafe code, under AddressSanitizer.
//!
//! It sees what no assertion does: memory used after it was freed or beyond its end, in Rust and in the C++ files of
//! llvm-orc, and when a process ends, memory that nobody can reach any more. LLVM itself and generated code are not
//! instrumented; of them it sees what they allocate and free. Needs a nightly toolchain, so it is no part of `ci`.

use crate::nightly;

/// The one that the sanitizer's runtime is there for. Named, so that build scripts and macros go without it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The packages to test.
const PACKAGES: &[&str] = &["kaleidoscope-native", "llvm-orc"];

/// For the C++ files. The macro makes LLVM's headers mark memory as forbidden until they hand it out; its libraries, which
/// are not instrumented, hand it out without saying so.
const CXXFLAGS: &str = "-fsanitize=address -fno-omit-frame-pointer -U__SANITIZE_ADDRESS__";

/// Freed memory is kept from use for a while, so that a late access is seen: usually 256 MiB of it, in which the tests that
/// look at how resident memory grows would drown. With a little of it they hold the bounds that they hold without.
const ASAN_OPTIONS: &str = "quarantine_size_mb=1:thread_local_quarantine_size_kb=16";

/// Runs the tests; the sanitizer shows what it finds.
///
/// # Errors
///
/// What is missing, or that tests have failed.
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
