//! Pass pipelines: a list and a text with the same passes give the same code.

use std::ptr::null_mut;

use inkwell::context::Context;
use inkwell::llvm_sys::ir_reader::LLVMParseIRInContext2;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use llvm_orc::{Compiler, ErrorKind, FunctionPass, OptLevel, Passes};

use crate::test_kit::square_plus;

const ALL: &[FunctionPass] = FunctionPass::ALL;

/// Each pass, all pairs of passes in both orders, and longer lists.
fn lists() -> Vec<Vec<FunctionPass>> {
    use FunctionPass::{EarlyCse, InstCombine, Licm, SimplifyCfg, Sroa};
    let mut lists: Vec<_> = ALL.iter().map(|&pass| vec![pass]).collect();
    lists.extend(ALL.iter().flat_map(|&first| ALL.iter().map(move |&second| vec![first, second])));
    lists.extend([
        vec![EarlyCse, InstCombine, Licm],
        vec![Sroa, EarlyCse, InstCombine, SimplifyCfg],
        vec![Sroa, EarlyCse, SimplifyCfg, InstCombine, Licm, SimplifyCfg, InstCombine, EarlyCse],
    ]);
    lists
}

fn functions(cx: &Context) -> Module<'_> {
    let text = MemoryBuffer::create_from_memory_range_copy(include_bytes!("functions.ll"), "functions.ll");
    let mut module = null_mut();
    // Not `create_module_from_ir`: inkwell 0.11 leaks the text, because LLVM's older function took
    // it over.
    //
    // SAFETY: context and text are alive, the module is our local variable, and no message is
    // requested.
    let failed = unsafe { LLVMParseIRInContext2(cx.raw(), text.as_mut_ptr(), &mut module, null_mut()) };
    assert_eq!(failed, 0);
    // SAFETY: the module was just created in this context, and we own it.
    unsafe { Module::new(module) }
}

#[test]
fn a_list_gives_the_same_code_as_its_text() {
    for level in [OptLevel::None, OptLevel::Default] {
        let mut compiler = Compiler::builder().opt_level(level).build().unwrap();
        for list in lists() {
            let list = Passes::functions(&list);
            let text = Passes::text(&list.as_text());
            assert_ne!(list, text);
            // The second iteration reuses the passes.
            for _ in 0..2 {
                let by_list = compiler.optimized_ir_with(&list, functions).unwrap();
                let by_text = compiler.optimized_ir_with(&text, functions).unwrap();
                assert_eq!(by_list, by_text, "{list:?}");
            }
            let by_list = compiler.compile_with(&list, functions).unwrap();
            let by_text = compiler.compile_with(&text, functions).unwrap();
            assert!(by_list.bytes() == by_text.bytes(), "{list:?}");
        }
    }
}

#[test]
fn each_pass_changes_the_module() {
    let mut compiler = Compiler::builder().build().unwrap();
    let mut all = vec![compiler.optimized_ir(functions).unwrap()];
    for &pass in ALL {
        let ir = compiler.optimized_ir_with(&Passes::functions(&[pass]), functions).unwrap();
        assert!(!all.contains(&ir), "{pass:?}");
        assert!(ir.contains("%place = alloca double"), "an `optnone` function changed: {ir}");
        all.push(ir);
    }
}

#[test]
fn empty_pipelines_are_equal() {
    assert_eq!(Passes::text(""), Passes::none());
    assert_eq!(Passes::functions(&[]), Passes::none());
    assert_eq!(Passes::none().as_text(), "");
    let mut compiler = Compiler::builder().build().unwrap();
    let ir = compiler.optimized_ir(functions).unwrap();
    assert!(ir.contains("%product = fmul double %x, 1.000000e+00"), "{ir}");
}

#[test]
fn a_list_converts_to_text() {
    let passes = Passes::functions(&[FunctionPass::EarlyCse, FunctionPass::InstCombine, FunctionPass::Licm]);
    let text = "function(early-cse,instcombine<no-verify-fixpoint>,loop-mssa(licm))";
    assert_eq!(passes.as_text(), text);
    assert_eq!(format!("{passes:?}"), format!("Passes({text:?})"));
}

#[test]
fn a_pass_is_found_by_its_name() {
    for &pass in ALL {
        assert_eq!(FunctionPass::named(pass.as_text()), Some(pass));
    }
    assert_eq!(FunctionPass::named("instcombine"), None);
}

#[test]
fn a_malformed_module_is_refused_before_the_passes() {
    let mut compiler = Compiler::builder().passes(Passes::functions(ALL)).build().unwrap();
    let error = compiler.compile(|cx| {
        let module = square_plus(cx, "f", 1.0);
        cx.append_basic_block(module.get_function("f").unwrap(), "unterminated");
        module
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Module);
    assert!(compiler.compile(|cx| square_plus(cx, "f", 1.0)).is_ok());
}
