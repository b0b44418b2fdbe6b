//! `docs/cli.md` has the options that `--help` has, and no others.

use crate::command::run;
use std::collections::BTreeSet;

/// The long and short options that a text of help lists.
fn options_of_help(args: &[&str]) -> BTreeSet<String> {
    let help = run(args).stdout;
    let options = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    // The description follows behind two spaces.
    let options = options.filter_map(|line| line.split("  ").next());
    options.flat_map(names).filter(|name| !["-h", "--help", "-V", "--version"].contains(&&**name)).collect()
}

/// The options in the first column of the tables in a section of the document.
fn options_of_section(document: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = document.split_once(heading).expect("the section exists");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once(" |")).flat_map(|(cell, _)| names(cell)).collect()
}

/// The words of a line that are options.
fn names(line: &str) -> BTreeSet<String> {
    let words = line.split([' ', ',', '`', '[', '=']);
    words.filter(|word| word.starts_with('-') && word.len() > 1).map(str::to_owned).collect()
}

#[test]
fn options_are_documented() {
    let document = include_str!("../../../../docs/cli.md");
    assert_eq!(options_of_help(&["run", "-h"]), options_of_section(document, "## Options of `run`"));
    let of_others = &options_of_help(&["emit", "-h"]) | &options_of_help(&["check", "-h"]);
    assert_eq!(of_others, options_of_section(document, "## Options of `emit` and `check`"));
    assert_eq!(options_of_help(&["build", "-h"]), options_of_section(document, "## Options of `build`"));
}
