//! Eight threads that define, look up, call and remove in one session, each by dice of its own.
//!
//! CI takes some hundred steps. `LLVM_ORC_STRESS_SECONDS=1800 cargo test -p llvm-orc --test it stress` goes on for half an
//! hour; `LLVM_ORC_STRESS_SEED` begins elsewhere.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use llvm_orc::{
    Address, Compiler, Dylib, Error, ErrorKind, IrModule, Jit, Object, OptLevel, PendingLookup,
    Responsibility, SymbolFlags, Tracker,
};

use crate::test_kit::{Unary, calling, square_plus};

const N_THREADS: u64 = 8;
const N_STEPS: u64 = 150;
const MOST_KEPT: usize = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// A generator of numbers: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
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
    // SAFETY: `half` has the type that it is called with, and stays.
    unsafe { dylib.define_absolute([(name, Address::from(half as *const ()))]) }
}

#[test]
fn everything_at_once() {
    let jit = Jit::builder().build().unwrap();
    let dylib = jit.create_bare_dylib("stress").unwrap();
    // Names that nobody has defined come from here, for several threads at once.
    dylib.add_generator(|lookup: &mut PendingLookup<'_>| {
        let names = lookup.names().to_vec();
        let suspended = lookup.suspend();
        for name in names.iter().filter(|name| name.starts_with("half")) {
            // Another thread's look-up may have been first.
            if let Err(error) = define_half(suspended.dylib(), name) {
                assert_eq!(error.kind(), ErrorKind::Duplicate, "{error:?}");
            }
        }
        suspended.resume(Ok(()));
        Ok(())
    });
    let seed = number("LLVM_ORC_STRESS_SEED").unwrap_or(1);
    let seconds = number("LLVM_ORC_STRESS_SECONDS").map(Duration::from_secs);
    let (began, n_steps) = (Instant::now(), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let (dylib, n_steps) = (dylib.clone(), &n_steps);
            scope.spawn(move || {
                let mut worker = Worker::new(thread, seed, dylib);
                while match seconds {
                    Some(seconds) => began.elapsed() < seconds,
                    None => worker.n_steps < N_STEPS,
                } {
                    worker.step();
                    n_steps.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} steps", n_steps.load(Ordering::Relaxed));
    assert_eq!(dylib.lookup("f0_0").unwrap_err().kind(), ErrorKind::NotFound, "all were removed");
}

/// One thread's work.
struct Worker {
    thread: u64,
    dice: Dice,
    dylib: Dylib,
    compiler: Compiler,
    n_steps: u64,
    /// What is defined and not removed yet: names, with what to add to a square.
    kept: Vec<(Tracker, String, f64)>,
}

impl Worker {
    fn new(thread: u64, seed: u64, dylib: Dylib) -> Worker {
        let compiler = Compiler::builder().opt_level(OptLevel::None).build().unwrap();
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (thread + 1));
        Worker { thread, dice, dylib, compiler, n_steps: 0, kept: Vec::new() }
    }

    fn step(&mut self) {
        let name = format!("f{}_{}", self.thread, self.n_steps);
        self.n_steps += 1;
        let addend = self.dice.below(1000) as f64;
        // However long it goes on, there is never much at a time.
        match if self.kept.len() < MOST_KEPT { self.dice.below(8) } else { 7 } {
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
                // Found by the generator, by whoever is first.
                let half = format!("half{}", self.n_steps / 3 % 1000);
                let object = self.compiler.compile(|cx| calling(cx, &name, &half)).unwrap();
                let tracker = self.dylib.add_object(&object).unwrap();
                // SAFETY: it is of that type.
                let f = unsafe { tracker.lookup_fn::<Unary>(&name) }.unwrap();
                assert_eq!(f.call((3.0,)), 1.5);
            }
            5 => {
                // What another thread has: there, gone, or lost on the way.
                let other = format!("f{}_{}", self.dice.below(N_THREADS), self.dice.below(self.n_steps));
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
        let fails = self.dice.below(4) == 0;
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

    /// Without a tracker, which the shim gives, it stays; under another name, which is not looked for when all is over.
    #[cfg(not(feature = "shim"))]
    fn define_lazily(&mut self, name: &str, addend: f64) {
        let name = format!("lazy_{name}");
        let object = self.object(&name, addend);
        let definitions = move |responsibility: Responsibility| {
            responsibility.emit_object(&object);
            Ok(())
        };
        self.dylib.define_lazily([(name.as_str(), SymbolFlags::FUNCTION)], definitions).unwrap();
        // SAFETY: it is of that type, and stays.
        let f = unsafe { self.dylib.lookup_fn::<Unary>(&name) }.unwrap();
        assert_eq!(f.call((3.0,)), 9.0 + addend);
    }

    fn call_and_remove(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let place = self.dice.below(self.kept.len() as u64) as usize;
        let (tracker, name, addend) = self.kept.swap_remove(place);
        // SAFETY: it is of that type.
        let f = unsafe { tracker.lookup_fn::<Unary>(&name) };
        assert_eq!(said(f).call((3.0,)), 9.0 + addend, "{name}");
        match self.dice.below(2) {
            0 => said(tracker.remove()),
            _ => drop(tracker),
        }
    }
}

fn said<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}
