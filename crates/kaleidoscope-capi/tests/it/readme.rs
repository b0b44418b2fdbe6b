//! The tables of the README name every function of the header.

#[test]
fn the_readme_names_every_function() {
    let header = include_str!("../../include/kaleidoscope.h");
    let words = header.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(');
    let functions: Vec<_> = words.filter_map(|word| word.split_once('(').map(|(name, _)| name)).collect();
    let functions: Vec<_> = functions.into_iter().filter(|name| name.starts_with("kls_")).collect();
    assert!(functions.len() > 40, "{functions:?}");
    let readme = include_str!("../../README.md");
    for function in functions {
        assert!(readme.contains(&format!("`{function}`")), "README.md does not speak of {function}");
    }
}
