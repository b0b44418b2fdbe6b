//! Memory stays level, whatever comes and goes. Each test looks at stretches of steps after a first one, because LLVM's
//! first steps take memory for good, and asks for one that needs none: an allocator takes some pages now and then,
//! while what leaks grows in every stretch.

use llvm_orc::{Compiler, Jit, MODULES_PER_CONTEXT, OptLevel};

use crate::own_process::in_own_process;
use crate::test_kit::{Nullary, constant, dylib, resident};

/// Runs `step` over stretches, alone, until one needs less than `bytes_per_step` more than before, which one of the first
/// few must.
pub(crate) fn level(name: &str, steps: u32, bytes_per_step: usize, step: impl FnMut(u32)) {
    in_own_process(name, || stays_level(steps, bytes_per_step, step));
}

fn stays_level(steps: u32, bytes_per_step: usize, mut step: impl FnMut(u32)) {
    (0..steps).for_each(&mut step);
    let mut grown = Vec::new();
    for stretch in 1..=4 {
        let before = resident();
        (stretch * steps..(stretch + 1) * steps).for_each(&mut step);
        grown.push(resident().saturating_sub(before));
        if grown.last().is_some_and(|&bytes| bytes < bytes_per_step * steps as usize) {
            return;
        }
    }
    panic!("bytes more after each {steps} steps: {grown:?}");
}

#[test]
fn compiling_distinct_constants() {
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
    level("memory::compiling_distinct_constants", 6 * MODULES_PER_CONTEXT, 50, |n| {
        let object = compiler.compile(|cx| constant(cx, &format!("f{n}"), f64::from(n) + 0.25)).unwrap();
        assert!(object.code_bytes() > 0);
    });
}

#[test]
fn adding_calling_and_removing() {
    let dylib = dylib();
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
    level("memory::adding_calling_and_removing", 3000, 50, |n| {
        let name = format!("a_rather_long_name_to_see_the_pool_by_{n}");
        let object = compiler.compile(|cx| constant(cx, &name, f64::from(n))).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        // SAFETY: it is of that type.
        assert_eq!(unsafe { tracker.lookup_fn::<Nullary>(&name) }.unwrap().call(()), f64::from(n));
        tracker.remove().unwrap();
    });
}

#[test]
fn sessions_come_and_go() {
    level("memory::sessions_come_and_go", 1000, 1000, |n| {
        let jit = Jit::builder().build().unwrap();
        let dylib = jit.create_bare_dylib(&format!("dylib{n}")).unwrap();
        assert!(dylib.lookup("nothing").is_err());
    });
}
