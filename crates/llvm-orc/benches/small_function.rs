//! What does a small function cost: the first in a process, and each one after that?
//!
//! `cargo bench -p llvm-orc`, and with `--no-default-features --features llvm22-1,inkwell` for
//! passes that LLVM's C API creates.
//!
//! Prints microseconds. The first row of a pipeline is its first function, and the very first row
//! is also the first function of the process. The second row is the 10th percentile of the later
//! functions, which other load on the machine affects least.
#![allow(unsafe_code)] // naming the type of a function that is looked up

use std::error::Error;
use std::time::{Duration, Instant};

use inkwell::FloatPredicate;
use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::FunctionPass::{EarlyCse, InstCombine, Licm, SimplifyCfg, Sroa};
use llvm_orc::{Compiler, Dylib, Jit, OptLevel, Passes, Target};

const N_LATER: u32 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let (target, host) = timed(Target::host);
    let target = target?;
    let (jit, session) = timed(|| Jit::builder().target(target.clone()).build());
    let jit = jit?;
    let (second_jit, second_session) = timed(|| Jit::builder().target(target.clone()).build());
    drop(second_jit?);
    println!("target {}   session {}   second session {}", us(host), us(session), us(second_session));
    let dylib = jit.create_bare_dylib("bench")?;
    println!(
        "{:34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "pipeline", "compiler", "fill", "optimize", "codegen", "link", "remove"
    );
    for (level, passes) in [
        (OptLevel::None, Passes::none()),
        (OptLevel::Less, Passes::none()),
        (OptLevel::Less, Passes::functions(&[EarlyCse, InstCombine, Licm])),
        (OptLevel::Less, Passes::text("early-cse,instcombine<no-verify-fixpoint>,loop-mssa(licm)")),
        (OptLevel::Less, Passes::functions(&[Sroa, InstCombine, SimplifyCfg])),
        (
            OptLevel::Default,
            Passes::text("sroa,early-cse,instcombine<no-verify-fixpoint>,reassociate,gvn,simplifycfg"),
        ),
        (OptLevel::Less, Passes::text("default<O1>")),
        (OptLevel::Default, Passes::text("default<O2>")),
    ] {
        let name = format!("{level:?} {}", passes.as_text());
        let (compiler, creation) =
            timed(|| Compiler::builder().target(target.clone()).opt_level(level).passes(passes).build());
        let mut compiler = compiler?;
        let first = steps(&mut compiler, &dylib, 0)?;
        let mut later: Vec<_> =
            (1..=N_LATER).map(|n| steps(&mut compiler, &dylib, n)).collect::<Result<_, _>>()?;
        print_row(&name, creation, first);
        let mut percentiles = [Duration::ZERO; 5];
        for (step, percentile) in percentiles.iter_mut().enumerate() {
            later.sort_by_key(|steps| steps[step]);
            *percentile = later[later.len() / 10][step];
        }
        print_row("  later", Duration::ZERO, percentiles);
    }
    Ok(())
}

/// Compiles, links, calls and removes one function. Returns the time of each step.
fn steps(compiler: &mut Compiler, dylib: &Dylib, n: u32) -> Result<[Duration; 5], llvm_orc::Error> {
    let object = compiler.compile(|cx| collatz_step(cx, n))?;
    let timings = object.timings();
    let (tracker, link) = timed(|| {
        let tracker = dylib.add_object(&object)?;
        tracker.lookup("f")?;
        Ok::<_, llvm_orc::Error>(tracker)
    });
    let tracker = tracker?;
    // SAFETY: `f` has that type.
    let f = unsafe { tracker.lookup_fn::<extern "C" fn(f64) -> f64>("f") }?;
    assert_eq!(f.call((8.0,)), 4.0 + f64::from(n));
    let (removed, remove) = timed(|| tracker.remove());
    removed?;
    Ok([timings.fill, timings.optimize, timings.codegen, link, remove])
}

/// `f(x) = (if x < 9 then x / 2 else x * 3 + 1) + n` with `x` on the stack: about 25 instructions,
/// as a simple front end emits them.
fn collatz_step(cx: &Context, n: u32) -> Module<'_> {
    let module = cx.create_module("m");
    let f64 = cx.f64_type();
    let function = module.add_function("f", f64.fn_type(&[f64.into()], false), None);
    let nounwind = inkwell::attributes::Attribute::get_named_enum_kind_id("nounwind");
    function
        .add_attribute(inkwell::attributes::AttributeLoc::Function, cx.create_enum_attribute(nounwind, 0));
    let [entry, less, more, done] =
        ["entry", "less", "more", "done"].map(|name| cx.append_basic_block(function, name));
    let b = cx.create_builder();
    let fill = || -> Result<(), inkwell::builder::BuilderError> {
        b.position_at_end(entry);
        let place = b.build_alloca(f64, "x")?;
        b.build_store(place, function.get_first_param().expect("one parameter"))?;
        let load = |name| {
            Ok::<_, inkwell::builder::BuilderError>(b.build_load(f64, place, name)?.into_float_value())
        };
        let is_less =
            b.build_float_compare(FloatPredicate::ULT, load("x")?, f64.const_float(9.0), "is_less")?;
        b.build_conditional_branch(is_less, less, more)?;
        b.position_at_end(less);
        let half = b.build_float_div(load("x")?, f64.const_float(2.0), "half")?;
        b.build_store(place, half)?;
        b.build_unconditional_branch(done)?;
        b.position_at_end(more);
        let triple = b.build_float_mul(load("x")?, f64.const_float(3.0), "triple")?;
        let next = b.build_float_add(triple, f64.const_float(1.0), "next")?;
        b.build_store(place, next)?;
        b.build_unconditional_branch(done)?;
        b.position_at_end(done);
        let sum = b.build_float_add(load("x")?, f64.const_float(f64::from(n)), "sum")?;
        b.build_return(Some(&sum))?;
        Ok(())
    };
    fill().expect("the builder is in a block");
    module
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed())
}

fn us(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e6)
}

fn print_row(name: &str, creation: Duration, steps: [Duration; 5]) {
    let short: String = name.chars().take(34).collect();
    print!("{short:34} {:>9}", if creation.is_zero() { String::new() } else { us(creation) });
    for step in steps {
        print!(" {:>9}", us(step));
    }
    println!();
}
