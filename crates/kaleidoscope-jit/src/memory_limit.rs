//! The memory limit of the process's control group, as containers set it. The system ends a process
//! that exceeds it, without an error that the process could handle.
//!
//! Reads the files of control groups of both versions. Where they cannot be read, no limit is
//! known.

use std::fs;
use std::path::Path;

/// The lowest memory limit in bytes of the control groups that this process is in.
pub(crate) fn of_this_process() -> Option<usize> {
    lowest(&fs::read_to_string("/proc/self/cgroup").ok()?, Path::new("/sys/fs/cgroup"))
}

/// The lowest limit, for the text of `/proc/self/cgroup`.
fn lowest(groups: &str, mounted_at: &Path) -> Option<usize> {
    groups.lines().filter_map(|line| of_group(line, mounted_at)).min()
}

/// The limit of a line `number:controllers:path`. A limit of a group holds for all groups in it.
fn of_group(line: &str, mounted_at: &Path) -> Option<usize> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (top, file) = match controllers {
        "" => (mounted_at.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (mounted_at.join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let group = top.join(path.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|group| group.starts_with(&top));
    // The word `max` is no limit. Neither is a number that no memory has.
    let limits = groups.filter_map(|group| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok());
    limits.min()
}

#[cfg(test)]
mod tests;
