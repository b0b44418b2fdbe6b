//! `public-api.txt` lists what the crate offers, so that a change to it is seen in review. `BLESS=1` writes it anew.
//!
//! Read from the source by its form, which `cargo fmt` sees to: what is `pub` at the beginning of a line, in an `impl` or a
//! type that is, in a module whose items `lib.rs` gives out; the variants of enums, the members of traits; and what is
//! derived, and whether more may come.

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

/// The item that begins with this line, on one line: up to where its body begins, or its end.
fn whole<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>, ends: &[char]) -> String {
    let mut whole = first.to_owned();
    while !whole.ends_with(ends) || whole.matches('(').count() > whole.matches(')').count() {
        whole += " ";
        whole += lines.next().expect("an item has an end").trim();
    }
    whole
}

/// What an item offers: without its body, its value and its private fields.
fn offered(whole: &str) -> &str {
    let end = match () {
        () if whole.starts_with("pub struct ") && !whole.contains("(pub ") => whole.find(['(', '{']),
        () if whole.starts_with("pub const ") && !whole.starts_with("pub const fn ") => whole.find(" = "),
        () => whole.find(" {"),
    };
    whole[..end.unwrap_or(whole.len())].trim_end_matches([';', ',', ' '])
}

fn starts(item: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| item.starts_with(prefix))
}

/// Whether the line in the body of `owner` begins something that it offers.
fn is_member(owner: &str, item: &str) -> bool {
    match owner.split_once(' ') {
        Some(("enum", _)) => item.starts_with(char::is_uppercase),
        Some(("struct", _)) => starts(item, &["pub "]),
        Some(("trait", _)) => starts(item, &["fn ", "unsafe fn ", "type ", "const "]),
        _ => starts(item, &["pub fn ", "pub unsafe fn ", "pub const "]),
    }
}

/// The public items of one file, a line each.
fn items(text: &str, given_out: &[String], found: &mut Vec<String>) {
    // The type whose body or `impl` this is, with the word before it if it is its body.
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
            let mut member = whole(item, &mut lines, ends);
            if member.ends_with('{') && owner.starts_with("enum ") {
                // The fields of a variant are public.
                member = whole(&member, &mut lines, &['}']);
                found.push(format!("{owner}: {member}"));
                continue;
            }
            found.push(format!("{owner}: {}", offered(&member)));
        } else if depth == 0 && starts(item, &["#[derive(", "#[non_exhaustive]"]) {
            attributes.push(whole(item, &mut lines, &[']']));
        } else if depth == 0
            && starts(item, &["impl", "pub struct ", "pub enum ", "pub trait ", "pub const "])
        {
            let header = whole(item, &mut lines, &['{', ';', '}']);
            let about = subject(offered(&header));
            let attributes = std::mem::take(&mut attributes);
            if !given_out.iter().any(|name| name == about) {
                continue;
            }
            let is_impl = header.starts_with("impl");
            if !is_impl || header.contains(" for ") {
                found.push(offered(&header).to_owned());
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
