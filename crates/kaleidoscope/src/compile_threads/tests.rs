//! The compile threads: when they start, and what it does with a code generator that fails.

use super::CompileThreads;
use crate::{Engine, Mode};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{
    Backend, Code, CodeGenerator, CompileError, Listing, Optimization, Settings, Unit,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;

#[test]
fn what_needs_no_code_does_not_start_the_code_generator() {
    let engine = Engine::builder()
        .mode(Mode::Lazy)
        .backend(Given(Some(Nothing)))
        .optimization(Optimization::None)
        .build()
        .unwrap();
    engine.run("def f(x) f(x) + sin(x); def binary| (a b) a; extern g(x); 1 + 2 * 3; var a = 1 in a = 2; sqrt(2); 2 ^ 0.5;");
    let threads = engine.jit.source.compile_threads.as_ref().unwrap();
    assert_eq!(threads.n_started(), 0);
    engine.run("1 | 2;");
    assert_eq!(threads.n_started(), 1);
}

#[test]
fn a_code_generator_that_cannot_be_had_is_an_error_each_time() {
    let threads = threads(None, 1);
    for _ in 0..2 {
        let result = threads.run(|_| Ok(()));
        assert!(matches!(result, Err(CompileError::Failed(reason)) if reason == "none here"));
    }
}

#[test]
fn a_panic_in_a_task_is_an_error_and_the_thread_goes_on() {
    let threads = threads(Some(Nothing), 2);
    let result = threads.run(|_| -> Result<(), CompileError> { panic!("too much") });
    assert!(matches!(result, Err(CompileError::Failed(reason)) if reason.contains("too much")));
    assert!(threads.run(|_| Ok(())).is_ok());
}

#[test]
fn what_is_waited_for_comes_first_and_then_what_was_asked_for_last() {
    let threads = threads(Some(Nothing), 1);
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
    for name in ["asked for first", "asked for last"] {
        let order = order.clone();
        threads.submit(move |_| order.send(name).unwrap()).unwrap();
    }
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
    assert_eq!(came.iter().take(3).collect::<Vec<_>>(), ["urgent", "asked for last", "asked for first"]);
    threads.close();
    assert!(threads.submit(|_| ()).is_err());
}

#[test]
fn a_compile_thread_does_not_wait_for_itself() {
    let threads = threads(Some(Nothing), 1);
    let inner = threads.clone();
    assert!(matches!(threads.run(move |_| inner.run(|_| Ok(()))), Err(CompileError::Failed(_))));
}

fn threads(generator: Option<Nothing>, most_threads: usize) -> CompileThreads {
    CompileThreads::new(Arc::new(Given(generator)), Optimization::None, most_threads)
}

#[derive(Debug)]
struct Given(Option<Nothing>);

impl Backend for Given {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        assert_eq!(settings.optimization, Optimization::None);
        match self.0 {
            Some(nothing) => Ok(Box::new(nothing)),
            None => Err(CompileError::Failed("none here".to_owned())),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Nothing;

// SAFETY: it makes no code.
#[allow(unsafe_code, reason = "who makes code vouches for it")]
unsafe impl CodeGenerator for Nothing {
    fn generate(&mut self, _: &Unit) -> Result<Code, CompileError> {
        Err(CompileError::TooLarge)
    }

    fn list(
        &mut self,
        _: &Unit,
        _: Listing,
        _: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        Err(CompileError::TooLarge)
    }
}
