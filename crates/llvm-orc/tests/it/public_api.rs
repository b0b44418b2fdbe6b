//! `public-api.txt` lists the public API, so that reviews show each change. `BLESS=1` updates the
//! file.
//!
//! The list is read from the source text, whose form `cargo fmt` guarantees: `pub` items at the
//! start of a line, members of public types, variants, trait members, derives and
//! `#[non_exhaustive]`. Only items of types that `lib.rs` exports are listed.

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

/// The types that `lib.rs` exports.
fn exported(root: &str) -> Vec<String> {
    let uses = root.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(|path| {
        let names = path.split("::").last().unwrap_or_default();
        names.trim_matches(['{', '}', '\n']).split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    })
    .filter(|name| !name.is_empty())
    .collect()
}

/// The type that an item or `impl` belongs to.
fn subject(header: &str) -> &str {
    let rest = header.rsplit(" for ").next().unwrap_or_default();
    let rest = rest.strip_prefix("impl").unwrap_or(rest);
    // `impl<F: Function> Symbol<'_, F>`: skips the generic parameters.
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

/// Joins the lines of an item, up to the start of its code or its end.
fn join_lines<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>, ends: &[char]) -> String {
    let mut joined = first.to_owned();
    while !joined.ends_with(ends) || joined.matches('(').count() > joined.matches(')').count() {
        joined += " ";
        joined += lines.next().expect("an item has an end").trim();
    }
    joined
}

/// The public part of an item: without code, value and private fields.
fn public_part(item: &str) -> &str {
    let end = match () {
        () if item.starts_with("pub struct ") && !item.contains("(pub ") => item.find(['(', '{']),
        () if item.starts_with("pub const ") && !item.starts_with("pub const fn ") => item.find(" = "),
        () => item.find(" {"),
    };
    item[..end.unwrap_or(item.len())].trim_end_matches([';', ',', ' '])
}

fn starts(item: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| item.starts_with(prefix))
}

/// Whether a line in `owner` starts a public member.
fn is_member(owner: &str, item: &str) -> bool {
    match owner.split_once(' ') {
        Some(("enum", _)) => item.starts_with(char::is_uppercase),
        Some(("struct", _)) => starts(item, &["pub "]),
        Some(("trait", _)) => starts(item, &["fn ", "unsafe fn ", "type ", "const "]),
        _ => starts(item, &["pub fn ", "pub unsafe fn ", "pub const "]),
    }
}

/// The public items of one file, one per line.
fn items(text: &str, exported: &[String], found: &mut Vec<String>) {
    // The type of the current definition or `impl`. A definition also has its keyword.
    let mut owner: Option<String> = None;
    let mut attributes = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        let depth = line.len() - item.len();
        if depth == 4
            && let Some(owner) = owner.as_deref().filter(|owner| is_member(owner, item))
        {
            let ends: &[char] = if owner.contains(' ') { &[',', ';', '{', '}'] } else { &['{', ';', '}'] };
            let mut member = join_lines(item, &mut lines, ends);
            if member.ends_with('{') && owner.starts_with("enum ") {
                // The fields of a variant are public.
                member = join_lines(&member, &mut lines, &['}']);
                found.push(format!("{owner}: {member}"));
                continue;
            }
            found.push(format!("{owner}: {}", public_part(&member)));
        } else if depth == 0 && starts(item, &["#[derive(", "#[non_exhaustive]"]) {
            attributes.push(join_lines(item, &mut lines, &[']']));
        } else if depth == 0
            && starts(item, &["impl", "pub struct ", "pub enum ", "pub trait ", "pub const "])
        {
            let header = join_lines(item, &mut lines, &['{', ';', '}']);
            let about = subject(public_part(&header));
            let attributes = std::mem::take(&mut attributes);
            if !exported.iter().any(|name| name == about) {
                continue;
            }
            let is_impl = header.starts_with("impl");
            if !is_impl || header.contains(" for ") {
                found.push(public_part(&header).to_owned());
            }
            found.extend(attributes.iter().map(|attribute| format!("{about}: {attribute}")));
            if header.ends_with('{') && !(is_impl && header.contains(" for ")) {
                let kind = header.split(' ').nth(1).filter(|_| !is_impl);
                owner = Some(kind.map_or(about.to_owned(), |kind| format!("{kind} {about}")));
            }
        } else if depth == 0 && !item.is_empty() && !item.starts_with(['/', '#']) {
            owner = None;
            attributes.clear();
        }
    }
}

#[test]
fn the_list_of_public_items_is_up_to_date() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exported = exported(&fs::read_to_string(crate_root.join("src/lib.rs")).unwrap());
    assert!(exported.iter().any(|name| name == "Responsibility"), "{exported:?}");
    let mut files = Vec::new();
    rust_files(&crate_root.join("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        items(&fs::read_to_string(file).unwrap(), &exported, &mut found);
    }
    found.sort();
    let now = found.join("\n") + "\n";
    let list = crate_root.join("public-api.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&list, &now).unwrap();
    }
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let added: Vec<_> = now.lines().filter(|line| !listed.lines().any(|known| known == *line)).collect();
    let removed: Vec<_> = listed.lines().filter(|line| !now.lines().any(|known| known == *line)).collect();
    assert!(
        added.is_empty() && removed.is_empty(),
        "public-api.txt differs (BLESS=1 updates it)\nadded: {added:#?}\nremoved: {removed:#?}"
    );
}
