//! Stress test: eight threads define, look up, call and remove in one session, in random order.
//!
//! By default each thread takes a fixed number of steps. `LLVM_ORC_STRESS_SECONDS=1800 cargo test
//! -p llvm-orc --test it stress` runs for half an hour. `LLVM_ORC_STRESS_SEED` sets the seed.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use llvm_orc::{
    Address, Compiler, Dylib, Error, ErrorKind, IrModule, Jit, Object, OptLevel, PendingLookup,
    Responsibility, SymbolFlags, Tracker,
};

use crate::test_kit::{Unary, calling, square_plus};
use crate::time_limit::within_limit;

const N_THREADS: u64 = 8;
const N_STEPS: u64 = 150;
const MAX_KEPT: usize = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// Random number generator: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

extern "C" fn half(x: f64) -> f64 {
    x / 2.0
}

fn define_half(dylib: &Dylib, name: &str) -> Result<(), Error> {
    // SAFETY: `half` has the type that it is called with, and always exists.
    unsafe { dylib.define_absolute([(name, Address::from(half as *const ()))]) }
}

#[test]
fn threads_define_look_up_call_and_remove() {
    let seed = number("LLVM_ORC_STRESS_SEED").unwrap_or(1);
    match number("LLVM_ORC_STRESS_SECONDS").map(Duration::from_secs) {
        Some(duration) => run_threads(seed, Some(duration)),
        None => within_limit(move || run_threads(seed, None)),
    }
}

/// Runs all threads for a duration, or for [`N_STEPS`] steps each.
fn run_threads(seed: u64, duration: Option<Duration>) {
    let jit = Jit::builder().build().unwrap();
    let dylib = jit.create_bare_dylib("stress").unwrap();
    // Generates the names `half…` for several threads at once.
    dylib.add_generator(|lookup: &mut PendingLookup<'_>| {
        let names = lookup.names().to_vec();
        let suspended = lookup.suspend();
        for name in names.iter().filter(|name| name.starts_with("half")) {
            // Another thread may have defined the name first.
            if let Err(error) = define_half(suspended.dylib(), name) {
                assert_eq!(error.kind(), ErrorKind::Duplicate, "{error:?}");
            }
        }
        suspended.resume(Ok(()));
        Ok(())
    });
    let (start, n_steps) = (Instant::now(), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let (dylib, n_steps) = (dylib.clone(), &n_steps);
            scope.spawn(move || {
                let mut worker = Worker::new(thread, seed, dylib);
                while match duration {
                    Some(duration) => start.elapsed() < duration,
                    None => worker.n_steps < N_STEPS,
                } {
                    worker.step();
                    n_steps.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} steps", n_steps.load(Ordering::Relaxed));
    assert_eq!(dylib.lookup("f0_0").unwrap_err().kind(), ErrorKind::NotFound, "all functions were removed");
}

/// State of one thread.
struct Worker {
    thread: u64,
    random: Random,
    dylib: Dylib,
    compiler: Compiler,
    n_steps: u64,
    /// Functions that are defined and not removed yet: tracker, name, addend.
    kept: Vec<(Tracker, String, f64)>,
}

impl Worker {
    fn new(thread: u64, seed: u64, dylib: Dylib) -> Worker {
        let compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (thread + 1));
        Worker { thread, random, dylib, compiler, n_steps: 0, kept: Vec::new() }
    }

    fn step(&mut self) {
        let name = format!("f{}_{}", self.thread, self.n_steps);
        self.n_steps += 1;
        let addend = self.random.below(1000) as f64;
        // At the maximum, only remove: long runs need no more memory than short ones.
        match if self.kept.len() < MAX_KEPT { self.random.below(8) } else { 7 } {
            0 | 1 => {
                let object = self.object(&name, addend);
                let tracker = self.dylib.add_object(&object).unwrap();
                self.kept.push((tracker, name, addend));
            }
            2 => {
                let module = IrModule::build(|cx| square_plus(cx, &name, addend)).unwrap();
                let tracker = self.dylib.add_module(module).unwrap();
                self.kept.push((tracker, name, addend));
            }
            3 => self.define_lazily(&name, addend),
            4 => {
                // The generator defines the callee, if no other thread's look-up was first.
                let half = format!("half{}", self.n_steps / 3 % 1000);
                let object = self.compiler.compile(|cx| calling(cx, &name, &half)).unwrap();
                let tracker = self.dylib.add_object(&object).unwrap();
                // SAFETY: the function has that type.
                let f = unsafe { tracker.lookup_fn::<Unary>(&name) }.unwrap();
                assert_eq!(f.call((3.0,)), 1.5);
            }
            5 => {
                // A function of another thread: defined, removed, or removed during the look-up.
                let other = format!("f{}_{}", self.random.below(N_THREADS), self.random.below(self.n_steps));
                if let Err(error) = self.dylib.lookup(&other) {
                    let expected = [ErrorKind::NotFound, ErrorKind::Link, ErrorKind::Removed];
                    assert!(expected.contains(&error.kind()), "{error:?}");
                }
            }
            _ => self.call_and_remove(),
        }
    }

    fn object(&mut self, name: &str, addend: f64) -> Object {
        self.compiler.compile(|cx| square_plus(cx, name, addend)).unwrap()
    }

    #[cfg(feature = "shim")]
    fn define_lazily(&mut self, name: &str, addend: f64) {
        let object = self.object(name, addend);
        let fails = self.random.below(4) == 0;
        let definitions = move |responsibility: Responsibility| {
            if !fails {
                responsibility.emit_object(&object);
            }
            Ok(())
        };
        let symbols = [(name, SymbolFlags::FUNCTION)];
        let tracker = self.dylib.define_lazily_tracked(symbols, definitions).unwrap();
        if fails {
            assert_eq!(self.dylib.lookup(name).unwrap_err().kind(), ErrorKind::Link);
            tracker.remove().unwrap();
        } else {
            self.kept.push((tracker, name.to_owned(), addend));
        }
    }

    /// Without the shim there is no tracker, so the function stays. Its name differs from those
    /// that the test expects to be removed.
    #[cfg(not(feature = "shim"))]
    fn define_lazily(&mut self, name: &str, addend: f64) {
        let name = format!("lazy_{name}");
        let object = self.object(&name, addend);
        let definitions = move |responsibility: Responsibility| {
            responsibility.emit_object(&object);
            Ok(())
        };
        self.dylib.define_lazily([(name.as_str(), SymbolFlags::FUNCTION)], definitions).unwrap();
        // SAFETY: the function has that type and is never removed.
        let f = unsafe { self.dylib.lookup_fn::<Unary>(&name) }.unwrap();
        assert_eq!(f.call((3.0,)), 9.0 + addend);
    }

    fn call_and_remove(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let idx = self.random.below(self.kept.len() as u64) as usize;
        let (tracker, name, addend) = self.kept.swap_remove(idx);
        // SAFETY: the function has that type.
        let f = unsafe { tracker.lookup_fn::<Unary>(&name) };
        assert_eq!(unwrap(f).call((3.0,)), 9.0 + addend, "{name}");
        match self.random.below(2) {
            0 => unwrap(tracker.remove()),
            _ => drop(tracker),
        }
    }
}

fn unwrap<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}
