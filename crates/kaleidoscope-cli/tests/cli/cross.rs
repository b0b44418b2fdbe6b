//! Building for other machines, which `./check cross` tests: it needs their tools.

use crate::building::check;
use crate::command::{file, path, run};

#[test]
fn the_page_about_other_machines() {
    check(include_str!("../../../../docs/cross-compiling.md"));
}

#[test]
fn assembly_is_that_of_the_machine() {
    let source = file(b"def square(x) x * x;");
    for (target, instruction) in [("aarch64-linux-gnu", "fmul"), ("wasm32-unknown-unknown", "f64.mul")] {
        let finished = run(&["build", path(&source), "--target", target, "--emit=asm", "-o", "-"]);
        assert_eq!((finished.code, &*finished.stderr), (0, ""));
        assert!(finished.stdout.contains(instruction), "{}", finished.stdout);
    }
}

#[test]
fn a_tool_that_is_missing_is_named() {
    let source = file(b"1;");
    for target in ["aarch64-linux-gnu", "wasm32-unknown-unknown"] {
        let cc = "/nonexistent/wasm-ld-or-gcc";
        let finished = run(&["build", path(&source), "--target", target, "--cc", cc, "-o", "/dev/null"]);
        assert_eq!((finished.code, &*finished.stdout), (1, ""));
        assert!(finished.stderr.contains(cc), "{}", finished.stderr);
    }
    let finished = run(&[
        "build",
        path(&source),
        "--target",
        "wasm32-unknown-unknown",
        "--emit=staticlib",
        "-o",
        "/dev/null",
    ]);
    assert_eq!((finished.code, &*finished.stdout), (2, ""), "{}", finished.stderr);
}
