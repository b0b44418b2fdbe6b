//! Memory tests: repeating an operation does not increase the memory of the process.
//!
//! The first round is a warm-up, in which LLVM allocates memory that it never frees. Of the later
//! rounds, one must stay within the bound. Allocators take pages from time to time, but a leak
//! grows in every round.

use llvm_orc::{Compiler, Jit, MODULES_PER_CONTEXT, OptLevel};

use crate::own_process::in_own_process;
use crate::test_kit::{Nullary, constant, dylib, resident_bytes};

/// Repeats `step` in a process of its own. Fails unless one of the rounds after the first grows by
/// less than `bytes_per_step` per step.
pub(crate) fn uses_constant_memory(name: &str, steps: u32, bytes_per_step: usize, step: impl FnMut(u32)) {
    in_own_process(name, || repeat(steps, bytes_per_step, step));
}

fn repeat(steps: u32, bytes_per_step: usize, mut step: impl FnMut(u32)) {
    (0..steps).for_each(&mut step);
    let mut growth = Vec::new();
    for round in 1..=4 {
        let before = resident_bytes();
        (round * steps..(round + 1) * steps).for_each(&mut step);
        growth.push(resident_bytes().saturating_sub(before));
        if growth.last().is_some_and(|&bytes| bytes < bytes_per_step * steps as usize) {
            return;
        }
    }
    panic!("growth in bytes after each {steps} steps: {growth:?}");
}

#[test]
fn compiling_distinct_constants_uses_constant_memory() {
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
    uses_constant_memory(
        "memory::compiling_distinct_constants_uses_constant_memory",
        6 * MODULES_PER_CONTEXT,
        50,
        |n| {
            let object = compiler.compile(|cx| constant(cx, &format!("f{n}"), f64::from(n) + 0.25)).unwrap();
            assert!(object.code_bytes() > 0);
        },
    );
}

#[test]
fn adding_and_removing_uses_constant_memory() {
    let dylib = dylib();
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
    uses_constant_memory("memory::adding_and_removing_uses_constant_memory", 3000, 50, |n| {
        let name = format!("a_long_name_that_makes_leaks_in_the_string_pool_visible_{n}");
        let object = compiler.compile(|cx| constant(cx, &name, f64::from(n))).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        // SAFETY: the function has that type.
        assert_eq!(unsafe { tracker.lookup_fn::<Nullary>(&name) }.unwrap().call(()), f64::from(n));
        tracker.remove().unwrap();
    });
}

#[test]
fn creating_and_dropping_sessions_uses_constant_memory() {
    uses_constant_memory("memory::creating_and_dropping_sessions_uses_constant_memory", 1000, 1000, |n| {
        let jit = Jit::builder().build().unwrap();
        let dylib = jit.create_bare_dylib(&format!("dylib{n}")).unwrap();
        assert!(dylib.lookup("nothing").is_err());
    });
}
