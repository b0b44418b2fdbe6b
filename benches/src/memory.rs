//! How much memory this process has, as Linux tells it.

use std::fs;

/// Resident memory of this process in bytes.
///
/// # Panics
/// Where `/proc` does not tell.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line =
        status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel tells the resident size");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB");
    kib << 10
}

/// How many mappings this process has.
///
/// # Panics
/// Where `/proc` does not tell.
pub fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").expect("Linux has /proc").lines().count()
}
