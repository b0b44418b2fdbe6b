//! `--stats` and `--trace`.

use crate::command::{file, path, run};
use serde_json::Value;

fn stats(args: &[&str]) -> Value {
    let finished = run(args);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    serde_json::from_str(finished.stderr.trim_end()).unwrap()
}

#[test]
fn functions_that_are_not_called_are_not_compiled() {
    let text = "def a(x) x; def b(x) a(x); def c(x) b(x); def d(x) x; b(1); 1 + 2;";
    let stats = stats(&["--jit", "lazy", "--stats=json", "-e", text]);
    assert_eq!(stats["functions"]["defined"], 4);
    assert_eq!(stats["functions"]["called"], 2);
    assert_eq!(stats["ir_functions"], 2);
    assert_eq!(stats["expressions"], 2);
    let names: Vec<_> = stats["compiled"].as_array().unwrap().iter().map(|body| &body["name"]).collect();
    assert_eq!(names, ["$expr1", "b", "a"]);
}

#[test]
fn llvm_never_sees_code_that_is_not_hot() {
    let stats = stats(&["--stats=json", "-e", "def a(x) x; def b(x) a(x); def c(x) x; b(1); b(2); 1 + 2;"]);
    assert_eq!(stats["functions"]["called"], 2);
    assert_eq!(stats["functions"]["baseline"], 2);
    assert_eq!(stats["functions"]["optimized"], 0);
    assert_eq!(stats["ir_functions"], 0);
    assert_eq!(stats["micros"]["llvm_start"], 0);
    assert_eq!(stats["compiled"][0]["tier"], "baseline");
}

#[test]
fn code_that_runs_once_is_not_compiled() {
    let stats = stats(&["--stats=json", "-e", "def f(x) x + 1; def g(x) f(x) * 2; g(1);"]);
    assert_eq!(stats["functions"]["called"], 2);
    assert_eq!(stats["compiled"].as_array().unwrap().len(), 0);
}

#[test]
fn eager_mode_compiles_every_definition() {
    let stats = stats(&["--jit", "eager", "--stats=json", "-e", "def a(x) x; def b(x) a(x);"]);
    assert_eq!(stats["ir_functions"], 2);
    assert_eq!(stats["compiled"][0]["tier"], "eager");
}

#[test]
fn redefinitions_are_counted_once_and_recompiled() {
    let stats = stats(&[
        "--stats=json",
        "-e",
        "def f(x) x; f(1) + f(1); def f(x) x + 1; f(1) + f(1); def binary| (a b) a;",
    ]);
    assert_eq!(stats["functions"]["defined"], 2);
    let versions: Vec<_> = stats["compiled"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|body| body["name"] == "f")
        .map(|body| body["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, [1, 2]);
}

#[test]
fn programs_without_calls_start_no_compiler() {
    let stats = stats(&["--stats=json", "-e", "def f(x) x; 1 + 2 * 3; sqrt(16); var a = 1 in a;"]);
    assert_eq!(stats["compiled"].as_array().unwrap().len(), 0);
    assert_eq!(stats["expressions"], 3);
}

#[test]
fn the_text_form_lists_compilations() {
    let finished = run(&["--stats", "-e", "def f(x) x; f(1); f(1);"]);
    assert!(finished.stderr.contains("1 defined") && finished.stderr.contains(" f "), "{}", finished.stderr);
}

#[test]
fn a_trace_is_an_array_of_events() {
    let trace = file(b"");
    let finished =
        run(&["--jit", "lazy", "--trace", path(&trace), "-e", "def f(x) x; f(1); def f(x) 2; f(1);"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let events: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(trace.path()).unwrap()).unwrap();
    let names: Vec<_> =
        events.iter().map(|event| event["name"].as_str().unwrap()).filter(|&name| name != "read").collect();
    let life = ["define f", "first call f", "IR f", "compile f", "free f"];
    for name in life {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    for event in &events {
        assert!(event["ts"].is_f64() && event["ph"].is_string(), "{event}");
    }
}

#[test]
fn the_start_of_llvm_has_a_time_of_its_own() {
    let stats = stats(&["--jit", "lazy", "--stats=json", "-e", "def f(x) x; f(3);"]);
    assert!(stats["micros"]["llvm_start"].as_u64() > Some(0), "{stats}");
}
