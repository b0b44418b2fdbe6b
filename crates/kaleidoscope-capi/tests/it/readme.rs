//! The tables of the README and the classes for C++ have every function of the header.

use crate::library::SONAME;

/// The functions of the header.
fn functions() -> Vec<&'static str> {
    let header = include_str!("../../include/kaleidoscope.h");
    let words = header.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(');
    let functions = words.filter_map(|word| word.split_once('(').map(|(name, _)| name));
    let functions: Vec<_> = functions.filter(|name| name.starts_with("kls_")).collect();
    assert!(functions.len() > 40, "{functions:?}");
    functions
}

#[test]
fn the_readme_names_every_function() {
    let readme = include_str!("../../README.md");
    for function in functions() {
        assert!(readme.contains(&format!("`{function}`")), "README.md does not speak of {function}");
    }
}

/// What the classes do by other functions.
const NOT_IN_CLASSES: [&str; 3] = ["kls_function_map", "kls_formulas_map", "kls_variable_place"];

#[test]
fn the_classes_use_every_function() {
    let classes = include_str!("../../include/kaleidoscope.hpp");
    let words: Vec<_> = classes.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for function in functions() {
        let is_used = words.contains(&function);
        assert_eq!(is_used, !NOT_IN_CLASSES.contains(&function), "{function} in kaleidoscope.hpp");
    }
}

#[test]
fn the_readme_names_the_installed_files_of_this_version() {
    let readme = include_str!("../../README.md");
    for name in [SONAME, concat!("libkaleidoscope.so.", env!("CARGO_PKG_VERSION"))] {
        assert!(readme.contains(&format!("`lib/{name}`")), "README.md does not speak of {name}");
    }
}
