//! The C and C++ programs, and what they must print.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::library::{Form, compile, run};

const C99: &[&str] = &["cc", "-std=c99"];
const CPP: &[&str] = &["c++", "-x", "c++", "-std=c++11"];

const CPP17: &[&str] = &["c++", "-std=c++17"];
const CPP20: &[&str] = &["c++", "-std=c++20"];

const HOST: &str = "examples/plugin_host.c";
const CLASSES: &str = "tests/c/classes.cpp";

/// Compiles and runs the example, and compares its output. `BLESS=1` writes the expected output.
fn expect_output(compiler: &[&str], example: &str, form: Form) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&mut Command::new(compile(compiler, example, form, folder.path())));
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(example).with_extension("out");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&expected, &said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(expected).unwrap());
}

#[test]
fn the_host_in_c_with_the_shared_library() {
    expect_output(C99, HOST, Form::Shared);
}

#[test]
fn the_host_in_c_with_the_static_library() {
    expect_output(C99, HOST, Form::Static);
}

#[test]
fn the_host_in_cpp_with_the_shared_library() {
    expect_output(CPP, HOST, Form::Shared);
}

#[test]
fn the_host_in_cpp_with_the_static_library() {
    expect_output(CPP, HOST, Form::Static);
}

#[test]
fn the_classes_with_the_shared_library() {
    expect_output(CPP17, "examples/formulas.cpp", Form::Shared);
}

#[test]
fn the_classes_with_the_static_library() {
    expect_output(CPP20, "examples/formulas.cpp", Form::Static);
}

#[test]
fn classes_in_cpp17() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(CPP17, CLASSES, Form::Shared, folder.path())));
}

#[test]
fn classes_in_cpp20() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(CPP20, CLASSES, Form::Shared, folder.path())));
}

#[test]
fn engines_are_created_and_freed() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/engines.c", Form::Static, folder.path())));
}

#[test]
fn misuse_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/misuse.c", Form::Shared, folder.path())));
}

#[test]
fn observers_options_of_batches_and_data_of_failures() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/observer.c", Form::Shared, folder.path())));
}

#[test]
fn threads_with_small_stacks_run_programs() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/small_stacks.c", Form::Shared, folder.path())));
}

#[test]
fn the_signal_handlers_are_those_of_the_readme() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/signals.c", Form::Shared, folder.path())));
}

/// Where the system forbids machine code, the mode `off` works, and other modes say what is
/// forbidden and what to do.
#[test]
fn a_system_may_forbid_machine_code() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(C99, "tests/c/locked_down.c", Form::Shared, folder.path());
    let forbidden =
        |what: &str| format!("there can be no machine code here ({what}); the mode `off` needs none");
    let no_file =
        forbidden("cannot allocate memory for code: memfd_create: Operation not permitted (os error 1)");
    let no_stubs = forbidden("cannot make stubs executable: mprotect: Permission denied (os error 13)");
    let expected = [
        ("mdwe", "baseline: 5".to_owned()),
        ("memfd", format!("baseline: `f` cannot be compiled: {no_file}")),
        ("exec", format!("baseline: no engine: {no_stubs}")),
    ];
    for (how, baseline) in expected {
        let output = String::from_utf8(run(Command::new(&program).arg(how)).stdout).unwrap();
        let is_possible = output != "not possible here\n";
        assert!(how == "mdwe" || is_possible);
        if is_possible {
            assert_eq!(output, format!("off: 5\n{baseline}\nbaseline or off: 5\n"), "{how}");
        }
    }
}

/// ThreadSanitizer holds signals back: a time limit could not be kept.
#[test]
fn a_time_limit_under_thread_sanitizer_is_refused() {
    const COMPILER: &[&str] = &["cc", "-std=c99", "-fsanitize=thread"];
    let folder = tempfile::tempdir().unwrap();
    let (empty, source) = (folder.path().join("empty"), folder.path().join("empty.c"));
    std::fs::write(&source, "int main(void) { return 0; }").unwrap();
    let compiled = Command::new("cc").arg("-fsanitize=thread").arg(&source).arg("-o").arg(&empty).output();
    let works = compiled.is_ok_and(|output| output.status.success())
        // Some kernels lay memory out in a way that the sanitizer does not accept.
        && Command::new(&empty).output().is_ok_and(|output| output.status.success());
    if !works {
        let sentence = b"programs::a_time_limit_under_thread_sanitizer_is_refused is skipped: no sanitizer\n";
        std::io::stderr().write_all(sentence).unwrap();
        return;
    }
    let program = compile(COMPILER, "tests/c/sanitized.c", Form::Shared, folder.path());
    let output = run(&mut Command::new(program));
    let expected = "cannot keep time limits: SIGURG, the signal that stops running code, does not arrive\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_host_function_that_ends_its_thread_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Command::new(compile(C99, "tests/c/thread_exit.c", Form::Shared, folder.path())));
}

/// Runs a program under Valgrind: no invalid access and no leak.
fn valgrind_finds_no_error(name: &str, compiler: &[&str], source: &str, arguments: &[&str]) {
    if Command::new("valgrind").arg("--version").output().is_err() {
        // The tests do not need Valgrind; `./check c` installs it. Written past the test harness.
        let sentence = format!("programs::{name} is skipped: there is no valgrind\n");
        std::io::stderr().write_all(sentence.as_bytes()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut valgrind = Command::new("valgrind");
    // The thread for deadlines lives as long as the process, and its stack is "possibly lost".
    valgrind.args(["--quiet", "--error-exitcode=1", "--leak-check=full"]);
    valgrind.args(["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]);
    run(valgrind.arg(compile(compiler, source, Form::Shared, folder.path())).args(arguments));
}

#[test]
fn valgrind_finds_no_error_in_the_host() {
    valgrind_finds_no_error("valgrind_finds_no_error_in_the_host", C99, HOST, &[]);
}

#[test]
fn valgrind_finds_no_error_in_misuse() {
    valgrind_finds_no_error("valgrind_finds_no_error_in_misuse", C99, "tests/c/misuse.c", &[]);
}

#[test]
fn valgrind_finds_no_error_in_engines() {
    valgrind_finds_no_error("valgrind_finds_no_error_in_engines", C99, "tests/c/engines.c", &["5"]);
}

#[test]
fn valgrind_finds_no_error_in_observers() {
    valgrind_finds_no_error("valgrind_finds_no_error_in_observers", C99, "tests/c/observer.c", &[]);
}

#[test]
fn valgrind_finds_no_error_in_classes() {
    valgrind_finds_no_error("valgrind_finds_no_error_in_classes", CPP17, CLASSES, &[]);
}
