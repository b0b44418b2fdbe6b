//! Safe LLVM ORC v2 for any Rust program: compile modules to objects, link objects into this
//! process, call their functions, and remove them.
//!
//! ```text
//!  Compiler ── one per thread        Jit ── a session, which all handles share
//!    │ fills, optimizes                └─ Dylib ── sees only what it was given
//!    ▼                                      │
//!  Object ── bytes ────── add_object ──►    └─ Tracker ── owns symbols and code
//!                                                └─ Symbol ── a typed function
//! ```
//!
//! | type | created by | keeps alive | threads | ends when |
//! |---|---|---|---|---|
//! | [`Jit`] | [`Jit::builder`] | the session | `Send + Sync` | the last handle is dropped |
//! | [`Dylib`] | [`Jit::create_bare_dylib`] | the session | `Send + Sync` | as `Jit` |
//! | [`Tracker`] | [`Dylib::add_object`] | the session | `Send + Sync` | removed or dropped |
//! | [`Symbol`] | [`Tracker::lookup_fn`] | nothing: a borrow | `Send + Sync` | its tracker ends |
//! | [`OwnedSymbol`] | [`Tracker::lookup_owned_fn`] | its tracker | `Send + Sync` | the last clone is dropped |
//! | [`Object`] | [`Compiler::compile`] | its bytes | `Send + Sync` | dropped |
//! | [`Compiler`] | [`Compiler::builder`] | its context | one thread | dropped |
//! | [`IrModule`] | [`IrModule::build`] | its context | `Send` | compiled or dropped |
//! | [`Materialize`] | the program | its fields | `Send` | materialized or overridden |
//! | [`Responsibility`] | the session | the session | `Send` | emitted, failed or dropped |
//!
//! Handles may be dropped in any order and on any thread. The first look-up of a symbol links its
//! object, on the thread of the look-up. Other threads that look up the symbol wait.
//!
//! # Example
//!
//! ```
//! use llvm_orc::{Compiler, ErrorKind, Jit};
//!
//! // The closure fills a module. The module cannot outlive the compiler's context.
//! let mut compiler = Compiler::builder().build()?;
//! let object = compiler.compile(|cx| {
//!     let module = cx.create_module("example");
//!     let f64 = cx.f64_type();
//!     let double = module.add_function("double", f64.fn_type(&[f64.into()], false), None);
//!     let builder = cx.create_builder();
//!     builder.position_at_end(cx.append_basic_block(double, "entry"));
//!     let x = double.get_nth_param(0).expect("it has one parameter").into_float_value();
//!     let sum = builder.build_float_add(x, x, "sum").expect("the builder is in a block");
//!     builder.build_return(Some(&sum)).expect("the builder is in a block");
//!     module
//! })?;
//!
//! // The dylib links the object into this process.
//! let dylib = Jit::builder().build()?.create_bare_dylib("example")?;
//! let tracker = dylib.add_object(&object)?;
//! // SAFETY: `double` belongs to the object, and has this type.
//! let double = unsafe { tracker.lookup_fn::<extern "C" fn(f64) -> f64>("double") }?;
//! assert_eq!(double.call((21.0,)), 42.0);
//!
//! // Removing the tracker removes the code. `double` borrows the tracker, so a later call of
//! // `double` does not compile.
//! tracker.remove()?;
//! assert_eq!(dylib.lookup("double").unwrap_err().kind(), ErrorKind::NotFound);
//! # Ok::<(), llvm_orc::Error>(())
//! ```
//!
//! # Lazy definitions
//!
//! - [`Dylib::define_lazily`] defines names by a [`Materialize`], which is called when one of them
//!   is first looked up. It receives a [`Responsibility`], which any thread may emit or fail later.
//!   Dropping the responsibility fails it, so no look-up waits forever.
//! - [`Dylib::reexport_lazily`] defines a stub with a constant address. The stub's target is looked
//!   up when the stub is first *called*. The example `lazy_ast` stores a program as syntax trees
//!   that are compiled at their first call.
//! - Generators define names that a dylib does not define: [`Dylib::add_process_symbols`] with a
//!   filter of names, [`Dylib::add_dynamic_library`], [`Dylib::add_static_archive`], or your own
//!   [`Generate`] with [`Dylib::add_generator`], which may finish on another thread.
//!
//! # Functions that are replaced while they run
//!
//! [`Dylib::define_redirectable`] defines a stub that [`Redirectable::redirect`] points at other
//! code, while threads call it. The former code is removed when no thread can be inside of it.
//! [`Tracker::retire`] removes any code in this way. A thread is inside while it calls a function
//! by this crate: by [`Symbol::call`], [`OwnedSymbol::call`] or [`Redirectable::call`].
//!
//! [`ReoptimizeLayer`] is made of such stubs. Functions start in code that is compiled fast and
//! counts its calls ([`CallCounters`]). A thread in the background optimizes those that are hot.
//! Definitions can be replaced, and optimized code can be invalidated. The example `reoptimize`
//! does both under a running caller.
//!
//! # Other code generators
//!
//! A [`CodeGenerator`] turns a module, bytes or any other input into an object. It replaces LLVM's
//! code generator in a session ([`JitBuilder::code_generator`]), or compiles functions when they
//! are first looked up ([`Dylib::generate_lazily`]).
//!
//! # Modules that the session compiles
//!
//! [`Dylib::add_module`] and [`Responsibility::emit_module`] add an [`IrModule`]. The session
//! compiles the module on the thread whose look-up needs the code, by [`JitBuilder::ir_transform`],
//! [`JitBuilder::passes`], LLVM's code generator and [`JitBuilder::object_transform`].
//!
//! LLVM's default compiles on two threads with one target machine, which is not thread-safe. With
//! the feature `shim`, each module has its own target machine, which takes a few hundred
//! microseconds. Without it, modules are compiled one at a time. A [`Compiler`] per thread has
//! neither cost.
//!
//! # Debuggers and profilers
//!
//! [`Tracker::show_to_debugger`] names an object's functions in backtraces of GDB and LLDB, and
//! makes its debug information available. Functions have unwind information, which backtraces
//! need, if they have LLVM's attribute `uwtable` or debug information. [`JitDump`] names functions
//! for Linux's perf. [`PerfMap`] does so in sessions with [`Memory::Pages`]. None of them costs
//! anything when it is not used. [`JitBuilder::on_linked`] shows each linked object to the program,
//! with its tracker and its addresses.
//!
//! # Remaining `unsafe`
//!
//! LLVM does not know the types of machine code, so the caller promises:
//!
//! | function | promise |
//! |---|---|
//! | [`Tracker::lookup_fn`], [`Tracker::lookup_owned_fn`] | the function has this type, and what it reaches by addresses and stubs exists |
//! | [`Dylib::lookup_fn`] | as above, and its code is not removed |
//! | [`Dylib::define_redirectable`] | as above, for all targets, and callers of the stub are called by this crate |
//! | [`ReoptimizeLayer::lookup_fn`] | as above, also for later definitions |
//! | [`CallCounters::add_to`] | the code does not run after the counters were dropped |
//! | [`Dylib::define_absolute`] | the address has the type that code expects |
//! | [`Object::from_bytes`] | the bytes are a trusted object file |
//! | [`Dylib::clear`] | no code of the dylib is called afterwards |
//! | [`Dylib::add_dynamic_library`], [`Dylib::add_static_archive`] | the library is trusted |
//! | [`ObjectCache::open`] | the directory is trusted |
//! | [`JitBuilder::on_lazy_failure`] | each returned function can replace the one that failed |
//! | [`CompilerBuilder::without_verifier`] | every module is well formed |
//!
//! # What is freed, and what can still be called
//!
//! A [`Symbol`] is called safely, so nothing safe may free what it runs:
//!
//! | operation | frees | what can still be called |
//! |---|---|---|
//! | [`Tracker::remove`], dropping it | names and code of the tracker | its symbols borrow it; code that other objects were linked to stays until these are removed |
//! | [`Tracker::retire`], [`Redirectable::redirect`] | names at once, code when no thread is inside | – |
//! | [`Tracker::merge_into`], [`Tracker::keep`] | nothing | – |
//! | [`Dylib::remove`] | names, and code that no tracker owns | symbols that borrow a tracker: its code stays until the dylib's last tracker ends, and as long as other objects were linked to it |
//! | [`Dylib::clear`] | names and code of all trackers | symbols: therefore it is `unsafe` |
//! | dropping the last [`Redirectable`] | the stub's name, and its target as above | code that is linked to the stub: the process aborts if it calls the stub |
//! | dropping the last handle | the session with all code and stubs | symbols borrow a handle |
//! | [`Responsibility::fail`], dropping it, a failed link | what was not linked to its end | no look-up returned its addresses |
//! | [`Responsibility::replace`], a weak definition that is overridden | definitions that were not materialized | – |
//! | [`Dylib::reexport_lazily`] | nothing | a stub can be called after its target was removed: whoever looks up a function that uses it promises otherwise |
//! | dropping [`Object`], [`IrModule`], [`Compiler`] | bytes and modules | linked code is a copy |
//!
//! Without the feature `shim`, code is freed with its tracker, whoever is linked to it.
//!
//! # What can wait for itself
//!
//! | look-up | result |
//! |---|---|
//! | by a [`Materialize`], of a symbol that it defines and has not emitted | an error |
//! | by a [`Generate`] or a filter, in its dylib | an error |
//! | by units and generators of several threads, each for what the next one holds up | an error for the last of them |
//! | by a unit, of a symbol whose object is linked to the unit's own symbol | an error (with the feature `shim`) |
//! | of a symbol whose [`Responsibility`] or [`SuspendedLookup`] is kept and never ended | waits; dropping them ends it |
//! | by a thread that a responsibility was passed to, of its symbols | waits: nothing tells which thread will end it |
//!
//! # When LLVM ends the process
//!
//! Errors that LLVM reports are returned as [`Error`]: malformed modules, diagnostics of the code
//! generator, inline assembly that cannot be parsed, linker failures, and, with the feature `shim`,
//! objects with static constructors, which no one would run. When LLVM detects an internal error it
//! ends the process, and no handler can continue. Two causes are known:
//!
//! - `instcombine` in a pipeline's text. Write `instcombine<no-verify-fixpoint>`.
//! - Intrinsics that the target has no instructions for.
//!
//! Where memory is missing, LLVM reports it in few places ([`ErrorKind::OutOfMemory`]). Everywhere
//! else it cannot continue, because it is built without exceptions: the process aborts with the
//! sentence "error: out of memory in LLVM, which cannot continue". The C library's `errno` is
//! `ENOMEM` then, by which a handler of SIGABRT can tell such an abort from others. For that, the
//! first call of this crate installs a new-handler, which calls the one before it on threads that
//! are outside LLVM, and LLVM's handler of failed allocations. Without the feature `shim`, LLVM and
//! its C++ runtime do as they do by themselves.
//!
//! # When the process ends
//!
//! A program may end while its threads compile: the exit waits until they are done (at most ten
//! seconds), and what they begin to compile afterwards gives [`ErrorKind::ProcessExit`]. Without
//! the feature `shim`, threads that compile must end first.
//!
//! # Features
//!
//! - `llvm22-1` (default) or `llvm23-1`: the LLVM version that is linked. Exactly one is enabled.
//! - `inkwell` (default): [`Compiler`] and [`IrModule`]. Without it, objects come from
//!   [`Object::from_bytes`].
//! - `shim` (default): a few C++ files, built with the flags of the linked LLVM. They reuse passes
//!   from module to module, link only the passes that are used, create sessions without parts that
//!   LLVM's C API cannot omit, and link objects into slabs ([`Memory::Slabs`]). Without it, what
//!   the C API supports works, more slowly.
//! - `static-runtime`: links the C++ runtime and compression libraries statically.
//! - `cross-targets`: links LLVM's back ends for AArch64 and WebAssembly, too.
#![allow(unsafe_code)] // this crate wraps LLVM's C API

#[cfg(all(feature = "llvm22-1", not(feature = "llvm23-1")))]
extern crate llvm_sys_22 as llvm_sys;
#[cfg(all(feature = "llvm23-1", not(feature = "llvm22-1")))]
extern crate llvm_sys_23 as llvm_sys;

#[cfg(all(feature = "llvm22-1", feature = "llvm23-1"))]
compile_error!("llvm-orc: enable only one of the features `llvm22-1` (a default feature) and `llvm23-1`");
#[cfg(not(any(feature = "llvm22-1", feature = "llvm23-1")))]
compile_error!("llvm-orc: enable one of the features `llvm22-1` and `llvm23-1`");

// From IR to object files.
mod arch;
#[cfg(all(feature = "inkwell", feature = "shim"))]
mod call_counters;
#[cfg(feature = "inkwell")]
mod compiler;
mod llvm_version;
mod object;
#[cfg(feature = "inkwell")]
mod process_exit;
mod target;
#[cfg(any(feature = "inkwell", not(feature = "shim")))]
mod target_machine;

// From object files to addresses.
mod address;
#[cfg(feature = "shim")]
mod code_lease;
mod dylib;
#[cfg(feature = "shim")]
mod epochs;
mod jit;
mod object_transforms;
mod owned_symbol;
#[cfg(feature = "shim")]
mod redirectable;
#[cfg(all(feature = "inkwell", feature = "shim"))]
mod reoptimize;
mod session;
#[cfg(feature = "shim")]
mod session_hooks;
mod symbols;
mod tracker;

// Definitions that a session creates on demand.
#[cfg(feature = "shim")]
mod code_generator;
mod generator;
mod lazy_definitions;
#[cfg(feature = "shim")]
mod lazy_failure;
mod lazy_reexports;
mod materialization_unit;
mod reentrancy;
mod responsibility;
mod stubs;

// Modules that a session compiles.
#[cfg(feature = "inkwell")]
mod ir_module;
#[cfg(feature = "inkwell")]
mod ir_transforms;
#[cfg(all(feature = "inkwell", not(feature = "shim")))]
mod shared_context;
#[cfg(feature = "inkwell")]
mod thread_safe_module;

// Debuggers and profilers.
mod gdb;
mod jit_code_list;
#[cfg(target_os = "linux")]
mod jitdump;
mod linked_functions;
#[cfg(feature = "shim")]
mod linked_object;
mod list_lock;
mod perf_map;
mod reserved_addresses;

// Crossing from Rust to C++ and back.
mod boundary;
mod error;
#[cfg(feature = "shim")]
mod failed_symbols;
mod memory_buffer;
mod out_of_memory;

pub use address::{Address, Function, Symbol};
#[cfg(all(feature = "inkwell", feature = "shim"))]
pub use call_counters::CallCounters;
#[cfg(feature = "shim")]
pub use code_generator::CodeGenerator;
#[cfg(feature = "inkwell")]
pub use compiler::{
    Compiler, CompilerBuilder, FunctionPass, MODULES_PER_CONTEXT, ObjectCache, OutputFile, Passes,
};
pub use dylib::Dylib;
pub use error::{Error, ErrorKind};
pub use generator::{Generate, PendingLookup, SuspendedLookup};
/// The version of inkwell whose contexts and modules this crate uses.
#[cfg(feature = "inkwell")]
pub use inkwell;
#[cfg(feature = "inkwell")]
pub use ir_module::IrModule;
pub use jit::{Jit, JitBuilder, Memory};
#[cfg(target_os = "linux")]
pub use jitdump::JitDump;
#[cfg(feature = "shim")]
pub use lazy_failure::LazyFailure;
#[cfg(feature = "shim")]
pub use linked_object::{LinkedObject, LinkedRange, TrackerId};
pub use llvm_version::{llvm_address, llvm_version};
pub use materialization_unit::Materialize;
pub use object::{Object, Timings};
pub use owned_symbol::OwnedSymbol;
pub use perf_map::PerfMap;
#[cfg(feature = "shim")]
pub use redirectable::Redirectable;
#[cfg(all(feature = "inkwell", feature = "shim"))]
pub use reoptimize::{ReoptimizeEvent, ReoptimizeLayer, ReoptimizeLayerBuilder};
pub use responsibility::Responsibility;
pub use symbols::SymbolFlags;
pub use target::{OptLevel, Target};
pub use tracker::Tracker;
