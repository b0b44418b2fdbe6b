//! Races: which orders of calls the check accepts.

use super::{CallResults, Race, StateResults, check_calls};
use crate::session::REFERENCE;
use crate::session::instance::Instance;
use crate::session::item::ItemRun;

/// Runs the texts in one engine and returns the results of their last items.
fn runs<const N: usize>(texts: [&str; N]) -> [ItemRun; N] {
    let instance = Instance::new(REFERENCE.builder());
    texts.map(|text| instance.run(text).pop().unwrap())
}

fn state(from_text: &ItemRun) -> StateResults {
    StateResults { from_text: vec![from_text.clone()], from_rust: None }
}

fn calls<const N: usize>(runs: [&ItemRun; N]) -> [CallResults; N] {
    runs.map(|run| CallResults::FromText(vec![run.clone()]))
}

#[test]
fn states_of_a_thread_never_go_backward() {
    let [one, two] = runs(["1", "2"]);
    let states = [&one, &two, &one].map(state);
    assert_eq!(check_calls(&calls([&one, &one, &two]), &states), Ok(()));
    assert_eq!(check_calls(&calls([&one, &two, &one]), &states), Ok(()));
    assert!(check_calls(&calls([&one, &two]), &states[..1]).is_err(), "no such state");
    assert!(check_calls(&calls([&two, &one, &two]), &states).is_err(), "a state goes backward");
    let from_rust = CallResults::FromRust(one);
    assert!(check_calls(&[from_rust], &states).is_err(), "the function did not exist");
}

#[test]
fn a_call_may_have_been_read_in_an_earlier_state() {
    let texts = ["def f(x) x; def g() f(1); g()", "def f(x y) x; f(1)", "g()"];
    let [value, refused, stale] = runs(texts);
    let states = [&value, &refused].map(state);
    assert_eq!(check_calls(&calls([&value, &stale, &refused]), &states), Ok(()));
    assert!(check_calls(&calls([&stale]), &states[..1]).is_err(), "no state has other parameters");
}

#[test]
fn a_race_passes_through_its_states() {
    let race = Race {
        before: vec!["def f(x) x".to_owned()],
        callee: ("f", 1),
        definitions: vec!["def f(x) x + 1".to_owned()],
        last: "def f(x) printd(x)".to_owned(),
    };
    let instance = Instance::new(REFERENCE.builder());
    let sequential = race.run_sequentially(&instance);
    assert_eq!(sequential.items.len(), 3);
    let values = sequential.states.iter().map(|state| {
        let from_rust = state.from_rust.as_ref().unwrap();
        assert_eq!(from_rust.value, state.from_text[0].value);
        from_rust.value.as_deref()
    });
    assert_eq!(values.collect::<Vec<_>>(), [Some("2"), Some("3"), Some("0")]);
    assert_eq!(race.run_concurrently(&instance, &sequential), Ok(()));
}
