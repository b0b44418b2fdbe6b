//! A race: threads make a call again and again, while another one defines anew what they call.
//!
//! Nothing is awaited and nothing is timed, so any call may come before, between or after the definitions. What is
//! checked holds in each case: a call gives what it gives in one of the states that the program goes through when the
//! definitions are made in turn; and no call of a thread goes back behind the one before it.
//!
//! For that the call must depend on the definitions at one moment only. So it reaches the function that is defined once,
//! directly or through another, and the function does not call itself.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;

use kaleidoscope::DiagnosticCode;

use super::handle::{Handle, call_text};
use super::item::ItemRun;
use super::seat::Room;

/// Threads that call.
const N_CALLERS: usize = 2;

/// The rounds of calls that each makes: one call from a text, and then some from Rust, which take far less time.
const N_ROUNDS: usize = 3;
const N_RUST_CALLS: usize = 5;

/// A call, and definitions of what it calls. Each text is an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// What is run before it begins.
    pub before: Vec<String>,
    /// The function that is called, and with how many arguments.
    pub callee: (&'static str, usize),
    /// Made one after the other while the call is made.
    pub definitions: Vec<String>,
    /// Made after that. What threads have left behind, as they were inside of it, is gone then.
    pub last: String,
}

/// What comes of the call in one state of the program: from a text, and from Rust if there is such a function when the
/// race begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    from_text: Vec<ItemRun>,
    from_rust: Option<ItemRun>,
}

/// What came of one call.
#[derive(Debug)]
enum Call {
    FromText(Vec<ItemRun>),
    FromRust(ItemRun),
}

impl State {
    /// Whether the call can have been made in this state.
    fn gives(&self, call: &Call) -> bool {
        match call {
            Call::FromText(items) => *items == self.from_text,
            Call::FromRust(item) => self.from_rust.as_ref() == Some(item),
        }
    }
}

/// What came of a race.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RaceRun {
    /// Of all but the calls.
    pub(super) items: Vec<ItemRun>,
    /// Of the calls, in each state of the program.
    states: Vec<State>,
}

impl RaceRun {
    /// All that was run.
    pub(super) fn runs(&self) -> impl Iterator<Item = &ItemRun> {
        let states = self.states.iter().flat_map(|state| state.from_text.iter().chain(&state.from_rust));
        self.items.iter().chain(states)
    }

    /// The same, in the same order.
    pub(super) fn runs_mut(&mut self) -> impl Iterator<Item = &mut ItemRun> {
        let states =
            self.states.iter_mut().flat_map(|state| state.from_text.iter_mut().chain(&mut state.from_rust));
        self.items.iter_mut().chain(states)
    }

    /// Whether it makes a difference when a call is made.
    pub(super) fn is_open(&self) -> bool {
        self.states.windows(2).any(|pair| pair[0] != pair[1])
    }
}

impl Race {
    /// Runs it with the one thread that there is, and makes the call in every state.
    pub(super) fn run_in_turn(&self, room: &Room) -> RaceRun {
        let mut items: Vec<ItemRun> = self.before.iter().flat_map(|text| room.run(text)).collect();
        let handle = self.handle(room);
        let mut states = vec![self.state(room, handle.as_ref())];
        for text in self.definitions.iter().chain([&self.last]) {
            items.extend(room.run(text));
            states.push(self.state(room, handle.as_ref()));
        }
        RaceRun { items, states }
    }

    /// Runs it with several threads, and compares with what came of it in turn.
    ///
    /// # Errors
    ///
    /// What cannot be, in words.
    pub(super) fn run_at_once(&self, room: &Room, expected: &RaceRun) -> Result<(), String> {
        let mut items: Vec<ItemRun> = self.before.iter().flat_map(|text| room.run(text)).collect();
        let handle = self.handle(room);
        let start = Barrier::new(N_CALLERS + 1);
        thread::scope(|scope| {
            let call = || {
                start.wait();
                self.calls(room, handle.as_ref())
            };
            let callers = [(); N_CALLERS].map(|()| scope.spawn(call));
            start.wait();
            items.extend(self.definitions.iter().flat_map(|text| room.run(text)));
            // The last state comes after the race.
            let reachable = &expected.states[..expected.states.len() - 1];
            callers.into_iter().try_for_each(|caller| {
                check_calls(&caller.join().unwrap_or_else(|panic| resume_unwind(panic)), reachable)
            })
        })?;
        items.extend(room.run(&self.last));
        if items != expected.items {
            return Err(format!("of the definitions expected {:?}\n  got      {items:?}", expected.items));
        }
        let state = self.state(room, handle.as_ref());
        if Some(&state) != expected.states.last() {
            return Err(format!("in the end expected {:?}\n  got      {state:?}", expected.states.last()));
        }
        Ok(())
    }

    fn handle(&self, room: &Room) -> Option<Handle> {
        let (name, n_arguments) = self.callee;
        Handle::new(&room.engine, name, n_arguments).ok()
    }

    fn state(&self, room: &Room, handle: Option<&Handle>) -> State {
        State { from_text: self.call_from_text(room), from_rust: handle.map(|handle| room.call(handle)) }
    }

    fn call_from_text(&self, room: &Room) -> Vec<ItemRun> {
        let (name, n_arguments) = self.callee;
        room.run(&call_text(name, n_arguments))
    }

    /// What one of the threads does.
    fn calls(&self, room: &Room, handle: Option<&Handle>) -> Vec<Call> {
        let mut calls = Vec::new();
        for _ in 0..N_ROUNDS {
            calls.push(Call::FromText(self.call_from_text(room)));
            let from_rust = handle.into_iter().cycle().take(N_RUST_CALLS);
            calls.extend(from_rust.map(|handle| Call::FromRust(room.call(handle))));
        }
        calls
    }
}

/// Whether the calls of one thread can have come by these states in their order.
fn check_calls(calls: &[Call], states: &[State]) -> Result<(), String> {
    let mut earliest = 0;
    for call in calls {
        match states[earliest..].iter().position(|state| state.gives(call)) {
            Some(n_later) => earliest += n_later,
            None if is_read_before(call, states) => {}
            None => return Err(format!("after state {earliest} of {states:?}\n  got {call:?} of {calls:?}")),
        }
    }
    Ok(())
}

/// Whether the call was read in one state and made in another, where the function had another number of parameters.
fn is_read_before(call: &Call, states: &[State]) -> bool {
    let Call::FromText(items) = call else { return false };
    let mut errors = states.iter().flat_map(|state| &state.from_text).flat_map(ItemRun::errors);
    items.iter().flat_map(ItemRun::errors).eq([DiagnosticCode::StaleArity])
        && errors.any(|code| code == DiagnosticCode::WrongArgumentCount)
}

#[cfg(test)]
mod tests;
