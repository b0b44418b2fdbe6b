//! The end of the process while threads compile. LLVM's statics must outlive their work.
//!
//! Each child process ends at another moment. LLVM creates most of its statics while it compiles
//! the first module.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::{Compiler, Error, ErrorKind, IrModule, OptLevel, Passes};

use crate::own_process::ends_own_process;
use crate::test_kit::{dylib, function};

/// The children of each test.
const N_CHILDREN: u64 = 12;

const EXIT_CODE: i32 = 7;

/// A function that takes some milliseconds to compile.
fn long(cx: &Context) -> Module<'_> {
    let module = cx.create_module("long");
    function(cx, &module, "long", 2, |b, f| {
        let mut x = f.get_nth_param(0).unwrap().into_float_value();
        let y = f.get_nth_param(1).unwrap().into_float_value();
        for n in 0..500 {
            let product = b.build_float_mul(x, y, "").unwrap();
            x = b.build_float_add(product, cx.f64_type().const_float(f64::from(n)), "").unwrap();
        }
        b.build_return(Some(&x)).unwrap();
    });
    module
}

// SAFETY: the signature is that of C's function.
unsafe extern "C" {
    fn atexit(handler: extern "C" fn()) -> i32;
}

/// An exit handler that gives the other threads time. It is registered before LLVM creates its
/// statics, so it runs after they would have been destroyed.
extern "C" fn wait() {
    std::thread::park_timeout(Duration::from_millis(20));
}

/// Compiles, until it returns an error.
type Compile = Box<dyn FnMut() -> Result<(), Error>>;

/// Ends child processes while `compile` runs again and again on two other threads.
fn end_processes(name: &str, compile: fn() -> Compile) {
    for _ in 0..N_CHILDREN {
        ends_own_process(name, EXIT_CODE, || {
            // SAFETY: the handler is a function, and does not panic.
            assert_eq!(unsafe { atexit(wait) }, 0);
            let (begins, begun) = channel();
            for _ in 0..2 {
                let begins = begins.clone();
                std::thread::spawn(move || {
                    begins.send(()).unwrap();
                    let mut compile = compile();
                    while let Ok(()) = compile() {}
                });
            }
            begun.recv().unwrap();
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
            let delay = Duration::from_nanos((nanos % 60_000_000).into());
            eprintln!("the process ends after {delay:?}");
            std::thread::park_timeout(delay);
            std::process::exit(EXIT_CODE);
        });
    }
}

#[test]
fn a_process_ends_while_compilers_compile() {
    end_processes("process_exit::a_process_ends_while_compilers_compile", || {
        let builder = Compiler::builder().opt_level(OptLevel::Aggressive).passes(Passes::text("default<O3>"));
        // The process may be ending already.
        let mut compiler = builder.build();
        Box::new(move || match &mut compiler {
            Ok(compiler) => expected(compiler.compile(long).map(drop)),
            Err(_) => Err(Error::custom(ErrorKind::ProcessExit, "")),
        })
    });
}

#[test]
fn a_process_ends_while_a_session_compiles() {
    end_processes("process_exit::a_process_ends_while_a_session_compiles", || {
        let dylib = dylib();
        Box::new(move || {
            let tracker = dylib.add_module(IrModule::build(long).unwrap()).unwrap();
            // The session's error is the failed link's cause.
            tracker.lookup("long").map(drop)
        })
    });
}

/// Whether this process begins its first work when its statics are destroyed.
static WORKS_AT_THE_END: AtomicBool = AtomicBool::new(false);

/// Runs before the constructors of LLVM's global variables.
#[used]
// SAFETY: the section has the addresses of functions without arguments that run before `main`.
#[unsafe(link_section = ".init_array.00101")]
static BEFORE_LLVM: extern "C" fn() = register_last_handler;

/// Exit handlers run in reverse order of registration, so this one runs when LLVM's global
/// variables are destroyed.
extern "C" fn register_last_handler() {
    // SAFETY: the handler is a function, and does not panic.
    unsafe { atexit(work_at_the_end) };
}

extern "C" fn work_at_the_end() {
    if WORKS_AT_THE_END.load(Ordering::Relaxed) {
        let refused = Compiler::builder().build().map(drop).map_err(|error| error.kind());
        _exit(if refused == Err(ErrorKind::ProcessExit) { EXIT_CODE } else { 1 });
    }
}

/// Another thread may begin its first work at any time, and so after `exit` has begun.
#[test]
fn the_first_work_of_a_process_that_ends_is_refused() {
    ends_own_process("process_exit::the_first_work_of_a_process_that_ends_is_refused", EXIT_CODE, || {
        WORKS_AT_THE_END.store(true, Ordering::Relaxed);
        std::process::exit(0);
    });
}

// SAFETY: the signatures are those of C's functions.
unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn alarm(seconds: u32) -> u32;
    safe fn _exit(code: i32) -> !;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
}

#[test]
fn a_child_that_is_forked_while_compilers_compile_compiles() {
    const NAME: &str = "process_exit::a_child_that_is_forked_while_compilers_compile_compiles";
    ends_own_process(NAME, EXIT_CODE, || {
        let compile = |times: usize| {
            let builder = Compiler::builder().opt_level(OptLevel::Aggressive);
            let mut compiler = builder.passes(Passes::text("default<O3>")).build().unwrap();
            (0..times).for_each(|_| drop(compiler.compile(long).unwrap()));
        };
        let (begins, begun) = channel();
        for _ in 0..2 {
            let begins = begins.clone();
            std::thread::spawn(move || {
                begins.send(()).unwrap();
                compile(usize::MAX);
            });
        }
        begun.recv().unwrap();
        for _ in 0..N_CHILDREN {
            let child = fork();
            if child == 0 {
                // A child that hangs is ended by the signal.
                alarm(60);
                compile(1);
                _exit(0);
            }
            let mut status = -1;
            // SAFETY: writes the status of a child of this process.
            assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the child has compiled");
        }
        std::process::exit(EXIT_CODE);
    });
}

/// Aborts this child process if work ended for another reason than the end of the process.
fn expected(result: Result<(), Error>) -> Result<(), Error> {
    if result.as_ref().is_err_and(|error| error.kind() != ErrorKind::ProcessExit) {
        eprintln!("{result:?}");
        std::process::abort();
    }
    result
}
