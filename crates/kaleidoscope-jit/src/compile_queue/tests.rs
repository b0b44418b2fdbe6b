//! The compile queue: the order of jobs, and code generators that fail.

use super::CompileQueue;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{
    Backend, Code, CodeGenerator, CompileError, Listing, Optimization, Settings, Unit,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;

#[test]
fn a_code_generator_that_cannot_be_had_is_an_error_each_time() {
    let queue = queue(None, 1);
    for _ in 0..2 {
        let result = queue.run(|_| Ok(()));
        assert!(matches!(result, Err(CompileError::Failed(reason)) if reason == "none here"));
    }
}

#[test]
fn a_panic_in_a_task_is_an_error_and_the_thread_goes_on() {
    let queue = queue(Some(Nothing), 2);
    let result = queue.run(|_| -> Result<(), CompileError> { panic!("too much") });
    assert!(matches!(result, Err(CompileError::Failed(reason)) if reason.contains("too much")));
    assert!(queue.run(|_| Ok(())).is_ok());
}

#[test]
fn what_is_waited_for_comes_first_and_then_what_was_asked_for_last() {
    let queue = queue(Some(Nothing), 1);
    let (order, came) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    queue
        .submit(move |_| {
            begin.send(()).unwrap();
            released.recv().unwrap();
        })
        .unwrap();
    begun.recv().unwrap();
    for name in ["asked for first", "asked for last"] {
        let order = order.clone();
        queue.submit(move |_| order.send(name).unwrap()).unwrap();
    }
    std::thread::scope(|scope| {
        let waiting = queue.clone();
        scope.spawn(move || {
            waiting.run(move |_| {
                order.send("urgent").unwrap();
                Ok(())
            })
        });
        while queue.shared.jobs().urgent.is_empty() {
            std::thread::yield_now();
        }
        release.send(()).unwrap();
    });
    assert_eq!(came.iter().take(3).collect::<Vec<_>>(), ["urgent", "asked for last", "asked for first"]);
    queue.close();
    assert!(queue.submit(|_| ()).is_err());
}

#[test]
fn a_compile_thread_does_not_wait_for_itself() {
    let queue = queue(Some(Nothing), 1);
    let inner = queue.clone();
    assert!(matches!(queue.run(move |_| inner.run(|_| Ok(()))), Err(CompileError::Failed(_))));
}

fn queue(generator: Option<Nothing>, most_threads: usize) -> CompileQueue {
    CompileQueue::new(Arc::new(Given(generator)), Optimization::None, false, most_threads)
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
