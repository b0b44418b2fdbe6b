//! Events: one for each change of a function, and statistics of them.

use kaleidoscope::{CodeName, CompileTimes, Engine, Event, Mode, Observer, Statistics, Tier};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Observer for Log {
    fn observe(&self, event: &Event) {
        let (what, code) = match event {
            Event::Defined { code, .. } => ("defined", code),
            Event::FirstCalled { code } => ("called", code),
            Event::IrGenerated { code, .. } => ("ir", code),
            Event::Compiled { code, .. } => ("compiled", code),
            Event::Reclaimed { code, .. } => ("freed", code),
            Event::CompileFailed { code, .. } => ("failed", code),
            Event::Evaluated { code, .. } => ("evaluated", code),
            _ => return,
        };
        self.0.lock().unwrap().push(format!("{what} {}@{}", code.name, code.version));
    }
}

#[track_caller]
fn check(mode: Mode, text: &str, expected: &[&str]) {
    let log = Log::default();
    let engine = Engine::builder().mode(mode).observer(log.clone()).build().unwrap();
    drop(engine.run(text));
    // The baseline compiler, which replaces LLVM where it is missing, generates no IR.
    let is_expected = |event: &&&str| cfg!(feature = "llvm") || !event.starts_with("ir ");
    let expected: Vec<_> = expected.iter().filter(is_expected).copied().collect();
    assert_eq!(*log.0.lock().unwrap(), expected, "{text}");
}

#[test]
fn each_change_of_a_function_is_one_event() {
    let life = [
        "defined f@1",
        "ir $expr1@1",
        "compiled $expr1@1",
        "called f@1",
        "ir f@1",
        "compiled f@1",
        "freed $expr1@1",
        "evaluated $expr1@1",
    ];
    check(Mode::Lazy, "def f(x) x; f(1);", &life);
    let again = ["freed f@1", "defined f@2"];
    check(Mode::Lazy, "def f(x) x; f(1); def f(x) 2;", &[&life[..], &again].concat());
}

#[test]
fn eager_mode_compiles_before_any_call() {
    let life = ["defined f@1", "ir f@1", "compiled f@1"];
    check(Mode::Eager, "def f(x) x;", &life);
}

#[test]
fn without_compilation_there_are_calls_and_evaluations_only() {
    check(Mode::Off, "def f(x) x; f(1) + f(2);", &["defined f@1", "called f@1", "evaluated $expr1@1"]);
    check(Mode::Lazy, "1 + 2;", &["evaluated $expr1@1"]);
}

#[test]
fn the_first_call_runs_in_the_interpreter_tier() {
    let once = ["defined f@1", "called f@1", "evaluated $expr1@1"];
    let twice = ["compiled f@1", "evaluated $expr2@1"];
    let looping = ["defined f@2", "called f@2", "compiled f@2", "evaluated $expr3@1"];
    for mode in [Mode::Tiered, Mode::Baseline] {
        check(mode, "def f(x) x + 1; f(1);", &once);
        check(mode, "def f(x) x + 1; f(1); f(1);", &[&once[..], &twice].concat());
        let text = "def f(x) x + 1; f(1); f(1); def f(x) for i = 0, i < 3 in x; f(1);";
        check(mode, text, &[&once[..], &twice, &["freed f@1"], &looping].concat());
    }
}

#[test]
fn a_failed_call_frees_the_code_of_the_expression() {
    let life = ["ir $expr1@1", "compiled $expr1@1", "freed $expr1@1", "evaluated $expr1@1"];
    check(Mode::Lazy, "extern f(x); f(1);", &life);
}

#[test]
fn statistics_count_events() {
    let statistics = Statistics::new();
    let engine = Engine::builder().mode(Mode::Lazy).observer(statistics.clone()).build().unwrap();
    engine.run("def f(x) x; def g(x) f(x); def h(x) x; g(1); 2; def f(x) x + 1; g(1);").ok().unwrap();
    let totals = statistics.totals();
    let names =
        |set: &std::collections::BTreeSet<Arc<str>>| set.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&totals.defined), ["f", "g", "h"]);
    let ir_functions: &[&str] = if cfg!(feature = "llvm") { &["f", "g"] } else { &[] };
    assert_eq!(names(&totals.ir_functions), ir_functions);
    assert_eq!(totals.n_expressions, 3);
    assert_eq!(totals.compiled.iter().filter(|compiled| &*compiled.code.name == "f").count(), 2);
    assert!(totals.code_bytes > 0 && totals.ir_bytes > 0);
}

#[test]
fn run_time_excludes_compile_time() {
    let statistics = Statistics::new();
    let code = |name: &str| CodeName { name: name.into(), version: 1 };
    let millis = Duration::from_millis;
    let times = CompileTimes { codegen: millis(5), ..CompileTimes::default() };
    let compiled = |name, tier| Event::Compiled {
        code: code(name),
        tier,
        osr_loop: None,
        inlined: Arc::default(),
        times,
        bytes: 1,
    };
    // The expression is compiled before it runs, the function while it runs.
    statistics.observe(&compiled("$expr1", Tier::Eager));
    statistics.observe(&compiled("f", Tier::Lazy));
    statistics.observe(&Event::Evaluated { code: code("$expr1"), took: millis(7) });
    assert_eq!(statistics.totals().run, millis(2));
    assert_eq!(statistics.totals().compile.codegen, millis(10));
}
