//! The state machine, over every order in which threads can take their steps.

use super::{Call, CodeAddress, Entry, Ready, State};

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

fn ready(body: Body) -> State<Body> {
    State::Ready(Ready { first: Box::new(body), better: None })
}

fn replaced(state: &mut State<Body>, version: u32) -> Vec<Body> {
    state.on_replace(version).map(|body| *body).collect()
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
fn a_new_definition_gives_up_the_old_bodies() {
    let body = Body { version: 1, made_by: 0 };
    let better = Body { version: 1, made_by: 1 };
    let mut state = ready(body);
    assert_eq!(state.on_better(Box::new(better)), Ok(better.code()));
    assert_eq!(replaced(&mut state, 2), [body, better]);
    assert_eq!(state.version(), 2);
    assert_eq!(state.on_call(), Call::Compile { version: 2 });
}

#[test]
fn a_body_of_an_old_version_is_refused() {
    let mut state: State<Body> = State::Lazy { version: 1 };
    assert_eq!(state.on_call(), Call::Compile { version: 1 });
    assert_eq!(replaced(&mut state, 2), []);
    let stale = Body { version: 1, made_by: 0 };
    assert_eq!(state.on_body(Box::new(stale)), Err(Box::new(stale)));
    assert_eq!(state.on_call(), Call::Compile { version: 2 });
    // The failure of the first compilation says nothing of the second.
    state.on_failure(1);
    assert_eq!(state.on_call(), Call::Wait);
}

#[test]
fn a_better_body_is_called_until_it_no_longer_holds() {
    let first = Body { version: 2, made_by: 0 };
    let better = Body { version: 2, made_by: 1 };
    let mut state = ready(first);
    assert_eq!(state.on_better(Box::new(better)), Ok(better.code()));
    assert_eq!(state.on_call(), Call::Jump(better.code()));
    let second = Body { version: 2, made_by: 2 };
    assert_eq!(state.on_better(Box::new(second)), Err(Box::new(second)));
    assert_eq!(state.on_worse(), Some((Box::new(better), first.code())));
    assert_eq!(state.on_worse(), None);
    assert_eq!(state.on_call(), Call::Jump(first.code()));
}

#[test]
fn a_better_body_of_another_version_is_refused() {
    let stale = Body { version: 1, made_by: 1 };
    for mut state in [ready(Body { version: 2, made_by: 0 }), State::Lazy { version: 1 }] {
        assert_eq!(state.on_better(Box::new(stale)), Err(Box::new(stale)));
    }
}

/// One thread that calls, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Calls,
    Compiles { version: u32 },
    Jumped { to: CodeAddress },
}

/// The thread that makes better bodies, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Improver {
    Asked,
    Compiles { version: u32 },
    Done,
}

#[derive(Clone, Debug)]
struct World {
    state: Vec<State<Body>>,
    callers: [Caller; 2],
    improver: Improver,
    /// Versions that are still to be defined.
    n_definitions: u32,
    /// How often what the better body carries is still to be defined.
    n_invalidations: u32,
    /// Bodies that were made and not given up or refused.
    live: Vec<Body>,
}

impl Clone for State<Body> {
    fn clone(&self) -> Self {
        match self {
            Self::Lazy { version } => Self::Lazy { version: *version },
            Self::Compiling { version } => Self::Compiling { version: *version },
            Self::Ready(Ready { first, better }) => {
                Self::Ready(Ready { first: first.clone(), better: better.clone() })
            }
        }
    }
}

/// Two callers, a thread that makes a better body, two redefinitions and an invalidation, in every order: nobody ends up in
/// a body that was given up before it jumped, never are more than two bodies live, and nobody waits for ever.
#[test]
fn every_interleaving_ends_in_a_current_body() {
    let world = World {
        state: vec![State::Lazy { version: 1 }],
        callers: [Caller::Calls; 2],
        improver: Improver::Asked,
        n_definitions: 2,
        n_invalidations: 1,
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
    if world.improver != Improver::Done {
        can_go_on = true;
        let mut next = world.clone();
        improve(&mut next);
        explore(&next, n_endings);
    }
    if world.n_definitions > 0 {
        can_go_on = true;
        let mut next = world.clone();
        next.n_definitions -= 1;
        let version = next.state[0].version() + 1;
        let retired = replaced(&mut next.state[0], version);
        next.live.retain(|body| !retired.contains(body));
        assert!(next.live.is_empty(), "a body outlives its version");
        explore(&next, n_endings);
    }
    if world.n_invalidations > 0 {
        can_go_on = true;
        let mut next = world.clone();
        next.n_invalidations -= 1;
        if let Some((worse, now)) = next.state[0].on_worse() {
            next.live.retain(|&body| body != *worse);
            assert!(next.live.iter().any(|body| body.code() == now), "went back to a body that was given up");
        }
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
                    assert!(world.live.is_empty(), "two first bodies are live");
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

fn improve(world: &mut World) {
    let state = &mut world.state[0];
    world.improver = match world.improver {
        Improver::Asked => Improver::Compiles { version: state.version() },
        Improver::Compiles { version } => {
            let body = Body { version, made_by: 9 };
            if state.on_better(Box::new(body)).is_ok() {
                assert!(world.live.iter().all(|first| first.version == version), "bettered another version");
                world.live.push(body);
            }
            Improver::Done
        }
        Improver::Done => Improver::Done,
    };
}
