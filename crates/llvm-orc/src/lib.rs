//! Safe LLVM ORC v2 for any Rust program: modules become objects, objects become code in this process, code goes
//! away again.
//!
//! ```text
//!  Compiler (one per thread)            Jit ── session, shared by every handle, gone with the last
//!    │ fill a module, optimise it        └─ Dylib ── a name space; sees nothing it was not given
//!    ▼                                        ├─ define_absolute: functions of the process, by name
//!  Object ── bytes, anywhere  ── add_object ─►└─ Tracker ── owns one object's symbols, code and memory
//!                                                 └─ Symbol ── a function with a type, borrowed from its tracker
//! ```
//!
//! | | made by | keeps alive | threads | gone when |
//! |---|---|---|---|---|
//! | [`Jit`], [`Dylib`] | [`Jit::builder`], [`Jit::create_bare_dylib`] | the session | `Send + Sync`, cheap to copy | the last handle is dropped |
//! | [`Tracker`] | [`Dylib::add_object`] | the session | `Send + Sync` | removed or dropped, and its code with it |
//! | [`Symbol`] | [`Tracker::lookup_fn`] | nothing: it borrows | `Send + Sync` | before its tracker, the compiler sees to it |
//! | [`Object`] | [`Compiler::compile`] | its bytes | `Send + Sync`, cheap to copy | dropped |
//! | [`Compiler`] | [`Compiler::builder`] | its context and target machine | stays on its thread | dropped |
//! | [`IrModule`] | [`IrModule::build`] | its module and context | `Send` | compiled, or dropped |
//! | [`Materialize`] | the program, for [`Dylib::define_lazily`] | what it owns | `Send` | materialized, overridden, or with the session |
//! | [`Responsibility`] | the session, for [`Materialize`] | the session | `Send` | emitted, failed, or dropped, which fails it |
//!
//! Handles may be dropped in any order on any thread. Linking happens when a symbol is first looked up, on the thread
//! that does so; others that want the same symbol wait for it.
//!
//! # Example
//!
//! ```
//! use llvm_orc::{Compiler, ErrorKind, Jit};
//!
//! // A module is filled inside a closure, because it cannot outlive the compiler's context.
//! let mut compiler = Compiler::builder().build()?;
//! let object = compiler.compile(|cx| {
//!     let module = cx.create_module("example");
//!     let f64 = cx.f64_type();
//!     let double = module.add_function("double", f64.fn_type(&[f64.into()], false), None);
//!     let builder = cx.create_builder();
//!     builder.position_at_end(cx.append_basic_block(double, "entry"));
//!     let x = double.get_nth_param(0).expect("it has one").into_float_value();
//!     let sum = builder.build_float_add(x, x, "sum").expect("in a block");
//!     builder.build_return(Some(&sum)).expect("in a block");
//!     module
//! })?;
//!
//! // The object is linked into a name space of this process and called.
//! let dylib = Jit::builder().build()?.create_bare_dylib("example")?;
//! let tracker = dylib.add_object(&object)?;
//! // SAFETY: `double` is the object's function and takes and gives a double.
//! let double = unsafe { tracker.lookup_fn::<extern "C" fn(f64) -> f64>("double") }?;
//! assert_eq!(double.call((21.0,)), 42.0);
//!
//! // Removing the tracker removes the code. `double` borrows it, so it cannot be called afterwards.
//! tracker.remove()?;
//! assert_eq!(dylib.lookup("double").unwrap_err().kind(), ErrorKind::NotFound);
//! # Ok::<(), llvm_orc::Error>(())
//! ```
//!
//! # Definitions that wait
//!
//! What is costly to make can wait until it is needed. [`Dylib::define_lazily`] defines names by a [`Materialize`], which
//! is called when one of them is first looked up and gets a [`Responsibility`] to be emitted or failed, on whatever
//! thread; dropped, it fails, so that nobody waits for ever. [`Dylib::reexport_lazily`] goes further: a function gets a
//! stub, whose address stays the same, and is looked up when it is first *called*. The example `lazy_ast` keeps a program
//! as syntax trees that way.
//!
//! What a dylib does not define can come from elsewhere: [`Dylib::add_process_symbols`], with a filter of names;
//! [`Dylib::add_dynamic_library`]; [`Dylib::add_static_archive`]; or a [`Generate`] of one's own
//! ([`Dylib::add_generator`]), which may take its time on another thread.
//!
//! [`Dylib::add_module`] and [`Responsibility::emit_module`] leave compiling to the session, on the thread whose look-up
//! needs the code: through [`JitBuilder::ir_transform`], [`JitBuilder::passes`], LLVM's code generator and
//! [`JitBuilder::object_transform`]. LLVM's own default is not safe from two threads there, because all share one target
//! machine. With the shim each module has its own, which takes some hundred microseconds; without it modules are compiled one at
//! a time. A [`Compiler`] for each thread has neither cost.
//!
//! # Debuggers and profilers
//!
//! [`Tracker::show_to_debugger`] names an object's functions in the backtraces of GDB and LLDB, and shows its debug
//! information. [`JitDump`] names them for Linux's perf, and so does [`PerfMap`] in sessions with [`Memory::Pages`]. None costs anything when it is not asked for.
//!
//! # What `unsafe` is left
//!
//! LLVM knows no types of machine code, so these promises remain the caller's: that a function has the type it is
//! looked up with ([`Tracker::lookup_fn`]), that an address from outside is what code believes it to be
//! ([`Dylib::define_absolute`]), and that bytes from elsewhere are an object file to be trusted
//! ([`Object::from_bytes`]), that nothing of a dylib is called once it was emptied ([`Dylib::clear`]), that a library is to be trusted
//! ([`Dylib::add_dynamic_library`], [`Dylib::add_static_archive`]), that a directory of objects is
//! ([`ObjectCache::open`]), and what is called
//! in place of a function that could not be made ([`JitBuilder::on_lazy_failure`]). [`CompilerBuilder::without_verifier`] adds another for those who count microseconds.
//!
//! # When LLVM gives up
//!
//! What LLVM reports comes back as an [`Error`]: malformed modules, complaints of the code generator, failures of the
//! linker. For what it holds to be its own faults it ends the process, and no handler can go on from there. Two known
//! ways to that: plain `instcombine` in the text of a pipeline (write `instcombine<no-verify-fixpoint>`), and
//! intrinsics that the machine has no instructions for.
//!
//! # Features
//!
//! - `llvm22-1` (default) or `llvm23-1`: the LLVM that is linked, of which there is one.
//! - `inkwell` (default): the [`Compiler`]. Without it, objects come by [`Object::from_bytes`].
//! - `shim` (default): a few small C++ files, built with the flags of the LLVM that is linked. They keep passes between
//!   modules, link only those that are asked for, make sessions without what LLVM's C API cannot leave out, and put
//!   linked objects side by side ([`Memory::Slabs`]). Without it everything works, more slowly.
#![allow(unsafe_code)] // the fence around LLVM's C API

#[cfg(all(feature = "llvm22-1", not(feature = "llvm23-1")))]
extern crate llvm_sys_22 as llvm_sys;
#[cfg(all(feature = "llvm23-1", not(feature = "llvm22-1")))]
extern crate llvm_sys_23 as llvm_sys;

#[cfg(all(feature = "llvm22-1", feature = "llvm23-1"))]
compile_error!(
    "llvm-orc: one LLVM is linked; choose `llvm22-1` or `llvm23-1` (`llvm22-1` is a default feature)"
);
#[cfg(not(any(feature = "llvm22-1", feature = "llvm23-1")))]
compile_error!("llvm-orc: choose the LLVM that is linked by a feature: `llvm22-1` or `llvm23-1`");

// From IR to object files.
mod arch;
#[cfg(feature = "inkwell")]
mod compiler;
mod object;
mod target;
#[cfg(any(feature = "inkwell", not(feature = "shim")))]
mod target_machine;

// From object files to addresses.
mod address;
mod dylib;
mod jit;
mod object_transforms;
mod session;
mod symbols;
mod tracker;

// Definitions that a session creates on demand.
mod generator;
#[cfg(feature = "inkwell")]
mod ir_module;
#[cfg(feature = "inkwell")]
mod ir_transforms;
mod lazy_reexports;
mod materialization_unit;
mod responsibility;

// Debuggers and profilers.
mod gdb;
#[cfg(target_os = "linux")]
mod jitdump;
mod linked_functions;
mod perf_map;

// Crossing from Rust to C++ and back.
mod boundary;
mod error;

pub use address::{Address, Function, Symbol};
#[cfg(feature = "inkwell")]
pub use compiler::{Compiler, CompilerBuilder, FunctionPass, MODULES_PER_CONTEXT, ObjectCache, Passes};
pub use dylib::Dylib;
pub use error::{Error, ErrorKind};
pub use generator::{Generate, PendingLookup, SuspendedLookup};
#[cfg(feature = "inkwell")]
pub use ir_module::IrModule;
pub use jit::{Jit, JitBuilder, Memory};
#[cfg(target_os = "linux")]
pub use jitdump::JitDump;
pub use materialization_unit::Materialize;
pub use object::{Object, Timings};
pub use perf_map::PerfMap;
pub use responsibility::Responsibility;
pub use symbols::SymbolFlags;
pub use target::{OptLevel, Target};
pub use tracker::Tracker;
