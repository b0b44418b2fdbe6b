//! What is advised when.

use super::{Advice, Trip, advise};

#[test]
fn a_function_that_is_called_often_is_made_better() {
    assert_eq!(advise(Trip::Entry, true), Advice::Function);
}

#[test]
fn a_loop_is_left_while_it_runs_only_when_it_goes_on() {
    assert_eq!(advise(Trip::Loop { n_before: 0 }, true), Advice::Function);
    assert_eq!(advise(Trip::Loop { n_before: 1 }, true), Advice::Loop);
}

#[test]
fn an_expression_is_never_called_again() {
    assert_eq!(advise(Trip::Loop { n_before: 0 }, false), Advice::Loop);
}
