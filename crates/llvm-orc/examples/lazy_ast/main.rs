//! LLVM's own lazy way: functions are kept as syntax trees under their names, and become IR, code and an address when they
//! are first called.
//!
//! ```text
//!  "square x = x * x" ─parse─► tree ─define_lazily─► square$impl   (not made)
//!                                     reexport_lazily ► square      (a stub; its address is the function's for ever)
//!  first call ─► stub ─► trampoline ─► look-up of square$impl ─► materialize: IR ─► passes ─► object ─► linked
//!  later calls ─► stub ─► code
//! ```
//!
//! Run by `cargo run -p llvm-orc --example lazy_ast`. Every claim is asserted.
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

/// The names of the functions that were made, in order.
type Made = Arc<Mutex<Vec<String>>>;

/// A function that is still a tree.
struct Tree {
    definition: Definition,
    made: Made,
}

impl Materialize for Tree {
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), llvm_orc::Error> {
        let Definition { name, .. } = &self.definition;
        self.made.lock().expect("no thread panics under the lock").push(name.clone());
        let symbol = symbols::body(name);
        let module = IrModule::build(|context| {
            self.definition.lower(context, &symbol).expect("the builder stands in a block")
        })?;
        responsibility.emit_module(module);
        Ok(())
    }
}

fn define(dylib: &Dylib, line: &str, made: &Made) -> Result<(), Box<dyn Error>> {
    let definition = Definition::parse(line).ok_or_else(|| format!("no definition: {line}"))?;
    let name = definition.name.clone();
    let body = symbols::body(&name);
    let tree = Tree { definition, made: Arc::clone(made) };
    dylib.define_lazily([(body.as_str(), SymbolFlags::FUNCTION)], tree)?;
    dylib.reexport_lazily(dylib, [(name.as_str(), body.as_str())])?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let passes = Passes::functions(&[FunctionPass::EarlyCse, FunctionPass::InstCombine]);
    let jit = Jit::builder().passes(passes, OptLevel::Default).build()?;
    let dylib = jit.create_bare_dylib("program")?;
    let made = Made::default();
    for line in PROGRAM.lines().map(str::trim).filter(|line| !line.is_empty()) {
        define(&dylib, line, &made)?;
    }
    let made_by_now = || made.lock().expect("no thread panics under the lock").clone();

    // Looking a function up makes its stub, and no code.
    let stub = dylib.lookup("shifted")?;
    assert!(made_by_now().is_empty(), "nothing is made before it is called");

    // The first call makes it and what it calls, each when it is reached.
    // SAFETY: every function of the language with one parameter has this type, and none is ever removed.
    let shifted = unsafe { dylib.lookup_fn::<Unary>("shifted") }?;
    assert_eq!(shifted.call((2.0,)), 23.0);
    assert_eq!(made_by_now(), ["shifted", "cube", "square"]);
    assert_eq!(shifted.call((3.0,)), 55.0);
    assert_eq!(made_by_now().len(), 3, "a second call makes nothing");
    assert_eq!(dylib.lookup("shifted")?, stub, "the address is the same before and after");

    // Eight threads call a function that is not made yet: it is made once, and all get its value.
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
    assert_eq!(made_by_now(), ["shifted", "cube", "square", "raced"]);

    // What is never called is never made, so nobody minds that it calls a function which there is not.
    assert!(!made_by_now().contains(&"never".to_owned()));
    println!("made, in this order: {}", made_by_now().join(", "));
    Ok(())
}
