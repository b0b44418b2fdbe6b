//! Generated code and the runtime run in the engine's floating-point mode, the host in its own.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kaleidoscope_native::{
    CodeAddress, HostPool, Limits, StubPool, Trap, enter, in_engine_mode, in_host_mode, maths,
    set_engine_mode,
};

use crate::arch::{
    DEFAULT_MODE, DEFAULT_MODES, MODE_CHANGES, OTHER_MODES, OTHER_X87_MODES, floating_point_mode,
    set_floating_point_mode, set_x87_mode, x87_mode,
};
use crate::guest::{self, bits};
use crate::support::{Script, call_in, code};

/// Divisions whose quotients depend on the rounding, on the treatment of subnormal numbers, or on
/// the masks.
const DIVISIONS: [[f64; 2]; 6] =
    [[1.0, 3.0], [-1.0, 3.0], [1e-308, 7.0], [5e-324, 1.0], [1.0, 0.0], [1e308, 1e-10]];

fn quotients() -> [u64; 6] {
    DIVISIONS.map(|[x, y]| (black_box(x) / black_box(y)).to_bits())
}

/// Runs `body` in each other mode. It gets the mode, and must not change it.
fn in_other_modes(mut body: impl FnMut(u32)) {
    for (what, mode) in OTHER_MODES {
        set_floating_point_mode(mode);
        body(mode);
        let after = floating_point_mode();
        set_floating_point_mode(DEFAULT_MODE);
        assert_eq!(after, mode, "a host that {what} has its mode back");
    }
}

#[test]
fn calls_have_the_engines_mode() {
    let (expected, division) = (quotients(), guest::division());
    let quotients =
        |call: &mut dyn FnMut(&[f64]) -> f64| DIVISIONS.map(|args| call(&args).to_bits()) == expected;
    in_other_modes(|_| {
        assert!(quotients(&mut |args| Script::new().call(division.code(), args).unwrap()));
    });
    // The mode changes inside the scope.
    enter(&Limits::new(), &Script::new(), |scope| {
        in_other_modes(|_| {
            assert!(quotients(&mut |args| call_in(scope, division.code(), args).unwrap()));
        });
    })
    .unwrap();
}

/// Divides the first word by the second.
extern "C" fn divide(words: *mut [f64; 2]) {
    // SAFETY: the tests pass two words.
    let words = unsafe { &mut *words };
    words[0] /= words[1];
}

#[test]
fn unguarded_code_has_the_engines_mode() {
    let expected = quotients();
    enter(&Limits::new(), &Script::new(), |scope| {
        in_other_modes(|_| {
            let quotients = DIVISIONS.map(|mut words| {
                // SAFETY: the function takes a pointer to two words, which outlive the call, and
                // needs next to no stack.
                unsafe { scope.call_unguarded(code(divide as *const ()), &raw mut words) }.unwrap();
                words[0].to_bits()
            });
            assert!(quotients == expected);
            let divide = |words: [f64; 2]| (std::hint::black_box(words[0]) / words[1]).to_bits();
            assert!(scope.run_unguarded(|| DIVISIONS.map(divide)).unwrap() == expected);
        });
    })
    .unwrap();
}

#[test]
fn the_hosts_mode_comes_back_after_every_trap() {
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, _| Err(Trap::error("no")));
    let (calls, recursion, endless) =
        (guest::calls_once(), guest::endless_recursion(), guest::endless_loop());
    let trap = |call: &mut dyn FnMut() -> Result<f64, Trap>| {
        in_other_modes(|_| assert!(call().is_err()));
    };
    trap(&mut || script.call(calls.code(), &[bits(host.address()), 1.0]));
    trap(&mut || script.call(recursion.code(), &[]));
    trap(&mut || {
        let limits = Limits::new().deadline(Instant::now() + Duration::from_millis(1));
        script.call_within(&limits, endless.code(), &[])
    });
    enter(&Limits::new(), &script, |scope| {
        trap(&mut || call_in(scope, calls.code(), &[bits(host.address()), 1.0]));
        trap(&mut || call_in(scope, recursion.code(), &[]));
        scope.interrupt_handle().interrupt();
        trap(&mut || call_in(scope, endless.code(), &[]));
    })
    .unwrap();
}

/// The C library's `tgamma` computes with long doubles for some arguments. If another function
/// does, it needs a wrapper, too.
#[test]
fn no_result_depends_on_the_mode_of_the_x87_unit() {
    let samples = (-40..40).map(|n| f64::from(n) * 0.37 + 0.01);
    let samples: Vec<_> = samples.chain([1e-310, 1e300, 5e-324, 170.3, 172.0, -11.83, -3.0]).collect();
    for entry in maths::all() {
        for &x in &samples {
            let args = &[x, 1.7][..entry.arity() as usize];
            let expected = entry.call(args).to_bits();
            for x87 in OTHER_X87_MODES {
                set_x87_mode(x87);
                let found = entry.call(args).to_bits();
                let after = x87_mode();
                set_x87_mode(DEFAULT_MODES.1);
                assert_eq!((found, after), (expected, x87), "{}({args:?})", entry.name());
            }
        }
    }
}

#[test]
fn an_early_exit_keeps_the_mode_of_the_x87_unit() {
    enter(&Limits::new(), &Script::new(), |scope| {
        set_x87_mode(OTHER_X87_MODES[0]);
        let trap = call_in(scope, guest::clobbers_and_recurses().code(), &[]);
        let after = x87_mode();
        set_x87_mode(DEFAULT_MODES.1);
        assert!(trap.is_err());
        assert_eq!(after, OTHER_X87_MODES[0]);
    })
    .unwrap();
}

#[test]
fn upcalls_have_the_right_mode() {
    let (host, stub) = (HostPool::new().allocate(1).unwrap(), StubPool::new().allocate().unwrap());
    let (calls, division) = (guest::calls_once(), guest::division());
    let script = Script::new()
        .host_call(|_, args| {
            let mode = floating_point_mode();
            // Rounding and subnormal numbers are as before when it returns.
            set_floating_point_mode(mode ^ args[0].to_bits() as u32);
            Ok(f64::from(mode))
        })
        .materialize(|_| {
            assert_eq!(floating_point_mode(), DEFAULT_MODE);
            Ok(division.code())
        });
    enter(&Limits::new(), &script, |scope| {
        let call = |code: CodeAddress, args: &[f64]| call_in(scope, code, args).unwrap();
        for change in MODE_CHANGES {
            let args = [bits(host.address()), f64::from_bits(u64::from(change))];
            in_other_modes(|mode| assert_eq!(call(calls.code(), &args), f64::from(mode)));
            assert_eq!(call(calls.code(), &args), f64::from(DEFAULT_MODE));
        }
        in_other_modes(|_| assert_eq!(call(stub.address(), &[1.0, 3.0]), 1.0 / 3.0));
    })
    .unwrap();
    set_floating_point_mode(DEFAULT_MODE);
}

#[test]
fn a_mode_that_a_host_function_sets_ends_with_it() {
    let expected = quotients();
    let host = HostPool::new().allocate(1).unwrap();
    let script = Script::new().host_call(|_, args| {
        set_floating_point_mode(args[0].to_bits() as u32);
        Ok(0.0)
    });
    let code = guest::calls_and_divides();
    for (what, mode) in OTHER_MODES {
        let found = DIVISIONS.map(|[x, y]| {
            let args = [bits(host.address()), f64::from_bits(u64::from(mode)), x, y];
            let quotient = script.call(code.code(), &args).unwrap().to_bits();
            // Masks last until code needs them.
            set_floating_point_mode(DEFAULT_MODE);
            quotient
        });
        assert!(found == expected, "{what}");
    }
}

#[test]
fn nested_calls_see_the_mode_of_their_own_host() {
    let host = HostPool::new().allocate(1).unwrap();
    let calls = guest::calls_once();
    let args = [bits(host.address()), 1.0];
    let inner = Script::new().host_call(|_, _| Ok(f64::from(floating_point_mode())));
    let outer = Script::new().host_call(|_, _| {
        let hosts = f64::from(floating_point_mode());
        // The engine calls for itself: the host is the same.
        let same = in_engine_mode(|| inner.call(calls.code(), &args))?;
        assert_eq!([same, inner.call(calls.code(), &args)?], [hosts; 2]);
        set_floating_point_mode(DEFAULT_MODE);
        assert_eq!(inner.call(calls.code(), &args)?, f64::from(DEFAULT_MODE));
        set_floating_point_mode(hosts as u32);
        Ok(hosts)
    });
    in_other_modes(|mode| {
        assert_eq!(outer.call(calls.code(), &args).unwrap(), f64::from(mode));
        in_engine_mode(|| {
            assert_eq!(floating_point_mode(), DEFAULT_MODE);
            assert_eq!(outer.call(calls.code(), &args).unwrap(), f64::from(mode));
        });
    });
}

#[test]
fn a_panic_restores_the_modes() {
    in_other_modes(|mode| {
        let panic = std::panic::catch_unwind(|| {
            in_engine_mode(|| in_host_mode(|| std::panic::resume_unwind(Box::new(floating_point_mode()))));
        });
        let seen: Result<(), _> = panic;
        assert_eq!(seen.unwrap_err().downcast_ref::<u32>(), Some(&mode));
    });
}

#[test]
fn a_thread_of_the_engine_keeps_the_engines_mode() {
    set_floating_point_mode(OTHER_MODES[0].1);
    let modes = std::thread::spawn(|| {
        let inherited = floating_point_mode();
        set_engine_mode();
        [inherited, floating_point_mode()]
    });
    let modes = modes.join();
    set_floating_point_mode(DEFAULT_MODE);
    assert_eq!(modes.unwrap(), [OTHER_MODES[0].1, DEFAULT_MODE]);
}
