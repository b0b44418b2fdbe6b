//! The compile thread: when it starts, and what it does with a code generator that fails.

use super::{Code, CodeGenerator, CompileThread, Listing, NoCode, Unit};
use crate::{Engine, Optimization};
use kaleidoscope_lang::code::FunctionId;

fn is_started(thread: &CompileThread) -> bool {
    thread.running.lock().unwrap().is_some()
}

#[test]
fn what_needs_no_code_does_not_start_the_code_generator() {
    let engine = Engine::new().unwrap();
    engine.run("def f(x) f(x) + sin(x); def binary| (a b) a; extern g(x); 1 + 2 * 3; var a = 1 in a = 2; sqrt(2); 2 ^ 0.5;");
    assert!(!is_started(&engine.jit.source.compile_thread));
    engine.run("1 | 2;");
    assert!(is_started(&engine.jit.source.compile_thread));
}

#[test]
fn a_code_generator_that_cannot_be_had_is_an_error_each_time() {
    let thread = CompileThread::new(|_| Err(NoCode::Failed("none here".to_owned())), Optimization::None);
    for _ in 0..2 {
        let result = thread.run(|_| Ok(()));
        assert!(matches!(result, Err(NoCode::Failed(reason)) if reason == "none here"));
    }
}

#[test]
fn a_panic_in_a_task_is_an_error_and_the_thread_goes_on() {
    let thread = CompileThread::new(|_| Ok(Box::new(Nothing)), Optimization::None);
    let result = thread.run(|_| -> Result<(), NoCode> { panic!("too much") });
    assert!(matches!(result, Err(NoCode::Failed(reason)) if reason.contains("too much")));
    assert!(thread.run(|_| Ok(())).is_ok());
}

struct Nothing;

impl CodeGenerator for Nothing {
    fn generate(&mut self, _: &Unit) -> Result<Code, NoCode> {
        Err(NoCode::TooLarge)
    }

    fn list(&mut self, _: &Unit, _: Listing, _: &dyn Fn(FunctionId) -> String) -> Result<String, NoCode> {
        Err(NoCode::TooLarge)
    }
}
