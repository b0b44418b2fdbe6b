//! Coroutines of one thread: calls that nest work on any stack, and calls that alternate end with
//! an error.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::mem::{MaybeUninit, transmute};
use std::ptr::null_mut;
use std::time::Duration;

use kaleidoscope_native::{ErrorKind, HostPool, HostStub, Limits, Trap};

use crate::guest::{self, bits};
use crate::support::{Script, child};

const STACK_BYTES: usize = 256 << 10;

/// A coroutine, which runs when it is resumed until it pauses or ends.
struct Coroutine<'a> {
    own: Box<libc::ucontext_t>,
    resumer: Box<libc::ucontext_t>,
    body: Option<Box<dyn FnOnce() + 'a>>,
    is_done: bool,
    _stack: Vec<u8>,
}

thread_local! {
    /// The coroutine that runs, or null.
    static CURRENT: Cell<*mut Coroutine<'static>> = const { Cell::new(null_mut()) };
}

extern "C" fn run_current() {
    // SAFETY: `resume` has set the coroutine, which outlives its context.
    let coroutine = unsafe { &mut *CURRENT.get() };
    coroutine.body.take().unwrap()();
    // SAFETY: as above; the body may have switched coroutines.
    unsafe { (*CURRENT.get()).is_done = true };
}

impl<'a> Coroutine<'a> {
    fn new(body: impl FnOnce() + 'a) -> Box<Self> {
        // SAFETY: zero is a valid context.
        let zero = || Box::new(unsafe { MaybeUninit::<libc::ucontext_t>::zeroed().assume_init() });
        let mut stack = vec![0; STACK_BYTES];
        let (mut own, mut resumer) = (zero(), zero());
        // SAFETY: writes the context.
        assert_eq!(unsafe { libc::getcontext(&raw mut *own) }, 0);
        own.uc_stack.ss_sp = stack.as_mut_ptr().cast();
        own.uc_stack.ss_size = STACK_BYTES;
        own.uc_link = &raw mut *resumer;
        // SAFETY: the stack and the context to return to live as long as the coroutine.
        unsafe { libc::makecontext(&raw mut *own, run_current, 0) };
        Box::new(Self { own, resumer, body: Some(Box::new(body)), is_done: false, _stack: stack })
    }

    /// Runs the coroutine until it pauses or ends. Returns whether it has ended.
    fn resume(&mut self) -> bool {
        let this: *mut Self = self;
        let before = CURRENT.replace(this.cast());
        // SAFETY: both contexts are valid, and this one has not ended.
        assert_eq!(unsafe { libc::swapcontext(&raw mut *self.resumer, &raw const *self.own) }, 0);
        CURRENT.set(before);
        self.is_done
    }
}

/// Pauses the coroutine that runs.
fn pause() {
    // SAFETY: only coroutines call this, and the one that runs lives.
    let coroutine = unsafe { &mut *CURRENT.get() };
    // SAFETY: both contexts are valid.
    assert_eq!(unsafe { libc::swapcontext(&raw mut *coroutine.own, &raw const *coroutine.resumer) }, 0);
}

/// Serves as generated code that calls a host function twice, and has values on its stack.
extern "C" fn calls_twice(host: f64, x: f64) -> f64 {
    // SAFETY: the address of a host stub of one argument.
    let host = unsafe { transmute::<usize, extern "C" fn(f64) -> f64>(host.to_bits() as usize) };
    let values = black_box([x; 100]);
    let sum = host(x) + host(x);
    sum + black_box(values).iter().sum::<f64>()
}

fn call(script: &Script<'_>, host: &HostStub, x: f64) -> Result<f64, Trap> {
    script.call(crate::support::code(calls_twice as *const ()), &[bits(host.address()), x])
}

fn is_right(outcome: &Result<f64, Trap>, x: f64) -> bool {
    matches!(outcome, Ok(value) if *value == 102.0 * x)
}

/// Calls, overflows and time limits work on this thread.
fn check_thread() {
    let script = Script::new().host_call(|_, args| Ok(args[0]));
    let host = HostPool::new().allocate(1).unwrap();
    assert!(is_right(&call(&script, &host, 3.0), 3.0));
    let overflow = script.call(guest::endless_recursion().code(), &[]);
    assert!(matches!(overflow, Err(Trap::StackOverflow(_))));
    let limits = Limits::new().deadline(std::time::Instant::now() + Duration::from_millis(2));
    let late = script.call_within(&limits, guest::endless_loop().code(), &[]);
    assert!(matches!(late, Err(Trap::DeadlinePassed(_))));
}

#[test]
fn calls_that_alternate_end_with_an_error() {
    let ways = ["0 1 2", "2 1 0", "0 2 1"];
    child("coroutines::calls_that_alternate_end_with_an_error", &ways, |way| {
        let script = Script::new().host_call(|_, args| {
            pause();
            Ok(args[0])
        });
        let host = HostPool::new().allocate(1).unwrap();
        let outcomes: [RefCell<Option<Result<f64, Trap>>>; 3] = Default::default();
        let mut coroutines: Vec<_> = (0..3)
            .map(|n| {
                let (script, host, outcome) = (&script, &host, &outcomes[n]);
                Coroutine::new(move || *outcome.borrow_mut() = Some(call(script, host, n as f64)))
            })
            .collect();
        let order: Vec<usize> = way.split(' ').map(|n| n.parse().unwrap()).collect();
        for _ in 0..3 {
            for &n in &order {
                if !coroutines[n].is_done {
                    coroutines[n].resume();
                }
            }
            // The main stack makes calls in between.
            check_thread();
        }
        let mut n_right = 0;
        for (n, outcome) in outcomes.iter().enumerate() {
            match outcome.borrow_mut().take().expect("the coroutine has ended") {
                Err(Trap::Unavailable(error)) => assert_eq!(error.kind(), ErrorKind::OutOfOrder),
                other => {
                    assert!(is_right(&other, n as f64), "{n}: {other:?}");
                    n_right += 1;
                }
            }
        }
        assert_eq!(n_right, 1, "the call that began last continues");
        check_thread();
    });
}

#[test]
fn calls_that_nest_on_other_stacks_work() {
    child("coroutines::calls_that_nest_on_other_stacks_work", &["nest"], |_| {
        let inner = Script::new().host_call(|_, args| Ok(args[0]));
        let hosts = HostPool::new();
        let host = hosts.allocate(1).unwrap();
        let outer = Script::new().host_call(|_, args| {
            // A coroutine that pauses only between its calls, and ends before this function does.
            let mut coroutine = Coroutine::new(|| {
                assert!(is_right(&call(&inner, &host, 5.0), 5.0));
                pause();
                assert!(is_right(&call(&inner, &host, 7.0), 7.0));
            });
            assert!(!coroutine.resume());
            assert!(is_right(&call(&inner, &host, 9.0), 9.0));
            assert!(coroutine.resume());
            Ok(args[0])
        });
        assert!(is_right(&call(&outer, &host, 11.0), 11.0));
        check_thread();
    });
}
