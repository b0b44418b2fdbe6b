//! Object cache: a program that starts twice and compiles once. The second start finds its object
//! in a directory.
//!
//! Run by `cargo run -p llvm-orc --example object_cache`. The program starts itself twice with a
//! temporary directory and checks the output of each start.
#![allow(unsafe_code)] // the look-up names a type, and the cache is trusted

use std::error::Error;
use std::path::Path;
use std::process::Command;

use llvm_orc::{Compiler, Jit, ObjectCache, OptLevel, Passes};

/// Environment variable with the directory of the cache, set for the starts that compile.
const DIRECTORY: &str = "OBJECT_CACHE_EXAMPLE";

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return compile_and_call(directory.as_ref());
    }
    let directory = tempfile::tempdir()?;
    for expected in ["compiled", "found"] {
        let output = Command::new(std::env::current_exe()?).env(DIRECTORY, directory.path()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        print!("{text}");
        assert!(output.status.success() && text.starts_with(expected), "{expected}: {output:?}");
    }
    Ok(())
}

fn compile_and_call(directory: &Path) -> Result<(), Box<dyn Error>> {
    // SAFETY: the directory is temporary, and no other program writes to it.
    let cache = unsafe { ObjectCache::open(directory) }?;
    let mut compiler = Compiler::builder()
        .opt_level(OptLevel::Default)
        .passes(Passes::text("default<O2>"))
        .cache(cache.clone())
        .build()?;
    let object = compiler.compile(|cx| {
        let module = cx.create_module("example");
        let f64 = cx.f64_type();
        let square = module.add_function("square", f64.fn_type(&[f64.into()], false), None);
        let builder = cx.create_builder();
        builder.position_at_end(cx.append_basic_block(square, "entry"));
        let x = square.get_nth_param(0).expect("it has one parameter").into_float_value();
        let product = builder.build_float_mul(x, x, "product").expect("the builder is in a block");
        builder.build_return(Some(&product)).expect("the builder is in a block");
        module
    })?;
    let tracker = Jit::builder().build()?.create_bare_dylib("example")?.add_object(&object)?;
    // SAFETY: `square` belongs to the object and has this type.
    let square = unsafe { tracker.lookup_fn::<extern "C" fn(f64) -> f64>("square") }?;
    assert_eq!(square.call((7.0,)), 49.0);
    let how = if cache.hits() == 1 { "found" } else { "compiled" };
    println!("{how} in {:?}", object.timings().optimize + object.timings().codegen);
    Ok(())
}
