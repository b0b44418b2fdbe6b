//! Models of reclaiming code: loom runs each with every order in which its threads can run, and
//! with every value that the memory model allows a load to see.
//!
//! A model is what `core.rs` does, without machine code: a slot names a piece of code, a thread
//! reads it inside an epoch and runs what it names. A redefinition redirects the slot, retires the
//! old code, and frees it when no thread is inside. Running is a load that must not see that the
//! code was freed. It is unordered: where it may come behind the freeing, loom lets it see that.

use super::{Epoch, Epochs};
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex, MutexGuard};
use loom::thread;

/// Code of the versions of one function, and its slot.
struct Model {
    epochs: Epochs,
    slot: AtomicUsize,
    /// By version: whether the code exists.
    code: Vec<AtomicBool>,
    /// The table's list of retired versions.
    retired: Mutex<Vec<(Epoch, usize)>>,
}

impl Model {
    fn new(n_versions: usize) -> Self {
        let epochs = Epochs::default();
        // A `OnceLock` orders the creation of positions before their use. Loom does not know it.
        epochs.thread(0);
        Self {
            epochs,
            slot: AtomicUsize::new(0),
            code: (0..n_versions).map(|_| AtomicBool::new(true)).collect(),
            retired: Mutex::new(Vec::new()),
        }
    }

    /// Calls the function as code does: an unordered load of the slot, as a machine instruction.
    fn call(&self) -> usize {
        let version = self.slot.load(Ordering::Relaxed);
        self.run(version);
        version
    }

    fn run(&self, version: usize) {
        assert!(self.code[version].load(Ordering::Relaxed), "freed code runs");
    }

    /// Redirects the slot to the next version, and retires the one before.
    fn redefine(&self) {
        let mut retired = self.retired();
        let old = self.slot.load(Ordering::Relaxed);
        self.slot.store(old + 1, Ordering::Release);
        retired.push((self.epochs.retire(), old));
    }

    fn retired(&self) -> MutexGuard<'_, Vec<(Epoch, usize)>> {
        self.retired.lock().expect("a model that panics ends")
    }

    /// Frees the retired versions that no thread is inside.
    fn free(&self) {
        let free: Vec<_> = {
            let mut retired = self.retired();
            let oldest = self.epochs.oldest_inside();
            let n_free = retired.partition_point(|&(epoch, _)| epoch < oldest);
            retired.drain(..n_free).collect()
        };
        for (_, version) in free {
            self.code[version].store(false, Ordering::Relaxed);
        }
    }
}

#[test]
fn code_that_a_thread_may_run_is_not_freed() {
    loom::model(|| {
        let model = Arc::new(Model::new(2));
        let caller = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let inside = model.epochs.enter_as(0);
                let first = model.call();
                assert!(model.call() >= first, "an older definition runs after a newer one");
                drop(inside);
                model.free();
            })
        };
        model.redefine();
        model.free();
        caller.join().unwrap();
        model.free();
        assert!(model.retired().is_empty(), "code is kept without a thread inside");
    });
}

#[test]
fn nested_evaluations_keep_what_the_outer_one_may_run() {
    loom::model(|| {
        let model = Arc::new(Model::new(2));
        let caller = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let outer = model.epochs.enter_as(0);
                let version = model.slot.load(Ordering::Relaxed);
                drop(model.epochs.enter_as(0));
                // The outer evaluation goes on in the code that it began in.
                model.run(version);
                drop(outer);
            })
        };
        model.redefine();
        model.free();
        caller.join().unwrap();
    });
}

#[test]
fn callers_on_two_threads_and_a_redefinition_from_inside() {
    let mut builder = loom::model::Builder::new();
    // All orders with up to 3 changes of threads that no thread asked for.
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let model = Arc::new(Model::new(3));
        let caller = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let inside = model.epochs.enter_as(0);
                model.call();
                drop(inside);
                model.free();
            })
        };
        let redefiner = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let inside = model.epochs.enter_as(1);
                let before = model.call();
                // As a host function does that code calls.
                model.redefine();
                model.free();
                assert!(model.call() > before, "the redefinition has returned");
                drop(inside);
            })
        };
        model.redefine();
        model.free();
        caller.join().unwrap();
        redefiner.join().unwrap();
        model.free();
        assert!(model.retired().is_empty());
    });
}
