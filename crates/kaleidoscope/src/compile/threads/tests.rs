//! The compile threads: when they start, and what it does with a code generator that fails.

use super::CompileThreads;
use crate::compile::{Code, CodeGenerator, HotUnit, Listing, NoCode, Unit};
use crate::{Engine, Mode, Optimization};
use kaleidoscope_lang::code::FunctionId;
use std::sync::mpsc;

#[test]
fn what_needs_no_code_does_not_start_the_code_generator() {
    let engine = Engine::builder().mode(Mode::Lazy).build().unwrap();
    engine.run("def f(x) f(x) + sin(x); def binary| (a b) a; extern g(x); 1 + 2 * 3; var a = 1 in a = 2; sqrt(2); 2 ^ 0.5;");
    assert_eq!(engine.jit.source.compile_threads.n_started(), 0);
    engine.run("1 | 2;");
    assert_eq!(engine.jit.source.compile_threads.n_started(), 1);
}

#[test]
fn a_code_generator_that_cannot_be_had_is_an_error_each_time() {
    let threads = CompileThreads::new(|_| Err(NoCode::Failed("none here".to_owned())), Optimization::None, 1);
    for _ in 0..2 {
        let result = threads.run(|_| Ok(()));
        assert!(matches!(result, Err(NoCode::Failed(reason)) if reason == "none here"));
    }
}

#[test]
fn a_panic_in_a_task_is_an_error_and_the_thread_goes_on() {
    let threads = CompileThreads::new(|_| Ok(Box::new(Nothing)), Optimization::None, 2);
    let result = threads.run(|_| -> Result<(), NoCode> { panic!("too much") });
    assert!(matches!(result, Err(NoCode::Failed(reason)) if reason.contains("too much")));
    assert!(threads.run(|_| Ok(())).is_ok());
}

#[test]
fn what_is_waited_for_comes_before_the_background() {
    let threads = CompileThreads::new(|_| Ok(Box::new(Nothing)), Optimization::None, 1);
    let (order, came) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    threads
        .submit(move |_| {
            begin.send(()).unwrap();
            released.recv().unwrap();
        })
        .unwrap();
    begun.recv().unwrap();
    let late = order.clone();
    threads.submit(move |_| late.send("background").unwrap()).unwrap();
    std::thread::scope(|scope| {
        let waiting = threads.clone();
        scope.spawn(move || {
            waiting.run(move |_| {
                order.send("urgent").unwrap();
                Ok(())
            })
        });
        while threads.crew.work().urgent.is_empty() {
            std::thread::yield_now();
        }
        release.send(()).unwrap();
    });
    assert_eq!(came.iter().take(2).collect::<Vec<_>>(), ["urgent", "background"]);
    threads.close();
    assert!(threads.submit(|_| ()).is_err());
}

#[test]
fn a_compile_thread_does_not_wait_for_itself() {
    let threads = CompileThreads::new(|_| Ok(Box::new(Nothing)), Optimization::None, 1);
    let inner = threads.clone();
    assert!(matches!(threads.run(move |_| inner.run(|_| Ok(()))), Err(NoCode::Failed(_))));
}

struct Nothing;

impl CodeGenerator for Nothing {
    fn generate(&mut self, _: &Unit) -> Result<Code, NoCode> {
        Err(NoCode::TooLarge)
    }

    fn generate_hot(&mut self, _: &HotUnit) -> Result<Code, NoCode> {
        Err(NoCode::TooLarge)
    }

    fn list(&mut self, _: &Unit, _: Listing, _: &dyn Fn(FunctionId) -> String) -> Result<String, NoCode> {
        Err(NoCode::TooLarge)
    }
}
