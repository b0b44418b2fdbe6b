//! `public-api.txt` lists what the crate offers, so that a change to it is seen in review. `BLESS=1` writes it anew.
//!
//! Read from the source by its form, which `cargo fmt` sees to: what is `pub` at the beginning of a line, in an `impl` or a
//! trait that is, and in a module whose items `lib.rs` gives out. Variants and public fields are not listed.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The types that `lib.rs` gives out.
fn given_out(root: &str) -> Vec<String> {
    let uses = root.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(|path| {
        let names = path.split("::").last().unwrap_or_default();
        names.trim_matches(['{', '}', '\n']).split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    })
    .filter(|name| !name.is_empty())
    .collect()
}

/// The type that an item or an `impl` is about.
fn subject(header: &str) -> &str {
    let rest = header.rsplit(" for ").next().unwrap_or_default();
    let rest = rest.strip_prefix("impl").unwrap_or(rest);
    // `impl<F: Function> Symbol<'_, F>`: what stands behind the parameters.
    let rest = match rest.strip_prefix('<') {
        Some(rest) => rest.split_once("> ").map_or("", |(_, rest)| rest),
        None => rest,
    };
    let words = rest.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words
        .into_iter()
        .find(|word| !["pub", "struct", "enum", "trait", "const", "unsafe"].contains(word))
        .unwrap_or("")
}

/// The public items of one file, a line each.
fn items(text: &str, given_out: &[String], found: &mut Vec<String>) {
    let mut owner = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        let depth = line.len() - item.len();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| item.starts_with(prefix));
        let is_header =
            depth == 0 && starts(&["impl", "pub struct ", "pub enum ", "pub trait ", "pub const "]);
        let in_trait = owner.as_deref().is_some_and(|owner: &str| owner.starts_with("trait "));
        let is_member = depth == 4
            && (starts(&["pub fn ", "pub unsafe fn ", "pub const "])
                || in_trait && starts(&["fn ", "type "]));
        if !(is_header || is_member && owner.is_some()) {
            if line == "}" {
                owner = None;
            }
            continue;
        }
        let mut whole = item.to_owned();
        while !whole.ends_with(['{', ';', '}']) {
            whole += " ";
            whole += lines.next().unwrap_or_default().trim();
        }
        // Bodies, values and private fields are not what is offered.
        let end = match () {
            () if whole.starts_with("pub struct ") => whole.find(['(', '{']),
            () if whole.starts_with("pub const ") && !whole.starts_with("pub const fn ") => whole.find(" = "),
            () => whole.find(" {"),
        };
        let whole = whole[..end.unwrap_or(whole.len())].trim_end_matches([';', ' ']).to_owned();
        if !is_header {
            found.push(format!("{}: {whole}", owner.as_deref().unwrap_or_default()));
            continue;
        }
        let about = subject(&whole);
        if !given_out.iter().any(|name| name == about) {
            continue;
        }
        if whole.starts_with("pub ") {
            found.push(whole.clone());
        } else if whole.contains(" for ") {
            found.push(whole.clone());
            continue;
        }
        if !line.ends_with([';', '}']) {
            let is_trait = whole.starts_with("pub trait ");
            owner = Some(if is_trait { format!("trait {about}") } else { about.to_owned() });
        }
    }
}

#[test]
fn the_list_of_what_is_public_is_up_to_date() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given_out = given_out(&fs::read_to_string(crate_root.join("src/lib.rs")).unwrap());
    assert!(given_out.iter().any(|name| name == "Responsibility"), "{given_out:?}");
    let mut files = Vec::new();
    rust_files(&crate_root.join("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        items(&fs::read_to_string(file).unwrap(), &given_out, &mut found);
    }
    found.sort();
    let now = found.join("\n") + "\n";
    let list = crate_root.join("public-api.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&list, &now).unwrap();
    }
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let added: Vec<_> = now.lines().filter(|line| !listed.lines().any(|known| known == *line)).collect();
    let gone: Vec<_> = listed.lines().filter(|line| !now.lines().any(|known| known == *line)).collect();
    assert!(
        added.is_empty() && gone.is_empty(),
        "public-api.txt differs (BLESS=1 writes it anew)\nnew: {added:#?}\ngone: {gone:#?}"
    );
}
