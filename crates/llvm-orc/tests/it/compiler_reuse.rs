//! Compiler reuse: the object of a module does not depend on modules compiled before it.

use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use llvm_orc::{Compiler, FunctionPass, OptLevel, Passes};

use crate::test_kit::{Nullary, calling, constant, dylib, function, square_plus};

fn pipelines() -> [Passes; 5] {
    [
        Passes::none(),
        Passes::functions(&[FunctionPass::Sroa, FunctionPass::InstCombine, FunctionPass::Licm]),
        Passes::text("sroa,early-cse,instcombine<no-verify-fixpoint>,gvn,simplifycfg"),
        Passes::text("default<O1>"),
        Passes::text("default<O3>"),
    ]
}

/// `f() = helper(value)` with an internal `helper(x) = x * x + 1`.
fn with_helper(cx: &Context, value: f64) -> Module<'_> {
    let module = cx.create_module("m");
    let f64 = cx.f64_type();
    function(cx, &module, "helper", 1, |b, f| {
        let x = f.get_nth_param(0).unwrap().into_float_value();
        let square = b.build_float_mul(x, x, "square").unwrap();
        let sum = b.build_float_add(square, f64.const_float(1.0), "sum").unwrap();
        b.build_return(Some(&sum)).unwrap();
    });
    let helper = module.get_function("helper").unwrap();
    helper.set_linkage(Linkage::Internal);
    function(cx, &module, "f", 0, |b, _| {
        let result = b.build_call(helper, &[f64.const_float(value).into()], "result").unwrap();
        b.build_return(Some(&result.try_as_basic_value().unwrap_basic())).unwrap();
    });
    module
}

#[test]
fn the_same_module_always_gives_the_same_object() {
    for passes in pipelines() {
        let mut compiler =
            Compiler::builder().opt_level(OptLevel::Less).passes(passes.clone()).build().unwrap();
        let first = compiler.compile(|cx| with_helper(cx, 2.0)).unwrap();
        for n in 0..20 {
            compiler.compile(|cx| constant(cx, "f", f64::from(n))).unwrap();
            compiler.compile(|cx| square_plus(cx, "helper", f64::from(n))).unwrap();
            compiler.compile(|cx| calling(cx, "g", "f")).unwrap();
            let again = compiler.compile(|cx| with_helper(cx, 2.0)).unwrap();
            assert!(again.bytes() == first.bytes(), "{passes:?}, after {n} rounds");
        }
    }
}

#[test]
fn module_passes_run_for_each_module() {
    let dylib = dylib();
    for passes in pipelines() {
        let mut compiler =
            Compiler::builder().opt_level(OptLevel::Less).passes(passes.clone()).build().unwrap();
        for n in 0..20 {
            let object = compiler.compile(|cx| with_helper(cx, f64::from(n))).unwrap();
            let tracker = dylib.add_object(&object).unwrap();
            // SAFETY: `f` has that type.
            let f = unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap();
            assert_eq!(f.call(()), f64::from(n * n) + 1.0, "{passes:?}");
        }
        let ir = compiler.optimized_ir(|cx| with_helper(cx, 3.0)).unwrap();
        assert_eq!(passes.as_text().starts_with("default"), !ir.contains("@helper"), "{ir}");
    }
}
