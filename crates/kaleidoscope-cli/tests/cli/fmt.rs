//! `fmt`: what it changes, and what it leaves.

use crate::command::{run, run_with_input};
use kaleidoscope::lang::format::format;
use kaleidoscope::lang::names::Names;
use kaleidoscope::lang::reader::Reader;
use kaleidoscope::lang::syntax;
use std::fs;
use std::path::Path;

#[test]
fn files_are_formatted_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.kal");
    let name = path.to_str().unwrap();
    fs::write(&path, "def  f(x)\nx+1 ;").unwrap();
    let finished = run(&["fmt", "--check", name]);
    assert_eq!((finished.code, &*finished.stdout), (1, &*format!("{name}\n")));
    assert_eq!(run(&["fmt", name]).code, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "def f(x)\n  x + 1;\n");
    let finished = run(&["fmt", "--check", name]);
    assert_eq!((finished.code, &*finished.stdout), (0, ""));
}

#[test]
fn a_mistake_in_form_leaves_the_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.kal");
    fs::write(&path, "1+ ;").unwrap();
    let finished = run(&["fmt", path.to_str().unwrap()]);
    assert!(finished.code == 1 && finished.stderr.contains("KLS1"), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "1+ ;");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let finished = run_with_input(&["fmt", "-"], b"1+2");
    assert_eq!((finished.code, &*finished.stdout), (0, "1 + 2\n"));
    // The operators of the prelude need no option.
    let finished = run_with_input(&["fmt", "-"], b"while i<3&&! done in i=i+ -1");
    assert_eq!(
        (finished.code, &*finished.stdout),
        (0, "while i < 3 && !done in i = i + -1\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn the_examples_are_formatted() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let names: Vec<_> =
        files(&examples).into_iter().filter(|path| path.extension().is_some_and(|it| it == "kal")).collect();
    let mut args = vec!["fmt", "--check"];
    args.extend(names.iter().map(|path| path.to_str().unwrap()));
    let finished = run(&args);
    assert_eq!((finished.code, &*finished.stdout), (0, ""));
}

/// Case files and examples keep their meaning: the syntax trees are the same.
#[test]
fn case_files_and_examples_keep_their_trees() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut n_files = 0;
    for file in files(&root.join("examples")).into_iter().chain(files(&root.join("tests/cases"))) {
        if file.extension().is_none_or(|extension| extension != "kal") {
            continue;
        }
        // Some are not UTF-8, or have mistakes in form.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let Ok(formatted) = format("case", &text, Names::new()) else { continue };
        assert_eq!(trees(&text), trees(&formatted), "{}", file.display());
        assert_eq!(format("case", &formatted, Names::new()).unwrap(), formatted, "{}", file.display());
        n_files += 1;
    }
    assert!(n_files > 50, "{n_files}");
}

/// The syntax trees of a text, and its comments.
fn trees(text: &str) -> Vec<String> {
    let mut names = Names::new();
    let mut reader = Reader::new("case");
    reader.push(text);
    reader.finish();
    let mut trees = Vec::new();
    while let Some(read) = reader.read(&names) {
        trees.extend(reader.syntax().map(|(tree, item)| syntax::outline(item, tree)));
        read.item.iter().for_each(|item| names.commit(item));
    }
    let comments = text.lines().filter_map(|line| line.split_once('#'));
    trees.extend(comments.map(|(_, comment)| comment.trim_end().to_owned()));
    trees
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
