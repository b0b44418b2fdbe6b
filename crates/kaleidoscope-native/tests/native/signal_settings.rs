//! What a host changes on a thread after its first call: signals that it blocks, alternate stacks
//! that it disables.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use kaleidoscope_native::{Limits, Trap, keep_signals};

use crate::guest;
use crate::support::{Script, child};

fn block_all_signals() {
    let mut all = MaybeUninit::uninit();
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set has been filled.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), null_mut()) };
}

fn disable_alternate_stack() {
    let disabled = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler runs on the alternate stack now.
    assert_eq!(unsafe { libc::sigaltstack(&raw const disabled, null_mut()) }, 0);
}

#[test]
fn a_call_works_whatever_the_host_has_changed() {
    let ways = ["mask", "stack", "both"];
    child("signal_settings::a_call_works_whatever_the_host_has_changed", &ways, |way| {
        let change = || {
            if way != "stack" {
                block_all_signals();
            }
            if way != "mask" {
                disable_alternate_stack();
            }
        };
        let overflow = |limits: &Limits| {
            let outcome = Script::new().call_within(limits, guest::endless_recursion().code(), &[]);
            assert!(matches!(outcome, Err(Trap::StackOverflow(_))), "{outcome:?}");
        };
        overflow(&Limits::new());
        for _ in 0..3 {
            change();
            keep_signals().unwrap();
            overflow(&Limits::new());
            // A deadline keeps them, too.
            change();
            overflow(&Limits::new().deadline(Instant::now() + Duration::from_secs(600)));
            change();
            let limits = Limits::new().deadline(Instant::now() + Duration::from_millis(2));
            let outcome = Script::new().call_within(&limits, guest::endless_loop().code(), &[]);
            assert!(matches!(outcome, Err(Trap::DeadlinePassed(_))), "{outcome:?}");
        }
        // One of many calls without a deadline keeps them.
        change();
        for _ in 0..300 {
            Script::new().call(crate::support::code(crate::support::add_one as *const ()), &[1.0]).unwrap();
        }
        overflow(&Limits::new());
    });
}
