//! The machine's part, one file for each architecture: how stubs are encoded, and the assembly around generated code.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) use x86_64::*;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
compile_error!(
    "kaleidoscope-native runs on x86-64 Linux with glibc only: another machine needs a file beside \
     src/arch/x86_64.rs, another C library its name in src/maths.rs, and both somebody who can test them"
);
