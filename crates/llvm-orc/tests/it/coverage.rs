//! `COVERAGE.md` lists exactly the functions of LLVM's C API for ORC, and which ones this crate
//! uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Functions of llvm-sys's bindings, and whether this crate's source names them.
fn functions() -> BTreeMap<String, bool> {
    let mut source = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    let words: Vec<_> = source.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut bindings = String::new();
    read_all(&llvm_sys().join("src/orc2"), &mut bindings);
    let names = bindings.split("pub fn ").skip(1).filter_map(|rest| rest.split('(').next());
    names.map(|name| (name.to_owned(), words.contains(&name))).collect()
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            *text += &fs::read_to_string(path).unwrap();
        }
    }
}

/// Source folder of the llvm-sys that this crate is built with.
fn llvm_sys() -> PathBuf {
    let version = stdout_of(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let (llvm, folder) =
        if cfg!(feature = "llvm23-1") { ("llvm23-1", "/llvm-sys-23") } else { ("llvm22-1", "/llvm-sys-22") };
    // Dependencies of other platforms may not be downloaded, so the platform is named.
    let text = stdout_of(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", host])
            .args(["--no-default-features", "--features", llvm])
            .current_dir(env!("CARGO_MANIFEST_DIR")),
    );
    let manifests = text.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let of_llvm_sys = |path: &&str| path.contains(folder);
    let manifest = manifests.into_iter().find(of_llvm_sys).expect("llvm-sys is a dependency");
    Path::new(manifest).parent().unwrap().to_owned()
}

fn stdout_of(command: &mut Command) -> String {
    let output = test_process::output(command, b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_tables_list_every_function() {
    let functions = functions();
    assert!(functions.len() > 90, "{functions:?}");
    let table = include_str!("../../COVERAGE.md");
    let mut rows = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, user, reason, _] = cells[..] else { panic!("{row}") };
        assert_ne!(user.is_empty(), reason.is_empty(), "exactly one cell: {row}");
        let duplicate = rows.insert(name.trim_matches('`').to_owned(), !user.is_empty());
        assert!(duplicate.is_none(), "duplicate: {row}");
    }
    for (name, used) in &functions {
        match rows.remove(name) {
            None => panic!("COVERAGE.md does not list {name}"),
            Some(listed_as_used) => {
                assert_eq!(listed_as_used, *used, "{name}: COVERAGE.md and the source differ");
            }
        }
    }
    assert!(rows.is_empty(), "functions that do not exist: {rows:?}");
}
