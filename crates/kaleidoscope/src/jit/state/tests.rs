//! The state machine, over every order in which two threads can take their steps.

use super::{Call, CodeAddress, Entry, State};

/// A body that is nothing but its version and the number of the compilation that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Body {
    version: u32,
    made_by: usize,
}

impl Entry for Body {
    fn code(&self) -> CodeAddress {
        CodeAddress::new(0x1000 * self.version as usize + self.made_by)
    }

    fn version(&self) -> u32 {
        self.version
    }
}

#[test]
fn the_first_call_compiles_and_the_others_wait() {
    let mut state: State<Body> = State::Lazy { version: 1 };
    assert_eq!(state.on_call(), Call::Compile { version: 1 });
    assert_eq!(state.on_call(), Call::Wait);
    let body = Body { version: 1, made_by: 7 };
    assert_eq!(state.on_body(Box::new(body)), Ok(body.code()));
    assert_eq!(state.on_call(), Call::Jump(body.code()));
}

#[test]
fn a_failed_compilation_is_tried_again() {
    let mut state: State<Body> = State::Lazy { version: 3 };
    assert_eq!(state.on_call(), Call::Compile { version: 3 });
    state.on_failure(3);
    assert_eq!(state.on_call(), Call::Compile { version: 3 });
}

#[test]
fn a_new_definition_gives_up_the_old_body() {
    let body = Body { version: 1, made_by: 0 };
    let mut state = State::Ready(Box::new(body));
    assert_eq!(state.on_replace(2), Some(body));
    assert_eq!(state.version(), 2);
    assert_eq!(state.on_call(), Call::Compile { version: 2 });
}

#[test]
fn a_body_of_an_old_version_is_refused() {
    let mut state: State<Body> = State::Lazy { version: 1 };
    assert_eq!(state.on_call(), Call::Compile { version: 1 });
    assert_eq!(state.on_replace(2), None);
    let stale = Body { version: 1, made_by: 0 };
    assert_eq!(state.on_body(Box::new(stale)), Err(Box::new(stale)));
    assert_eq!(state.on_call(), Call::Compile { version: 2 });
    // The failure of the first compilation says nothing of the second.
    state.on_failure(1);
    assert_eq!(state.on_call(), Call::Wait);
}

/// One thread that calls, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Calls,
    Compiles { version: u32 },
    Jumped { to: CodeAddress },
}

#[derive(Clone, Debug)]
struct World {
    state: Vec<State<Body>>,
    callers: [Caller; 3],
    /// Versions that are still to be defined.
    n_definitions: u32,
    /// Bodies that were made and not given up or refused.
    live: Vec<Body>,
}

impl Clone for State<Body> {
    fn clone(&self) -> Self {
        match self {
            Self::Lazy { version } => Self::Lazy { version: *version },
            Self::Compiling { version } => Self::Compiling { version: *version },
            Self::Ready(body) => Self::Ready(body.clone()),
        }
    }
}

/// Three callers and two redefinitions, in every order: nobody ends up in a body that was given up before it jumped,
/// never are two bodies live, and nobody waits for ever.
#[test]
fn every_interleaving_ends_in_the_current_body() {
    let world = World {
        state: vec![State::Lazy { version: 1 }],
        callers: [Caller::Calls; 3],
        n_definitions: 2,
        live: Vec::new(),
    };
    let mut n_endings = 0;
    explore(&world, &mut n_endings);
    assert!(n_endings > 100, "{n_endings} endings were reached");
}

fn explore(world: &World, n_endings: &mut usize) {
    let mut can_go_on = false;
    for caller in 0..world.callers.len() {
        let mut next = world.clone();
        if step(&mut next, caller) {
            can_go_on = true;
            explore(&next, n_endings);
        }
    }
    if world.n_definitions > 0 {
        can_go_on = true;
        let mut next = world.clone();
        next.n_definitions -= 1;
        let version = next.state[0].version() + 1;
        let retired = next.state[0].on_replace(version);
        next.live.retain(|&body| Some(body) != retired);
        explore(&next, n_endings);
    }
    if !can_go_on {
        *n_endings += 1;
        let stuck = world.callers.iter().any(|caller| !matches!(caller, Caller::Jumped { .. }));
        assert!(!stuck, "a caller waits for ever: {world:?}");
    }
}

/// Whether the caller could take a step.
fn step(world: &mut World, caller: usize) -> bool {
    let state = &mut world.state[0];
    match world.callers[caller] {
        Caller::Jumped { .. } => false,
        Caller::Calls => match state.on_call() {
            Call::Wait => false,
            Call::Compile { version } => {
                world.callers[caller] = Caller::Compiles { version };
                true
            }
            Call::Jump(to) => {
                assert!(
                    world.live.iter().any(|body| body.code() == to),
                    "jumped into a body that was given up"
                );
                world.callers[caller] = Caller::Jumped { to };
                true
            }
        },
        Caller::Compiles { version } => {
            // The source gives a body of the definition that is current by now.
            let body = Body { version: state.version(), made_by: caller };
            match state.on_body(Box::new(body)) {
                Ok(to) => {
                    assert!(world.live.is_empty(), "two bodies are live");
                    world.live.push(body);
                    world.callers[caller] = Caller::Jumped { to };
                }
                Err(_) => {
                    state.on_failure(version);
                    world.callers[caller] = Caller::Calls;
                }
            }
            true
        }
    }
}
