//! `--cache`: code of an earlier run, the folder, and many processes with one folder.

use crate::command::{executable, run};
use crate::terminal::Terminal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "def add(x) x + 0.5; def f(n) if n < 1 then 0 else f(n - 1) + add(n);
    def g(n) (for i = 0, i < n in sin(i)) + f(n);  f(100); g(10);";

/// The output, and how much code was found and compiled.
fn cached(folder: &Path, options: &[&str]) -> (String, u64, u64) {
    let option = format!("--cache={}", folder.display());
    let finished = run(&[&[&option, "--jit=lazy", "--stats=json"], options, &["-e", PROGRAM]].concat());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let stats: Value = serde_json::from_str(finished.stderr.trim_end()).unwrap();
    let count = |key: &str| stats["cache"][key].as_u64().unwrap();
    assert_eq!(stats["micros"]["llvm_codegen"] == 0, count("missing") == 0, "{stats}");
    (finished.stdout, count("found"), count("missing"))
}

#[test]
fn a_second_run_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("kaleidoscope");
    let expected = run(&["--jit=lazy", "-e", PROGRAM]).stdout;
    let (stdout, found, compiled) = cached(&folder, &[]);
    assert_eq!((&stdout, found), (&expected, 0));
    assert!(compiled > 3);
    assert_eq!(cached(&folder, &[]), (expected.clone(), compiled, 0));
    assert_eq!(cached(&folder, &["-O1"]), (expected.clone(), 0, compiled));
    assert_eq!(cached(&folder, &["-O1"]), (expected, compiled, 0));
    // Text for people.
    let option = format!("--cache={}", folder.display());
    let finished = run(&[&option, "--jit=lazy", "--stats", "-e", PROGRAM]);
    let line = format!("\ncache       {compiled} found, 0 compiled, 0 written\n");
    assert!(finished.stderr.contains(&line), "{}", finished.stderr);
}

#[test]
fn a_folder_without_an_equals_sign_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let finished = run(&["--cache", name]);
    assert_eq!(finished.code, 2);
    let expected =
        format!("error: cannot read {name}: it is a directory; the folder of `--cache` follows `=`\n");
    assert_eq!(finished.stderr, expected);
}

#[test]
fn the_session_says_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let option = format!("--cache={}", folder.path().join("cache").display());
    let mut terminal = Terminal::open(&[&option]);
    terminal.enter(":stats", "\ncache       0 found, 0 compiled, 0 written\n");
}

#[test]
fn the_cache_of_the_user_is_the_default() {
    let home = tempfile::tempdir().unwrap();
    let run = |variable: &str| {
        let mut command = Command::new(executable());
        command.env_remove("HOME").env_remove("XDG_CACHE_HOME").env(variable, home.path());
        test_process::output(command.args(["--cache", "--jit=lazy", "-e", "def f(x) x; f(1);"]), b"")
    };
    for (variable, folder) in [("HOME", ".cache/kaleidoscope"), ("XDG_CACHE_HOME", "kaleidoscope")] {
        let output = run(variable);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(fs::read_dir(home.path().join(folder)).unwrap().count() > 0);
    }
    let output = run("NOTHING");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "warning: neither XDG_CACHE_HOME nor HOME names a folder for the cache; there is no code cache\n"
    );
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"1\n"[..]));
}

#[test]
fn a_folder_of_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let shown = folder.path().display().to_string();
    let finished = run(&[&format!("--cache={shown}"), "--jit=lazy", "-e", "def f(x) x; f(1);"]);
    assert_eq!((finished.code, &*finished.stdout), (0, "1\n"));
    let warning = format!("warning: other users can write to the folder {shown}; there is no code cache\n");
    assert_eq!(finished.stderr, warning);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// How long processes are started and killed.
const BUDGET: Duration = Duration::from_secs(8);

/// How many run at a time, and how many at most.
const AT_ONCE: usize = 4;
const MOST: usize = 100;

/// Many processes use one folder. Some are killed, others find damaged files. Those that end print
/// what is right.
#[test]
fn processes_race_and_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let option = format!("--cache={}", folder.path().display());
    let expected = run(&["--jit=lazy", "-e", PROGRAM]).stdout;
    let seed = u64::from(std::process::id()) | 1;
    let mut state = seed;
    let mut random = move |n: u64| {
        // xorshift (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let began = Instant::now();
    let (mut n_started, mut n_ended) = (0, 0);
    while n_started < MOST && began.elapsed() < BUDGET {
        let mut children: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let mut command = Command::new(executable());
                command.args([&*option, "--jit=lazy", "-e", PROGRAM]).stdin(Stdio::null());
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        n_started += children.len();
        // Each second round is killed at a random time of its life.
        let is_killed = random(2) == 0;
        let until = Instant::now() + Duration::from_micros(random(60_000));
        while is_killed && Instant::now() < until {
            std::thread::yield_now();
        }
        for mut child in children.drain(..) {
            if is_killed {
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                n_ended += 1;
                assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "seed {seed}");
            } else {
                assert!(is_killed, "seed {seed}: {output:?}");
            }
        }
        // A bit of some file.
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        if !files.is_empty() {
            let path = &files[random(files.len() as u64) as usize];
            let mut content = fs::read(path).unwrap();
            if !content.is_empty() {
                let at = random(content.len() as u64) as usize;
                content[at] ^= 1 << random(8);
            }
            fs::write(path, content).unwrap();
        }
    }
    assert!(n_ended > 0, "seed {seed}: all of {n_started} processes were killed");
}
