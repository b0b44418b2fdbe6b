//! A language in thirty lines: compiles a function of `x` in reverse Polish notation.
//!
//! Run by `cargo run -p llvm-orc --example small_language -- "x x * 1 +" 3`. The only `unsafe`
//! block is the look-up that names the function's type.

use std::error::Error;

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::{Compiler, FunctionPass, Jit, OptLevel, Passes, Tracker};

fn lower<'cx>(context: &'cx Context, program: &str) -> Result<Module<'cx>, Box<dyn Error>> {
    let (module, f64) = (context.create_module("program"), context.f64_type());
    let function = module.add_function("program", f64.fn_type(&[f64.into()], false), None);
    let builder = context.create_builder();
    builder.position_at_end(context.append_basic_block(function, "entry"));
    let x = function.get_nth_param(0).ok_or("no parameter")?.into_float_value();
    let mut stack = Vec::new();
    for word in program.split_whitespace() {
        let value = match word {
            "x" => x,
            "+" | "-" | "*" | "/" => {
                let right = stack.pop().ok_or("too few operands")?;
                let left = stack.pop().ok_or("too few operands")?;
                match word {
                    "+" => builder.build_float_add(left, right, "sum")?,
                    "-" => builder.build_float_sub(left, right, "difference")?,
                    "*" => builder.build_float_mul(left, right, "product")?,
                    _ => builder.build_float_div(left, right, "quotient")?,
                }
            }
            number => f64.const_float(number.parse()?),
        };
        stack.push(value);
    }
    builder.build_return(Some(&stack.pop().ok_or("empty program")?))?;
    if stack.is_empty() { Ok(module) } else { Err("too many operands".into()) }
}

fn compile(program: &str) -> Result<Tracker, Box<dyn Error>> {
    let passes = Passes::functions(&[FunctionPass::EarlyCse, FunctionPass::InstCombine]);
    let mut compiler = Compiler::builder().passes(passes).opt_level(OptLevel::Default).build()?;
    let mut mistake = None;
    let object = compiler.compile(|context| {
        lower(context, program).unwrap_or_else(|error| {
            mistake = Some(error);
            context.create_module("mistake")
        })
    })?;
    match mistake {
        Some(mistake) => Err(mistake),
        None => Ok(Jit::builder().build()?.create_bare_dylib("program")?.add_object(&object)?),
    }
}

fn run(program: &str, x: f64) -> Result<f64, Box<dyn Error>> {
    let tracker = compile(program)?;
    #[allow(unsafe_code)]
    // SAFETY: `lower` gives the function this type.
    let function = unsafe { tracker.lookup_fn::<extern "C" fn(f64) -> f64>("program") }?;
    Ok(function.call((x,)))
}

fn main() -> Result<(), Box<dyn Error>> {
    if let [_, program, x] = std::env::args().collect::<Vec<_>>().as_slice()
        && let Ok(x) = x.parse()
    {
        println!("{}", run(program, x)?);
        return Ok(());
    }
    assert_eq!(run("x x * 1 +", 3.0)?, 10.0);
    assert_eq!(run("1 x / 2 -", 0.5)?, 0.0);
    for (mistake, message) in
        [("x +", "too few operands"), ("x x", "too many operands"), ("", "empty program")]
    {
        assert_eq!(run(mistake, 1.0).map_err(|error| error.to_string()), Err(message.to_owned()));
    }
    println!("x x * 1 + with x = 3: {}", run("x x * 1 +", 3.0)?);
    Ok(())
}
