//! Lazy compilation by ORC: functions are stored as syntax trees, and compiled at their first call.
//!
//! ```text
//!  "square x = x * x" ─ parse ─► tree ─ define_lazily ─► square$impl  (not compiled yet)
//!                                       reexport_lazily ► square       (a stub with a constant address)
//!  first call ──► stub ─► trampoline ─► look-up of square$impl ─► materialize: IR ─► object ─► linked
//!  later calls ─► stub ─► code
//! ```
//!
//! Run by `cargo run -p llvm-orc --example lazy_ast`. The program asserts every claim.
#![allow(unsafe_code)] // naming the type of a function that is looked up

mod language;
mod symbols;

use std::error::Error;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use language::Definition;
use llvm_orc::{
    Dylib, FunctionPass, IrModule, Jit, Materialize, OptLevel, Passes, Responsibility, SymbolFlags,
};

type Unary = extern "C" fn(f64) -> f64;

const PROGRAM: &str = "
    square x = x * x
    cube x = x * square ( x )
    shifted x = cube ( x + 1 ) - square ( x )
    raced x = square ( x ) + 0.5
    never x = nowhere ( x )
";

/// Names of the materialized functions, in order.
type MaterializedNames = Arc<Mutex<Vec<String>>>;

/// A function that is stored as a syntax tree.
struct FunctionTree {
    definition: Definition,
    materialized: MaterializedNames,
}

impl Materialize for FunctionTree {
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), llvm_orc::Error> {
        let Definition { name, .. } = &self.definition;
        self.materialized.lock().expect("no thread panics under the lock").push(name.clone());
        let symbol = symbols::code(name);
        let module = IrModule::build(|context| {
            self.definition.lower(context, &symbol).expect("the builder is in a block")
        })?;
        responsibility.emit_module(module);
        Ok(())
    }
}

fn define(dylib: &Dylib, line: &str, materialized: &MaterializedNames) -> Result<(), Box<dyn Error>> {
    let definition = Definition::parse(line).ok_or_else(|| format!("not a definition: {line}"))?;
    let name = definition.name.clone();
    let code = symbols::code(&name);
    let tree = FunctionTree { definition, materialized: Arc::clone(materialized) };
    dylib.define_lazily([(code.as_str(), SymbolFlags::FUNCTION)], tree)?;
    dylib.reexport_lazily(dylib, [(name.as_str(), code.as_str())])?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let passes = Passes::functions(&[FunctionPass::EarlyCse, FunctionPass::InstCombine]);
    let jit = Jit::builder().passes(passes, OptLevel::Default).build()?;
    let dylib = jit.create_bare_dylib("program")?;
    let materialized = MaterializedNames::default();
    for line in PROGRAM.lines().map(str::trim).filter(|line| !line.is_empty()) {
        define(&dylib, line, &materialized)?;
    }
    let names = || materialized.lock().expect("no thread panics under the lock").clone();

    // Looking up a function creates its stub, but no code.
    let stub = dylib.lookup("shifted")?;
    assert!(names().is_empty(), "no function is compiled before its first call");

    // The first call compiles the function, and each callee when it is reached.
    //
    // SAFETY: all functions with one parameter have this type, and none is ever removed.
    let shifted = unsafe { dylib.lookup_fn::<Unary>("shifted") }?;
    assert_eq!(shifted.call((2.0,)), 23.0);
    assert_eq!(names(), ["shifted", "cube", "square"]);
    assert_eq!(shifted.call((3.0,)), 55.0);
    assert_eq!(names().len(), 3, "a second call compiles nothing");
    assert_eq!(dylib.lookup("shifted")?, stub, "the address never changes");

    // Eight threads call a function that is not compiled yet. It is compiled once, and all threads
    // get its result.
    let start = Barrier::new(8);
    thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    // SAFETY: as above.
                    let raced = unsafe { dylib.lookup_fn::<Unary>("raced") }?;
                    start.wait();
                    Ok::<f64, llvm_orc::Error>(raced.call((4.0,)))
                })
            })
            .collect();
        for racer in racers {
            assert_eq!(racer.join().expect("no racer panics")?, 16.5);
        }
        Ok::<(), llvm_orc::Error>(())
    })?;
    assert_eq!(names(), ["shifted", "cube", "square", "raced"]);

    // A function that is never called is never compiled, so its undefined callee is no error.
    assert!(!names().contains(&"never".to_owned()));
    println!("compiled, in this order: {}", names().join(", "));
    Ok(())
}
