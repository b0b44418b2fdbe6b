//! Compiler: passes, texts, contexts, and the compiler's state after an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use inkwell::context::Context;
use llvm_orc::{
    Compiler, ErrorKind, FunctionPass, MODULES_PER_CONTEXT, Object, OptLevel, OutputFile, Passes, Target,
};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib, function, parse, square_plus};

fn run(object: &Object, name: &str) -> f64 {
    let tracker = dylib().add_object(object).unwrap();
    // SAFETY: the callers compile functions of that type.
    unsafe { tracker.lookup_fn::<Nullary>(name) }.unwrap().call(())
}

#[test]
fn every_optimization_level_gives_working_code() {
    for (level, passes) in [
        (OptLevel::None, "default<O0>"),
        (OptLevel::Less, "default<O1>"),
        (OptLevel::Default, "default<O2>"),
        (OptLevel::Aggressive, "default<O3>"),
    ] {
        let passes = Passes::text(passes);
        let mut compiler = Compiler::builder().opt_level(level).passes(passes).build().unwrap();
        for value in [1.0, 2.0] {
            let object = compiler.compile(|cx| constant(cx, "f", value)).unwrap();
            assert_eq!(run(&object, "f"), value);
        }
    }
}

#[test]
fn an_object_has_code_size_and_timings() {
    let object = compiler().compile(|cx| square_plus(cx, "f", 1.0)).unwrap();
    assert!((4..200).contains(&object.code_bytes()), "{}", object.code_bytes());
    assert!(object.bytes().len() as u64 > object.code_bytes());
    let timings = object.timings();
    assert!(!timings.codegen.is_zero());
    assert_eq!(timings.total(), timings.fill + timings.optimize + timings.codegen);
    // SAFETY: the bytes are from the compiler.
    let again = unsafe { Object::from_bytes(object.bytes()) }.unwrap();
    assert_eq!(again.code_bytes(), object.code_bytes());
}

#[test]
fn one_optimization_gives_several_files() {
    let files = [OutputFile::Bitcode, OutputFile::Object, OutputFile::Ir, OutputFile::Assembly];
    let files = [&files[..], &[OutputFile::Object]].concat();
    let made = compiler().files_with(&Passes::none(), &files, |cx| constant(cx, "f", 2.0)).unwrap();
    let [bitcode, object, ir, assembly, again] = &made[..] else { panic!("{} files", made.len()) };
    assert!(bitcode.starts_with(b"BC\xc0\xde"));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text(ir).contains("define double @f"), "{}", text(ir));
    assert!(text(assembly).contains("f:"), "{}", text(assembly));
    // Code that was generated before changes nothing.
    assert_eq!(object, again);
    // SAFETY: the bytes are from the compiler.
    let object = unsafe { Object::from_bytes(&**object) }.unwrap();
    assert_eq!(run(&object, "f"), 2.0);
}

#[test]
fn code_for_any_host_needs_no_new_processor() {
    let mut compiler = Compiler::builder().target(Target::any_host().unwrap()).build().unwrap();
    assert_eq!((compiler.target().cpu(), compiler.target().features()), ("", ""));
    let object = compiler.compile(|cx| constant(cx, "f", 3.0)).unwrap();
    assert_eq!(run(&object, "f"), 3.0);
}

#[test]
fn a_triple_without_a_back_end_is_an_error() {
    let target = Target::of_triple("vax-dec-ultrix").unwrap();
    let error = Compiler::builder().target(target).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Target);
    assert_eq!(Target::of_triple("vax\0").unwrap_err().kind(), ErrorKind::Name);
}

#[test]
fn multiplying_and_adding_are_not_contracted() {
    let text = Compiler::builder()
        .opt_level(OptLevel::Aggressive)
        .passes(Passes::text("default<O3>"))
        .build()
        .unwrap()
        .assembly(|cx| square_plus(cx, "f", 1.0))
        .unwrap();
    assert!(text.contains("mulsd") && !text.contains("fmadd"), "{text}");
}

#[test]
fn optimized_ir_shows_the_effect_of_passes() {
    let mut compiler =
        Compiler::builder().passes(Passes::functions(&[FunctionPass::InstCombine])).build().unwrap();
    let ir = compiler.optimized_ir(|cx| {
        let module = cx.create_module("m");
        function(cx, &module, "f", 1, |b, f| {
            let x = f.get_nth_param(0).unwrap().into_float_value();
            let product = b.build_float_mul(x, cx.f64_type().const_float(1.0), "product").unwrap();
            b.build_return(Some(&product)).unwrap();
        });
        module
    });
    let ir = ir.unwrap();
    assert!(ir.contains("define double @f") && !ir.contains("fmul"), "{ir}");
    assert!(ir.contains("target datalayout") && ir.contains("target triple"), "{ir}");
}

#[test]
fn passes_can_be_chosen_per_module() {
    let mut compiler = Compiler::builder().build().unwrap();
    for _ in 0..2 {
        let plain = compiler.compile(through_stack_variable).unwrap();
        let short =
            compiler.compile_with(&Passes::functions(&[FunctionPass::Sroa]), through_stack_variable).unwrap();
        assert!(short.code_bytes() < plain.code_bytes());
        assert_eq!((run(&plain, "f"), run(&short, "f")), (7.0, 7.0));
    }
    let error = compiler.compile_with(&Passes::text("no-such-pass"), through_stack_variable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pipeline);
    assert!(compiler.compile(through_stack_variable).is_ok());
}

/// `f() = 7`, stored in a stack variable and loaded again.
fn through_stack_variable(cx: &Context) -> inkwell::module::Module<'_> {
    let module = cx.create_module("m");
    function(cx, &module, "f", 0, |b, _| {
        let variable = b.build_alloca(cx.f64_type(), "variable").unwrap();
        b.build_store(variable, cx.f64_type().const_float(7.0)).unwrap();
        let value = b.build_load(cx.f64_type(), variable, "value").unwrap();
        b.build_return(Some(&value)).unwrap();
    });
    module
}

#[test]
fn optnone_functions_are_not_optimized() {
    let ir = compiler().optimized_ir_with(&Passes::text("default<O1>"), |cx| {
        let module = through_stack_variable(cx);
        for name in ["optnone", "noinline"] {
            let kind = inkwell::attributes::Attribute::get_named_enum_kind_id(name);
            module.get_function("f").unwrap().add_attribute(
                inkwell::attributes::AttributeLoc::Function,
                cx.create_enum_attribute(kind, 0),
            );
        }
        module
    });
    assert!(ir.unwrap().contains("alloca"));
}

#[test]
fn a_context_is_replaced_after_a_number_of_modules() {
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
    let mut addresses = std::collections::HashSet::new();
    for n in 0..2 * MODULES_PER_CONTEXT + 2 {
        let object = compiler.compile(|cx| {
            addresses.insert(cx.raw() as usize);
            constant(cx, "f", f64::from(n))
        });
        if n % 256 == 1 {
            assert_eq!(run(&object.unwrap(), "f"), f64::from(n));
        }
    }
    // The third context may have the address of the first.
    assert!((2..=3).contains(&addresses.len()), "{}", addresses.len());
}

#[test]
fn a_module_of_another_context_is_refused() {
    let mut compiler = compiler();
    let other_context = Box::into_raw(Box::new(Context::create()));
    // SAFETY: freed below, after `compile` has dropped the module.
    let error = compiler.compile(|_| constant(unsafe { &*other_context }, "f", 1.0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Module);
    // SAFETY: created above, and its only module was dropped.
    drop(unsafe { Box::from_raw(other_context) });
    assert!(compiler.compile(|cx| constant(cx, "f", 1.0)).is_ok());
}

#[test]
fn a_malformed_module_is_refused() {
    let mut compiler = compiler();
    let error = compiler
        .compile(|cx| {
            let module = cx.create_module("m");
            function(cx, &module, "f", 0, |_, _| {}); // a block without an end
            module
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Module);
    assert!(error.to_string().contains("malformed"), "{error}");
    assert!(compiler.compile(|cx| constant(cx, "f", 1.0)).is_ok());
}

#[test]
fn a_code_generator_diagnostic_is_an_error() {
    let mut compiler = compiler();
    for _ in 0..2 {
        let error = compiler
            .compile(|cx| {
                let module = cx.create_module("m");
                function(cx, &module, "f", 0, |b, _| {
                    let f64 = cx.f64_type();
                    let unary = f64.fn_type(&[f64.into()], false);
                    let constraints = "={no_such_register},{no_such_register}".to_owned();
                    let assembly =
                        cx.create_inline_asm(unary, "nop".to_owned(), constraints, true, false, None, false);
                    let one = f64.const_float(1.0);
                    let result = b.build_indirect_call(unary, assembly, &[one.into()], "result").unwrap();
                    b.build_return(Some(&result.try_as_basic_value().unwrap_basic())).unwrap();
                });
                module
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codegen);
        let object = compiler.compile(|cx| constant(cx, "f", 3.0)).unwrap();
        assert_eq!(run(&object, "f"), 3.0);
    }
}

#[test]
fn a_panic_while_filling_leaves_the_compiler_usable() {
    let mut compiler = compiler();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        compiler.compile(|cx| {
            let _unused = calling(cx, "f", "g");
            panic!("stopped")
        })
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"stopped"));
    assert_eq!(run(&compiler.compile(|cx| constant(cx, "f", 2.0)).unwrap(), "f"), 2.0);
}

#[test]
fn a_leaked_module_is_harmless() {
    let mut compiler = compiler();
    let object = compiler.compile(|cx| {
        std::mem::forget(calling(cx, "f", "g"));
        constant(cx, "f", 5.0)
    });
    assert_eq!(run(&object.unwrap(), "f"), 5.0);
}

#[test]
fn code_can_be_generated_for_an_older_processor() {
    let target = Target::host().unwrap().with_cpu("x86-64").unwrap().with_features(",").unwrap();
    assert_eq!(target.features(), "");
    let mut compiler = Compiler::builder().target(target).build().unwrap();
    let text = compiler.assembly(|cx| square_plus(cx, "f", 1.0)).unwrap();
    assert!(!text.contains("vmulsd"), "{text}");
    let object = compiler.compile(|cx| square_plus(cx, "f", 1.0)).unwrap();
    let tracker = dylib().add_object(&object).unwrap();
    // SAFETY: `f` has that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((2.0,)), 5.0);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn inline_and_module_assembly_are_compiled() {
    let inline = |assembly: &str, constraints: &str| {
        format!(
            "define double @f(double %x) {{\n call void asm sideeffect \"{assembly}\", \"{constraints}\"()\n \
             ret double %x\n}}\n"
        )
    };
    let module = |assembly: &str| {
        format!("module asm \"{assembly}\"\ndefine double @f(double %x) {{\n ret double %x\n}}\n")
    };
    for text in [inline("nop", ""), inline("", "~{memory}"), module(".globl other\\0Aother: ret")] {
        let dylib = dylib();
        let object = compiler().compile(|cx| parse(cx, &text)).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        // SAFETY: `f` has that type.
        assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((2.0,)), 2.0);
        // The session compiles it as well.
        let dylib = crate::test_kit::dylib();
        let tracker = dylib.add_module(llvm_orc::IrModule::build(|cx| parse(cx, &text)).unwrap()).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((2.0,)), 2.0);
    }
    for text in [inline("foo bar baz", ""), inline("mov", ""), module(".bogus directive")] {
        let mut compiler = compiler();
        let error = compiler.compile(|cx| parse(cx, &text)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codegen, "{error}");
        // The compiler is usable afterwards.
        assert!(compiler.compile(|cx| parse(cx, &inline("nop", ""))).is_ok());
        let dylib = dylib();
        let module = llvm_orc::IrModule::build(|cx| parse(cx, &text)).unwrap();
        let tracker = dylib.add_module(module).unwrap();
        assert_eq!(tracker.lookup("f").unwrap_err().kind(), ErrorKind::Link);
    }
}
