//! `fmt`: what it changes, and what it leaves.

use crate::command::{executable, run, run_with_input};
use kaleidoscope::lang::format::format;
use kaleidoscope::lang::names::Names;
use kaleidoscope::lang::reader::Reader;
use kaleidoscope::lang::syntax;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

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

const UNFORMATTED: &str = "def  f(x)\nx+1 ;";
const FORMATTED: &str = "def f(x)\n  x + 1;\n";

/// What a file is apart from its text.
fn identity(path: &Path) -> (u32, u32, u32, u64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.mode(), metadata.uid(), metadata.gid(), metadata.nlink())
}

#[test]
fn links_modes_and_owners_stay() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let is_root = rustix::process::geteuid().is_root();
    for name in ["a.kal", "linked.kal", "symbolic.kal"] {
        fs::write(at(name), UNFORMATTED).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o640)).unwrap();
        if is_root {
            std::os::unix::fs::chown(at(name), Some(12345), Some(54321)).unwrap();
        }
    }
    fs::hard_link(at("linked.kal"), at("other.kal")).unwrap();
    std::os::unix::fs::symlink("symbolic.kal", at("link.kal")).unwrap();
    for (name, file) in [("a.kal", "a.kal"), ("linked.kal", "other.kal"), ("link.kal", "symbolic.kal")] {
        let before = identity(&at(file));
        let finished = run(&["fmt", at(name).to_str().unwrap()]);
        assert_eq!((finished.code, &*finished.stderr), (0, ""), "{name}");
        assert_eq!(fs::read_to_string(at(file)).unwrap(), FORMATTED, "{name}");
        assert_eq!(identity(&at(file)), before, "{name}");
    }
    assert!(fs::symlink_metadata(at("link.kal")).unwrap().is_symlink());
    // Nothing is left of the work.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}

/// A command line for a user who has no rights beyond those of the file modes.
fn as_ordinary_user(args: &[&str]) -> Command {
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    match rustix::process::geteuid().is_root() {
        true => command.args(user),
        false => command.arg("--"),
    };
    command.args(args);
    command
}

#[test]
fn a_folder_may_be_read_only_and_a_file_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.kal");
    let name = path.to_str().unwrap();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // The folder of the build may be closed to others.
    let can_run = test_process::output(&mut as_ordinary_user(&["test", "-x", executable()]), b"");
    let elsewhere = tempfile::tempdir().unwrap();
    let copied = elsewhere.path().join("kaleidoscope");
    let program = match can_run.status.success() {
        true => executable(),
        false => {
            fs::copy(executable(), &copied).unwrap();
            set_mode(elsewhere.path(), 0o755);
            copied.to_str().unwrap()
        }
    };
    let fmt = || test_process::output(&mut as_ordinary_user(&[program, "fmt", name]), b"");
    fs::write(&path, UNFORMATTED).unwrap();

    set_mode(&path, 0o444);
    set_mode(folder.path(), 0o777);
    let output = fmt();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains("Permission denied"), "{stderr}");
    assert_eq!(fs::read_to_string(&path).unwrap(), UNFORMATTED);

    set_mode(&path, 0o666);
    set_mode(folder.path(), 0o555);
    let output = fmt();
    set_mode(folder.path(), 0o755);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), FORMATTED);
}

/// Files may have at most as many bytes as the old text: the new one does not fit, as on a full
/// disk.
#[test]
fn without_room_the_old_text_stays() {
    let folder = tempfile::tempdir().unwrap();
    let text = "1+2\n".repeat(256);
    for has_links in [false, true] {
        let path = folder.path().join(format!("{has_links}.kal"));
        fs::write(&path, &text).unwrap();
        if has_links {
            fs::hard_link(&path, folder.path().join("link.kal")).unwrap();
        }
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash", executable(), "fmt", path.to_str().unwrap()]);
        let output = test_process::output(&mut command, b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains("File too large"), "{stderr}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
