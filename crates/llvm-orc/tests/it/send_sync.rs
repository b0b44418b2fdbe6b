//! Which types may go to other threads.

use llvm_orc::{
    Address, Dylib, Error, ErrorKind, FunctionPass, Jit, Memory, Object, OptLevel, Passes, Symbol, Target,
    Timings, Tracker,
};

use crate::test_kit::Unary;

fn shared<T: Send + Sync>() {}

#[test]
fn handles_may_be_shared() {
    shared::<Jit>();
    shared::<Dylib>();
    shared::<Tracker>();
    shared::<Memory>();
    shared::<Object>();
    shared::<Timings>();
    shared::<Address>();
    shared::<Symbol<'static, Unary>>();
    shared::<Target>();
    shared::<OptLevel>();
    shared::<Passes>();
    shared::<FunctionPass>();
    shared::<Error>();
    shared::<ErrorKind>();
}

fn sent<T: Send>() {}

#[test]
fn what_has_one_owner_may_go_to_another_thread() {
    sent::<llvm_orc::IrModule>();
    sent::<llvm_orc::Responsibility>();
    sent::<llvm_orc::SuspendedLookup>();
    shared::<llvm_orc::ObjectCache>();
    shared::<llvm_orc::PerfMap>();
    shared::<llvm_orc::JitDump>();
    shared::<llvm_orc::SymbolFlags>();
}

/// Which implementation `marked` means is clear only if the type is neither `Send` nor `Sync`.
trait Marked<Which> {
    fn marked() {}
}
impl<T> Marked<()> for T {}
impl<T: Send> Marked<[(); 1]> for T {}
impl<T: Sync> Marked<[(); 2]> for T {}

#[test]
fn a_compiler_stays_on_its_thread() {
    <llvm_orc::Compiler as Marked<_>>::marked();
}
