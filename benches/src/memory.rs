//! Memory of this process: its size, as Linux reports it, and its pages.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

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

/// Starts this program again if its memory is in small pages. NumPy requests large ones for its
/// arrays; contestants in Rust get them by glibc's setting.
pub fn use_large_pages() {
    const SETTING: &str = "GLIBC_TUNABLES";
    if std::env::var_os(SETTING).is_none() {
        let mut again = Command::new(std::env::current_exe().expect("the program has a path"));
        let error = again.args(std::env::args_os().skip(1)).env(SETTING, "glibc.malloc.hugetlb=1").exec();
        eprintln!("small pages are used: {error}");
    }
}
