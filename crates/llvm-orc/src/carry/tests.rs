//! Panics of callbacks: kept, and raised again in the order that their senders would expect.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{across, across_in_drop, caught, report};
use crate::{Error, ErrorKind};

fn fail() -> Result<(), Error> {
    Err(Error::new(ErrorKind::Link, "effect"))
}

#[test]
fn a_report_becomes_the_cause() {
    let error = across(|| {
        report(Error::new(ErrorKind::Session, "first"));
        report(Error::new(ErrorKind::Session, "second"));
        fail()
    })
    .unwrap_err();
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("first"));
    assert!(across(fail).unwrap_err().source().is_none(), "the report was used up");
}

#[test]
fn a_report_outside_any_operation_is_nobodys_cause() {
    report(Error::new(ErrorKind::Session, "lost"));
    assert!(across(fail).unwrap_err().source().is_none());
}

#[test]
fn the_first_panic_is_raised_again_once() {
    let raised = catch_unwind(AssertUnwindSafe(|| {
        across(|| {
            caught(|| panic!("one"));
            caught(|| panic!("two"));
            Ok(())
        })
    }));
    assert_eq!(raised.unwrap_err().downcast_ref::<&str>(), Some(&"one"));
    assert!(across(|| Ok(())).is_ok());
}

#[test]
fn a_panic_in_a_destructor_ends_there() {
    across_in_drop(|| caught(|| panic!("in drop")));
    assert!(across(|| Ok(())).is_ok());
}

#[test]
fn a_nested_operation_keeps_its_own_account() {
    let error = across(|| {
        report(Error::new(ErrorKind::Session, "outer"));
        let inner = across(fail).unwrap_err();
        assert!(inner.source().is_none());
        fail()
    })
    .unwrap_err();
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("outer"));
}
