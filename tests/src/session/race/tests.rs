//! Which calls can be, and which cannot.

use super::{Call, Race, State, check_calls};
use crate::session::REFERENCE;
use crate::session::item::ItemRun;
use crate::session::seat::Room;

/// What comes of each text, with one engine: of its last item.
fn runs<const N: usize>(texts: [&str; N]) -> [ItemRun; N] {
    let room = Room::new(REFERENCE.builder());
    texts.map(|text| room.run(text).pop().unwrap())
}

fn state(from_text: &ItemRun) -> State {
    State { from_text: vec![from_text.clone()], from_rust: None }
}

fn calls<const N: usize>(runs: [&ItemRun; N]) -> [Call; N] {
    runs.map(|run| Call::FromText(vec![run.clone()]))
}

#[test]
fn a_thread_never_goes_back() {
    let [one, two] = runs(["1", "2"]);
    let states = [&one, &two, &one].map(state);
    assert_eq!(check_calls(&calls([&one, &one, &two]), &states), Ok(()));
    assert_eq!(check_calls(&calls([&one, &two, &one]), &states), Ok(()));
    assert!(check_calls(&calls([&one, &two]), &states[..1]).is_err(), "a state that never was");
    assert!(check_calls(&calls([&two, &one, &two]), &states).is_err(), "back behind a state");
    let from_rust = Call::FromRust(one);
    assert!(check_calls(&[from_rust], &states).is_err(), "there was no such function");
}

#[test]
fn a_call_may_have_been_read_before() {
    let texts = ["def f(x) x; def g() f(1); g()", "def f(x y) x; f(1)", "g()"];
    let [value, refused, stale] = runs(texts);
    let states = [&value, &refused].map(state);
    assert_eq!(check_calls(&calls([&value, &stale, &refused]), &states), Ok(()));
    assert!(check_calls(&calls([&stale]), &states[..1]).is_err(), "no state has other parameters");
}

#[test]
fn a_race_goes_through_its_states() {
    let race = Race {
        before: vec!["def f(x) x".to_owned()],
        callee: ("f", 1),
        definitions: vec!["def f(x) x + 1".to_owned()],
        last: "def f(x) printd(x)".to_owned(),
    };
    let room = Room::new(REFERENCE.builder());
    let in_turn = race.run_in_turn(&room);
    assert_eq!(in_turn.items.len(), 3);
    let values = in_turn.states.iter().map(|state| {
        let from_rust = state.from_rust.as_ref().unwrap();
        assert_eq!(from_rust.value, state.from_text[0].value);
        from_rust.value.as_deref()
    });
    assert_eq!(values.collect::<Vec<_>>(), [Some("2"), Some("3"), Some("0")]);
    assert_eq!(race.run_at_once(&room, &in_turn), Ok(()));
}
