//! Test kit: small modules to compile, and the process's memory.

use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::FunctionValue;
use llvm_orc::{Compiler, Dylib, Jit, OptLevel};

pub(crate) type Nullary = extern "C" fn() -> f64;
pub(crate) type Unary = extern "C" fn(f64) -> f64;

pub(crate) fn compiler() -> Compiler {
    Compiler::builder().opt_level(OptLevel::Less).build().unwrap()
}

pub(crate) fn dylib() -> Dylib {
    Jit::builder().build().unwrap().create_bare_dylib("test").unwrap()
}

/// Adds a function with `arity` parameters of type `double`. `fill` emits its instructions.
pub(crate) fn function<'cx>(
    cx: &'cx Context,
    module: &Module<'cx>,
    name: &str,
    arity: usize,
    fill: impl FnOnce(&inkwell::builder::Builder<'cx>, FunctionValue<'cx>),
) {
    let f64 = cx.f64_type();
    let function = module.add_function(name, f64.fn_type(&vec![f64.into(); arity], false), None);
    let nounwind = inkwell::attributes::Attribute::get_named_enum_kind_id("nounwind");
    function
        .add_attribute(inkwell::attributes::AttributeLoc::Function, cx.create_enum_attribute(nounwind, 0));
    let builder = cx.create_builder();
    builder.position_at_end(cx.append_basic_block(function, "entry"));
    fill(&builder, function);
}

/// `name() = value`
pub(crate) fn constant<'cx>(cx: &'cx Context, name: &str, value: f64) -> Module<'cx> {
    let module = cx.create_module(name);
    function(cx, &module, name, 0, |b, _| {
        b.build_return(Some(&cx.f64_type().const_float(value))).unwrap();
    });
    module
}

/// `name(x) = x * x + addend`
pub(crate) fn square_plus<'cx>(cx: &'cx Context, name: &str, addend: f64) -> Module<'cx> {
    let module = cx.create_module(name);
    function(cx, &module, name, 1, |b, f| {
        let x = f.get_nth_param(0).unwrap().into_float_value();
        let square = b.build_float_mul(x, x, "square").unwrap();
        let sum = b.build_float_add(square, cx.f64_type().const_float(addend), "sum").unwrap();
        b.build_return(Some(&sum)).unwrap();
    });
    module
}

/// `name(x) = callee(x)`
pub(crate) fn calling<'cx>(cx: &'cx Context, name: &str, callee: &str) -> Module<'cx> {
    let module = cx.create_module(name);
    let f64 = cx.f64_type();
    let callee = module.add_function(callee, f64.fn_type(&[f64.into()], false), None);
    function(cx, &module, name, 1, |b, f| {
        let x = f.get_nth_param(0).unwrap();
        let result = b.build_call(callee, &[x.into()], "result").unwrap();
        b.build_return(Some(&result.try_as_basic_value().unwrap_basic())).unwrap();
    });
    module
}

/// The module of this IR text.
pub(crate) fn parse<'cx>(cx: &'cx Context, text: &str) -> Module<'cx> {
    let text = std::ffi::CString::new(text).unwrap();
    let buffer =
        inkwell::memory_buffer::MemoryBuffer::create_from_memory_range_copy(text.as_bytes_with_nul(), "m");
    cx.create_module_from_ir(buffer).unwrap()
}

/// Resident memory of the process in bytes.
pub(crate) fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
