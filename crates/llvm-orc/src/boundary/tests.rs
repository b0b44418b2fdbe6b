//! Callback panics and reported errors: which are stored, and which come back to the caller.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{call_llvm, call_llvm_in_drop, catch_panic, record_error};
use crate::{Error, ErrorKind};

fn fail() -> Result<(), Error> {
    Err(Error::new(ErrorKind::Link, "effect"))
}

#[test]
fn a_reported_error_becomes_the_cause() {
    let error = call_llvm(|| {
        record_error(Error::new(ErrorKind::Session, "first"));
        record_error(Error::new(ErrorKind::Session, "second"));
        fail()
    })
    .unwrap_err();
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("first"));
    assert!(call_llvm(fail).unwrap_err().source().is_none(), "the error was taken");
}

#[test]
fn an_error_reported_outside_an_operation_is_dropped() {
    record_error(Error::new(ErrorKind::Session, "lost"));
    assert!(call_llvm(fail).unwrap_err().source().is_none());
}

#[test]
fn the_first_panic_is_raised_again_once() {
    let raised = catch_unwind(AssertUnwindSafe(|| {
        call_llvm(|| {
            catch_panic(|| panic!("one"));
            catch_panic(|| panic!("two"));
            Ok(())
        })
    }));
    assert_eq!(raised.unwrap_err().downcast_ref::<&str>(), Some(&"one"));
    assert!(call_llvm(|| Ok(())).is_ok());
}

#[test]
fn a_callback_panic_in_a_destructor_is_dropped() {
    call_llvm_in_drop(|| catch_panic(|| panic!("in drop")));
    assert!(call_llvm(|| Ok(())).is_ok());
}

#[test]
fn a_nested_operation_has_its_own_cause() {
    let error = call_llvm(|| {
        record_error(Error::new(ErrorKind::Session, "outer"));
        let inner = call_llvm(fail).unwrap_err();
        assert!(inner.source().is_none());
        fail()
    })
    .unwrap_err();
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("outer"));
}
