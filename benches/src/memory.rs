//! Memory of this process, as Linux reports it.

use std::fs;

/// Returns the resident memory of this process in bytes.
///
/// # Panics
/// If `/proc` is missing or has another format.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line =
        status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel reports the resident size");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB");
    kib << 10
}

/// Returns the number of memory mappings of this process.
///
/// # Panics
/// If `/proc` is missing or has another format.
pub fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").expect("Linux has /proc").lines().count()
}
