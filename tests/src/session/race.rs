//! Race: several threads call a function repeatedly while another thread redefines it.
//!
//! The threads do not synchronize, so a call can run before, between or after the definitions. The
//! check holds for every order. Running the definitions sequentially leads through a list of
//! program states. Each call must give what it gives in one of these states, and the states of a
//! thread's calls never go backward.
//!
//! A call must therefore depend on the definitions at one moment only. It reaches the redefined
//! function once, directly or through one other function, and that function does not call itself.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;

use kaleidoscope::DiagnosticCode;

use super::handle::{Handle, call_text};
use super::instance::Instance;
use super::item::ItemRun;

/// Number of threads that call.
const N_CALLERS: usize = 2;

/// Rounds of calls of each thread. A round is one call from a text and several from Rust, which
/// take far less time.
const N_ROUNDS: usize = 3;
const N_RUST_CALLS: usize = 5;

/// A call and definitions of the function that it reaches. Each text is an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// Items to run before the race.
    pub before: Vec<String>,
    /// The called function and the number of arguments.
    pub callee: (&'static str, usize),
    /// Definitions to run while the threads call.
    pub definitions: Vec<String>,
    /// A definition to run after the race. It reclaims code that a thread was in during the race.
    pub last: String,
}

/// Results of the call in one state of the program: from a text, and from Rust if the function
/// exists before the race.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StateResults {
    from_text: Vec<ItemRun>,
    from_rust: Option<ItemRun>,
}

/// The results of one call.
#[derive(Debug)]
enum CallResults {
    FromText(Vec<ItemRun>),
    FromRust(ItemRun),
}

impl StateResults {
    /// Returns whether the call gives these results in this state.
    fn gives(&self, call: &CallResults) -> bool {
        match call {
            CallResults::FromText(items) => *items == self.from_text,
            CallResults::FromRust(item) => self.from_rust.as_ref() == Some(item),
        }
    }
}

/// The results of a race.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RaceRun {
    /// Results of the definitions and of the items before the race.
    pub(super) items: Vec<ItemRun>,
    /// Results of the call in each state of the program.
    states: Vec<StateResults>,
}

impl RaceRun {
    /// Returns the results of everything that ran.
    pub(super) fn runs(&self) -> impl Iterator<Item = &ItemRun> {
        let states = self.states.iter().flat_map(|state| state.from_text.iter().chain(&state.from_rust));
        self.items.iter().chain(states)
    }

    /// Like [`Self::runs`], in the same order, mutable.
    pub(super) fn runs_mut(&mut self) -> impl Iterator<Item = &mut ItemRun> {
        let states =
            self.states.iter_mut().flat_map(|state| state.from_text.iter_mut().chain(&mut state.from_rust));
        self.items.iter_mut().chain(states)
    }

    /// Returns whether the results of the call depend on its time.
    pub(super) fn is_time_dependent(&self) -> bool {
        self.states.windows(2).any(|pair| pair[0] != pair[1])
    }
}

impl Race {
    /// Runs the race on one thread and makes the call in every state.
    pub(super) fn run_sequentially(&self, instance: &Instance) -> RaceRun {
        let mut items: Vec<ItemRun> = self.before.iter().flat_map(|text| instance.run(text)).collect();
        let handle = self.handle(instance);
        let mut states = vec![self.state(instance, handle.as_ref())];
        for text in self.definitions.iter().chain([&self.last]) {
            items.extend(instance.run(text));
            states.push(self.state(instance, handle.as_ref()));
        }
        RaceRun { items, states }
    }

    /// Runs the race in several threads and compares it with the sequential results.
    ///
    /// # Errors
    ///
    /// Describes the results that no order of the calls explains.
    pub(super) fn run_concurrently(&self, instance: &Instance, expected: &RaceRun) -> Result<(), String> {
        let mut items: Vec<ItemRun> = self.before.iter().flat_map(|text| instance.run(text)).collect();
        let handle = self.handle(instance);
        let start = Barrier::new(N_CALLERS + 1);
        thread::scope(|scope| {
            let call = || {
                start.wait();
                self.calls(instance, handle.as_ref())
            };
            let callers = [(); N_CALLERS].map(|()| scope.spawn(call));
            start.wait();
            items.extend(self.definitions.iter().flat_map(|text| instance.run(text)));
            // The last state comes after the race.
            let reachable = &expected.states[..expected.states.len() - 1];
            callers.into_iter().try_for_each(|caller| {
                check_calls(&caller.join().unwrap_or_else(|panic| resume_unwind(panic)), reachable)
            })
        })?;
        items.extend(instance.run(&self.last));
        if items != expected.items {
            return Err(format!(
                "results of the definitions: expected {:?}\n  got      {items:?}",
                expected.items
            ));
        }
        let state = self.state(instance, handle.as_ref());
        if Some(&state) != expected.states.last() {
            return Err(format!(
                "results after the race: expected {:?}\n  got      {state:?}",
                expected.states.last()
            ));
        }
        Ok(())
    }

    fn handle(&self, instance: &Instance) -> Option<Handle> {
        let (name, n_arguments) = self.callee;
        Handle::new(&instance.engine, name, n_arguments).ok()
    }

    fn state(&self, instance: &Instance, handle: Option<&Handle>) -> StateResults {
        StateResults {
            from_text: self.call_from_text(instance),
            from_rust: handle.map(|handle| instance.call(handle)),
        }
    }

    fn call_from_text(&self, instance: &Instance) -> Vec<ItemRun> {
        let (name, n_arguments) = self.callee;
        instance.run(&call_text(name, n_arguments))
    }

    /// Makes the calls of one thread.
    fn calls(&self, instance: &Instance, handle: Option<&Handle>) -> Vec<CallResults> {
        let mut calls = Vec::new();
        for _ in 0..N_ROUNDS {
            calls.push(CallResults::FromText(self.call_from_text(instance)));
            let from_rust = handle.into_iter().cycle().take(N_RUST_CALLS);
            calls.extend(from_rust.map(|handle| CallResults::FromRust(instance.call(handle))));
        }
        calls
    }
}

/// Checks that these states, in their order, explain the calls of one thread.
fn check_calls(calls: &[CallResults], states: &[StateResults]) -> Result<(), String> {
    let mut earliest = 0;
    for call in calls {
        match states[earliest..].iter().position(|state| state.gives(call)) {
            Some(n_later) => earliest += n_later,
            None if was_read_earlier(call, states) => {}
            None => return Err(format!("after state {earliest} of {states:?}\n  got {call:?} of {calls:?}")),
        }
    }
    Ok(())
}

/// Returns whether the call was read in one state and made in another state, in which the function
/// had another number of parameters.
fn was_read_earlier(call: &CallResults, states: &[StateResults]) -> bool {
    let CallResults::FromText(items) = call else { return false };
    let mut errors = states.iter().flat_map(|state| &state.from_text).flat_map(ItemRun::errors);
    items.iter().flat_map(ItemRun::errors).eq([DiagnosticCode::StaleArity])
        && errors.any(|code| code == DiagnosticCode::WrongArgumentCount)
}

#[cfg(test)]
mod tests;
