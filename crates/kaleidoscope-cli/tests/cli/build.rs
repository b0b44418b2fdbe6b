//! `build`: executables do what `run` does, libraries have the functions, and what cannot be built
//! is refused.

use crate::command::{Finished, file, path, run, run_executable};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Builds a text to an executable.
fn build(folder: &TempDir, text: &str, args: &[&str]) -> PathBuf {
    let (source, output) = (folder.path().join("program.kal"), folder.path().join("program"));
    fs::write(&source, text).unwrap();
    let args = [&["build", path_of(&source), "-o", path_of(&output)], args].concat();
    let finished = run(&args);
    assert_eq!((finished.code, &*finished.stdout), (0, ""), "{}", finished.stderr);
    output
}

fn path_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `run` and an executable of this text do.
fn both(text: &str, build_args: &[&str], run_args: &[&str]) -> (Finished, Finished) {
    let folder = TempDir::new().unwrap();
    let executable = build(&folder, text, build_args);
    let source = folder.path().join("program.kal");
    (run(&[&["run", path_of(&source)], run_args].concat()), run_executable(&executable, &[], b""))
}

#[track_caller]
fn check_alike(text: &str, build_args: &[&str], run_args: &[&str]) {
    let (ran, built) = both(text, build_args, run_args);
    assert_eq!((built.code, built.stdout, built.stderr), (ran.code, ran.stdout, ran.stderr), "{text}");
}

#[test]
fn a_source_is_not_replaced_by_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("script");
    std::fs::write(&source, "1 + 1;\n").unwrap();
    let name = source.to_str().unwrap();
    let finished = run(&["build", name, "-o", name]);
    assert!(finished.code == 2 && finished.stderr.contains("cannot be the result"), "{}", finished.stderr);
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "1 + 1;\n");
}

#[test]
fn an_executable_does_what_run_does() {
    let text = "def fib(x) if x < 3 then 1 else fib(x - 1) + fib(x - 2);\n\
        def unary-(v) 0 - v;\n\
        fib(20); -fib(10);\n\
        def inner(x) x; def twice(x) inner(x) * 2; twice(3);\n\
        def inner(x) x + 1; twice(3);\n\
        def cos(x) 42; cos(0) + sin(0);\n\
        putchard(72) + putchard(955);\n\
        printd(1/3);\n\
        2^0.5; 1/0; 0.1 + 0.2; 1e300 * 10; 5e-324;\n\
        def down(n) 1 + down(n + 1);\n\
        def start(n) down(n) + 1;\n\
        start(1); 99;\n";
    for level in ["-O0", "-O3"] {
        check_alike(text, &[level], &[]);
    }
}

#[test]
fn what_is_found_when_running_is_the_same_error() {
    for text in [
        "printd(1); putchard(65) + putbyte(300);",
        "extern missing(x); 1; missing(2);",
        "def f(x y) x; def g() f(1, 2); g(); def f(x) x; g();",
    ] {
        check_alike(text, &[], &[]);
    }
}

#[test]
fn options_of_run_hold_for_the_executable() {
    check_alike(
        "putchard(226) : putchard(150) : putchard(145); 1;",
        &["--prelude", "--putchard=bytes", "-q"],
        &["--prelude", "--putchard=bytes", "-q"],
    );
    // A small stack ends recursion that the usual one has room for.
    let text = "def sum(n) if n < 1 then 0 else n + sum(n - 1); sum(100000);";
    let (ran, small) = both(text, &["--stack=1"], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "5000050000\n"));
    assert!(small.stderr.contains("KLS3004"), "{}", small.stderr);
}

#[test]
fn output_without_a_reader_is_no_error_and_a_full_disk_is_one() {
    let folder = TempDir::new().unwrap();
    let executable = build(&folder, "for i = 1, i < 100000 in printd(i);", &[]);
    let shell = |script: &str| {
        let script = script.replace("PROGRAM", path_of(&executable));
        run_executable(Path::new("/bin/bash"), &["-c", &script], b"")
    };
    let closed = shell("PROGRAM | head -1; echo ${PIPESTATUS[0]}");
    assert_eq!((closed.stdout.as_str(), closed.stderr.as_str()), ("1\n0\n", ""));
    let full = shell("PROGRAM >/dev/full");
    assert_eq!(full.code, 1);
    assert_eq!(
        full.stderr,
        "error: cannot write to standard output: No space left on device (os error 28)\n"
    );
    let closed = shell("PROGRAM >&-");
    assert_eq!((closed.code, &*closed.stderr), (1, "error: cannot write to standard output: it is closed\n"));
}

#[test]
fn a_c_program_links_a_static_and_a_shared_library_by_the_header() {
    const MAIN: &str = "#include <stdio.h>\n#include \"formulas.h\"\n\
        int main(void) { printf(\"%g %g %g %g\\n\", hypotenuse(3, 4), unary_bang(0), kal_double(21), say(7)); }\n";
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("main.c"), MAIN).unwrap();
    let source = file(
        b"def hypotenuse(a b) sqrt(a*a + b*b);\n\
        def unary!(x) if x then 0 else 1;\n\
        def double(x) x * 2;\n\
        def say(x) printd(x) + x;\n\
        hypotenuse(1, 2);\n",
    );
    let kinds = "staticlib,sharedlib,header,obj,asm,llvm-ir,llvm-bc";
    let finished = run(&["build", path(&source), "-O3", "--emit", kinds, "-o", path_of(&at("formulas"))]);
    assert_eq!((finished.code, &*finished.stdout, &*finished.stderr), (0, "", ""));
    for (name, begin) in [
        ("formulas.o", &b"\x7fELF"[..]),
        ("formulas.bc", b"BC\xc0\xde"),
        ("formulas.s", b"\t.file\t\"formulas\""),
        ("formulas.ll", b"; ModuleID = 'formulas'"),
    ] {
        assert!(fs::read(at(name)).unwrap().starts_with(begin), "{name}");
    }
    for library in ["libformulas.a", "libformulas.so"] {
        let output = at("main");
        let args = ["-Wall", "-Werror", "main.c", library, "-lm", "-Wl,-rpath,$ORIGIN", "-o", "main"];
        let status = Command::new("cc").args(args).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "{library}");
        let finished = run_executable(&output, &[], b"");
        assert_eq!(finished.stdout, "7\n5 1 42 7\n", "{library}: {}", finished.stderr);
    }
}

#[test]
fn a_function_of_the_host_is_found_in_a_library() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("host.c"), "double host(double x) { return x + 0.5; }\n").unwrap();
    let script =
        "cc -c -fPIC host.c && ar rcs libstatichost.a host.o && cc -shared host.o -o libsharedhost.so";
    let status = Command::new("sh").args(["-c", script]).current_dir(folder.path()).status().unwrap();
    assert!(status.success());
    let text = "extern host(x); def f(x) host(x) * 2; f(1);";
    let folder_arg = format!("-L{}", path_of(folder.path()));
    for library in ["-lstatichost", "-lsharedhost"] {
        let executable = build(&folder, text, &["-O3", &folder_arg, library]);
        let mut command = Command::new(executable);
        let output = test_process::output(command.env("LD_LIBRARY_PATH", folder.path()), b"");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "3\n", "{library}");
    }
}

#[test]
fn code_goes_to_standard_output() {
    let source = file(b"def square(x) x * x;\ndef fourth(x) square(square(x));\n");
    let finished = run(&["build", path(&source), "-O3", "--emit=asm", "-o", "-"]);
    assert_eq!((finished.code, &*finished.stderr), (0, ""));
    for part in ["square:", "fourth:", "mulsd"] {
        assert!(finished.stdout.contains(part), "{part} is missing in\n{}", finished.stdout);
    }
    assert!(!finished.stdout.contains("call"), "not inlined:\n{}", finished.stdout);
    let finished = run(&["build", path(&source), "--emit=llvm-ir", "--cpu=x86-64-v3", "-o", "-"]);
    assert!(finished.stdout.contains("define protected double @square"), "{}", finished.stdout);
}

#[test]
fn what_cannot_be_built_is_refused() {
    let source = file(b"1;");
    for (args, code, part) in [
        (&["--array", "u=3"][..], 2, "arrays"),
        (&["--emit", "nonsense"], 2, "nonsense"),
        (&["-o", "-"], 2, "standard output"),
        (&["--target", "vax-dec-ultrix"], 2, "vax"),
        (&["--target", "foo"], 2, "foo"),
        (&["--cpu", "foo"], 2, "x86_64 has no processor `foo`"),
        (&["--features", "+foo"], 2, "x86_64 has no feature `foo`"),
        (&["--features", "+avx2,foo"], 2, "the feature `foo` begins with neither + nor -"),
        (&["--target", "aarch64-linux-gnu", "--cpu", "znver4"], 2, "aarch64 has no processor `znver4`"),
        (&["--target", "wasm32-unknown-unknown", "--features=+avx2"], 2, "wasm32 has no feature `avx2`"),
        (&["-o", "/tmp/"], 2, "/tmp/ is a folder"),
        (&["-o", "/tmp/nothing/", "--emit=obj,asm"], 2, "/tmp/nothing/ is a folder"),
        (&["-o", "/tmp"], 2, "/tmp is a folder"),
        (&["--cc", "/nonexistent/cc", "-o", "/dev/null"], 1, "/nonexistent/cc"),
        (&["-o", "/nonexistent/out", "--emit", "obj"], 2, "/nonexistent/out"),
    ] {
        let finished = run(&[&["build", path(&source)], args].concat());
        assert_eq!((finished.code, &*finished.stdout), (code, ""), "{args:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{args:?}: {}", finished.stderr);
    }
    assert_eq!(run(&["build"]).code, 2);
    assert_eq!(run(&["build", "/nonexistent/file.kal"]).code, 2);
}

#[test]
fn numbers_of_standard_input_cannot_be_built() {
    let source = file(b"def f() readd(); f();");
    let finished = run(&["build", path(&source), "-o", "/dev/null"]);
    assert_eq!((finished.code, &*finished.stdout), (1, ""));
    assert!(finished.stderr.contains("`readd` is a function of the host"), "{}", finished.stderr);
}

#[test]
fn processors_and_features_that_exist_are_taken() {
    let source = file(b"def square(x) x * x;");
    for args in [&["--cpu=znver4"][..], &["--cpu=native"], &["--features=+avx2,-fma"], &["--cpu=x86-64-v2"]] {
        let finished = run(&[&["build", path(&source), "--emit=asm", "-o", "-"], args].concat());
        assert_eq!((finished.code, &*finished.stderr), (0, ""), "{args:?}");
    }
}

/// C's headers first, so that their macros and types are there.
#[test]
fn headers_compile_beside_those_of_c() {
    let folder = TempDir::new().unwrap();
    let names = "EOF NULL FILE I BUFSIZ RAND_MAX CHAR_BIT INT_MAX M_PI DBL_MAX HUGE_VAL size_t wchar_t int32_t \
        errno stdin stdout stderr assert complex isnan isinf isfinite signbit setjmp va_list va_arg offsetof \
        unix linux bool true false and or noreturn exit printf exp div_t jmp_buf typeof main";
    let mut text = String::from("def binary/* 30 (a b) a; def binary*/ 30 (a b) b;\n");
    for name in names.split_whitespace() {
        text.push_str(&format!("def {name}(x) x;\n"));
    }
    let source = folder.path().join("names.kal");
    fs::write(&source, &text).unwrap();
    let header = folder.path().join("names.h");
    let finished = run(&["build", path_of(&source), "--emit=header", "-o", path_of(&header)]);
    let refused = "is a function of the host";
    assert!(finished.code == 0 && !finished.stderr.contains(refused), "{}", finished.stderr);
    let headers = "stdio stdlib math complex stddef stdint errno assert setjmp stdarg limits float stdbool \
        stdnoreturn wchar unistd signal time string ctype tgmath";
    let mut c = String::new();
    for header in headers.split_whitespace() {
        c.push_str(&format!("#include <{header}.h>\n"));
    }
    c.push_str("#include \"names.h\"\nint main(void) { return 0; }\n");
    let file = folder.path().join("main.c");
    fs::write(&file, &c).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu17", "-Wall", "-Werror", "-fsyntax-only"]).arg(&file);
    let output = test_process::output(&mut cc, b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_program_with_an_error_is_not_built() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out");
    let source = file(b"1; 2 +; unknown(1); def f(x) later(x);");
    let finished = run(&["build", path(&source), "-o", path_of(&output)]);
    assert_eq!((finished.code, &*finished.stdout), (1, ""));
    for code in ["KLS1001", "KLS2002", "KLS2003"] {
        assert!(finished.stderr.contains(code), "{code} is missing in\n{}", finished.stderr);
    }
    assert!(!output.exists());
}
