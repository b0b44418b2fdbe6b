//! `Send` and `Sync`: which types other threads may use.

use llvm_orc::{
    Address, Dylib, Error, ErrorKind, FunctionPass, Jit, Memory, Object, OptLevel, Passes, Symbol, Target,
    Timings, Tracker,
};

use crate::test_kit::Unary;

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn handles_are_send_and_sync() {
    is_send_and_sync::<Jit>();
    is_send_and_sync::<Dylib>();
    is_send_and_sync::<Tracker>();
    is_send_and_sync::<Memory>();
    is_send_and_sync::<Object>();
    is_send_and_sync::<Timings>();
    is_send_and_sync::<Address>();
    is_send_and_sync::<Symbol<'static, Unary>>();
    is_send_and_sync::<Target>();
    is_send_and_sync::<OptLevel>();
    is_send_and_sync::<Passes>();
    is_send_and_sync::<FunctionPass>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<ErrorKind>();
    is_send_and_sync::<llvm_orc::OwnedSymbol<Unary>>();
    #[cfg(feature = "shim")]
    is_send_and_sync::<llvm_orc::Redirectable<Unary>>();
    #[cfg(feature = "shim")]
    is_send_and_sync::<llvm_orc::ReoptimizeLayer>();
}

fn is_send<T: Send>() {}

#[test]
fn single_owner_types_are_send() {
    is_send::<llvm_orc::IrModule>();
    is_send::<llvm_orc::Responsibility>();
    is_send::<llvm_orc::SuspendedLookup>();
    is_send_and_sync::<llvm_orc::ObjectCache>();
    is_send_and_sync::<llvm_orc::PerfMap>();
    is_send_and_sync::<llvm_orc::JitDump>();
    is_send_and_sync::<llvm_orc::SymbolFlags>();
}

/// The call of `marked` compiles only for types that are neither `Send` nor `Sync`. For others it
/// is ambiguous.
trait Marked<Which> {
    fn marked() {}
}
impl<T> Marked<()> for T {}
impl<T: Send> Marked<[(); 1]> for T {}
impl<T: Sync> Marked<[(); 2]> for T {}

#[test]
fn a_compiler_is_neither_send_nor_sync() {
    <llvm_orc::Compiler as Marked<_>>::marked();
}
