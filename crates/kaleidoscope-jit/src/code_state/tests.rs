//! The state machine, over every order in which threads can take their steps.

use super::{CallAction, CodeState, ReadyCode, Versioned};
use kaleidoscope_native::CodeAddress;

/// Code reduced to its version and the number of its compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FakeCode {
    version: u32,
    made_by: usize,
}

impl Versioned for FakeCode {
    fn address(&self) -> CodeAddress {
        CodeAddress::new(0x1000 * self.version as usize + self.made_by)
    }

    fn version(&self) -> u32 {
        self.version
    }
}

fn ready(code: FakeCode) -> CodeState<FakeCode> {
    CodeState::Ready(ReadyCode { first: Box::new(code), optimized: None })
}

fn replaced(state: &mut CodeState<FakeCode>, version: u32) -> Vec<FakeCode> {
    state.on_redefined(version).map(|code| *code).collect()
}

#[test]
fn the_first_call_compiles_and_the_others_wait() {
    let mut state: CodeState<FakeCode> = CodeState::Lazy { version: 1 };
    assert_eq!(state.on_call(), CallAction::Compile { version: 1 });
    assert_eq!(state.on_call(), CallAction::Wait);
    let code = FakeCode { version: 1, made_by: 7 };
    assert_eq!(state.on_compiled(Box::new(code)), Ok(code.address()));
    assert_eq!(state.on_call(), CallAction::Jump(code.address()));
}

#[test]
fn a_failed_compilation_is_tried_again() {
    let mut state: CodeState<FakeCode> = CodeState::Lazy { version: 3 };
    assert_eq!(state.on_call(), CallAction::Compile { version: 3 });
    state.on_failure(3);
    assert_eq!(state.on_call(), CallAction::Compile { version: 3 });
}

#[test]
fn a_redefinition_returns_the_old_code() {
    let code = FakeCode { version: 1, made_by: 0 };
    let optimized = FakeCode { version: 1, made_by: 1 };
    let mut state = ready(code);
    assert_eq!(state.on_optimized(Box::new(optimized)), Ok(optimized.address()));
    assert_eq!(replaced(&mut state, 2), [code, optimized]);
    assert_eq!(state.version(), 2);
    assert_eq!(state.on_call(), CallAction::Compile { version: 2 });
}

#[test]
fn code_of_an_old_version_is_refused() {
    let mut state: CodeState<FakeCode> = CodeState::Lazy { version: 1 };
    assert_eq!(state.on_call(), CallAction::Compile { version: 1 });
    assert_eq!(replaced(&mut state, 2), []);
    let stale = FakeCode { version: 1, made_by: 0 };
    assert_eq!(state.on_compiled(Box::new(stale)), Err(Box::new(stale)));
    assert_eq!(state.on_call(), CallAction::Compile { version: 2 });
    // The failure of the first compilation says nothing of the second.
    state.on_failure(1);
    assert_eq!(state.on_call(), CallAction::Wait);
}

#[test]
fn optimized_code_is_called_until_it_is_invalidated() {
    let first = FakeCode { version: 2, made_by: 0 };
    let optimized = FakeCode { version: 2, made_by: 1 };
    let mut state = ready(first);
    assert_eq!(state.on_optimized(Box::new(optimized)), Ok(optimized.address()));
    assert_eq!(state.on_call(), CallAction::Jump(optimized.address()));
    let second = FakeCode { version: 2, made_by: 2 };
    assert_eq!(state.on_optimized(Box::new(second)), Err(Box::new(second)));
    assert_eq!(state.on_invalidated(), Some((Box::new(optimized), first.address())));
    assert_eq!(state.on_invalidated(), None);
    assert_eq!(state.on_call(), CallAction::Jump(first.address()));
}

#[test]
fn optimized_code_of_another_version_is_refused() {
    let stale = FakeCode { version: 1, made_by: 1 };
    for mut state in [ready(FakeCode { version: 2, made_by: 0 }), CodeState::Lazy { version: 1 }] {
        assert_eq!(state.on_optimized(Box::new(stale)), Err(Box::new(stale)));
    }
}

/// One thread that calls, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Calls,
    Compiles { version: u32 },
    Jumped { to: CodeAddress },
}

/// The thread that compiles optimized code, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Optimizer {
    Idle,
    Compiles { version: u32 },
    Done,
}

#[derive(Clone, Debug)]
struct World {
    state: Vec<CodeState<FakeCode>>,
    callers: [Caller; 2],
    optimizer: Optimizer,
    /// Redefinitions of the function that are still to come.
    n_definitions: u32,
    /// Redefinitions of an inlinee that are still to come.
    n_invalidations: u32,
    /// Code that was compiled, and neither retired nor refused.
    live: Vec<FakeCode>,
}

impl Clone for CodeState<FakeCode> {
    fn clone(&self) -> Self {
        match self {
            Self::Lazy { version } => Self::Lazy { version: *version },
            Self::Compiling { version } => Self::Compiling { version: *version },
            Self::Ready(ReadyCode { first, optimized }) => {
                Self::Ready(ReadyCode { first: first.clone(), optimized: optimized.clone() })
            }
        }
    }
}

/// Two callers, an optimizing thread, two redefinitions and an invalidation, in every order: no
/// caller jumps into code that was retired before its jump, at most two pieces of code are live,
/// and no thread waits forever.
#[test]
fn every_interleaving_ends_in_current_code() {
    let world = World {
        state: vec![CodeState::Lazy { version: 1 }],
        callers: [Caller::Calls; 2],
        optimizer: Optimizer::Idle,
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
    if world.optimizer != Optimizer::Done {
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
        next.live.retain(|code| !retired.contains(code));
        assert!(next.live.is_empty(), "code outlives its version");
        explore(&next, n_endings);
    }
    if world.n_invalidations > 0 {
        can_go_on = true;
        let mut next = world.clone();
        next.n_invalidations -= 1;
        if let Some((worse, now)) = next.state[0].on_invalidated() {
            next.live.retain(|&code| code != *worse);
            assert!(next.live.iter().any(|code| code.address() == now), "returned to retired code");
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
            CallAction::Wait => false,
            CallAction::Compile { version } => {
                world.callers[caller] = Caller::Compiles { version };
                true
            }
            CallAction::Jump(to) => {
                assert!(world.live.iter().any(|code| code.address() == to), "jumped into retired code");
                world.callers[caller] = Caller::Jumped { to };
                true
            }
        },
        Caller::Compiles { version } => {
            // The compilation uses the definition that is current by now.
            let code = FakeCode { version: state.version(), made_by: caller };
            match state.on_compiled(Box::new(code)) {
                Ok(to) => {
                    assert!(world.live.is_empty(), "two initial codes are live");
                    world.live.push(code);
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
    world.optimizer = match world.optimizer {
        Optimizer::Idle => Optimizer::Compiles { version: state.version() },
        Optimizer::Compiles { version } => {
            let code = FakeCode { version, made_by: 9 };
            if state.on_optimized(Box::new(code)).is_ok() {
                assert!(world.live.iter().all(|first| first.version == version), "optimized another version");
                world.live.push(code);
            }
            Optimizer::Done
        }
        Optimizer::Done => Optimizer::Done,
    };
}
