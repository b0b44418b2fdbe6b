//! Control groups of both versions, in a folder of the test.

use super::lowest;
use std::fs;
use std::path::Path;

fn write(top: &Path, file: &str, text: &str) {
    let file = top.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn the_lowest_limit_of_nested_groups_counts() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    assert_eq!(lowest("0::/a/b\n", top), None);
    write(top, "a/b/memory.max", "max\n");
    assert_eq!(lowest("0::/a/b\n", top), None);
    write(top, "a/memory.max", "104857600\n");
    assert_eq!(lowest("0::/a/b\n", top), Some(100 << 20));
    write(top, "a/b/memory.max", "1048576\n");
    assert_eq!(lowest("0::/a/b\n", top), Some(1 << 20));
    // A container that sees its own group as the root.
    write(top, "memory.max", "4096\n");
    assert_eq!(lowest("0::/\n", top), Some(4096));
}

#[test]
fn version_1_names_the_controller() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    write(top, "memory/a/memory.limit_in_bytes", "2097152\n");
    write(top, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    let groups = "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n";
    assert_eq!(lowest(groups, top), Some(2 << 20));
    assert_eq!(lowest("5:cpu:/a\n", top), None);
    assert_eq!(lowest("nonsense", top), None);
}
