//! The compile threads: code generators that take their time live there.
//!
//! Each thread owns a code generator, because LLVM's contexts and target machines belong to one thread, and because it
//! has a stack large enough for what LLVM does with a deeply nested function, which the caller's thread may not have.
//! The first is started when the first code is needed, and not before; another when there is more to do than the ones there
//! are can take at once. Whoever waits for code comes before what is made in the background; and there what was asked for last comes
//! first, since that most likely still runs, but every eighth time what has waited longest.

use crate::failure::panic_text;
use crate::host::maths_entry;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Optimization, Settings};
use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Address space for the stack of a compile thread. Only what is touched takes memory.
const STACK_BYTES: usize = 1 << 30;

/// Of so many things that are made in the background, one is that which has waited longest.
const LONGEST_EVERY: usize = 8;

/// How often a thread lets others go first when it starts. Linux often starts it on the processor of the program, though
/// another one is idle: on a virtual machine all that sleep look taken away. The program then waited for up to 4 ms, until the
/// thread was moved. With a few turns given away it goes on at once, and waits a tenth of a millisecond.
const YIELDS: usize = 16;

/// The threads, once they are needed. Clones are the same threads.
#[derive(Clone, Debug)]
pub(crate) struct CompileThreads {
    crew: Arc<Crew>,
}

#[derive(Debug)]
struct Crew {
    backend: Arc<dyn Backend>,
    optimization: Optimization,
    most_threads: usize,
    work: Mutex<Work>,
    /// Told when there is something to do, or nothing ever again.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    urgent: VecDeque<Job>,
    /// In the order in which they were asked for.
    background: VecDeque<Job>,
    /// How many of them have been taken.
    n_taken: usize,
    /// Threads that wait for something to do.
    n_idle: usize,
    threads: Vec<JoinHandle<()>>,
    /// No more threads are started, and no more jobs taken.
    is_closed: bool,
    /// How long starting code generators took, until somebody asks.
    started: Option<Duration>,
}

/// Something to do with a code generator, or with the reason why there is none.
struct Job(Box<Task>);

type Task = dyn FnOnce(Result<&mut dyn CodeGenerator, CompileError>) + Send;

thread_local! {
    /// Whether this is a compile thread, of whatever engine.
    static COMPILES: Cell<bool> = const { Cell::new(false) };
}

impl CompileThreads {
    /// At most so many; none is started yet.
    pub(crate) fn new(backend: Arc<dyn Backend>, optimization: Optimization, most_threads: usize) -> Self {
        let crew = Crew {
            backend,
            optimization,
            most_threads: most_threads.max(1),
            work: Mutex::default(),
            changed: Condvar::new(),
        };
        Self { crew: Arc::new(crew) }
    }

    /// Has a code generator do something on its thread, and waits for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn CodeGenerator) -> Result<T, CompileError> + Send + 'static,
    ) -> Result<T, CompileError> {
        if COMPILES.get() {
            // What an observer asks for on a compile thread could be waited for by all of them.
            return Err(CompileError::Failed("a compile thread cannot wait for code".to_owned()));
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Job(Box::new(move |generator| {
            let result = generator.and_then(|generator| {
                catch_unwind(AssertUnwindSafe(|| task(generator)))
                    .unwrap_or_else(|panic| Err(panicked(&*panic)))
            });
            // Who asked waits for the answer; were it gone, nobody would need the code, and dropping it frees it.
            drop(reply.send(result));
        }));
        self.crew.take(|work| work.urgent.push_back(job))?;
        answer.recv().map_err(|_| ended())?
    }

    /// Has a code generator do something when there is nothing urgent, and does not wait for it. It may never come to pass.
    pub(crate) fn submit(
        &self,
        task: impl FnOnce(Result<&mut dyn CodeGenerator, CompileError>) + Send + 'static,
    ) -> Result<(), CompileError> {
        self.crew.take(|work| work.background.push_back(Job(Box::new(task))))
    }

    /// How long starting code generators took: told once.
    pub(crate) fn take_start(&self) -> Option<Duration> {
        self.crew.work().started.take()
    }

    /// Ends the threads, after what they are at, and waits for that.
    pub(crate) fn close(&self) {
        let mut work = self.crew.work();
        work.is_closed = true;
        let threads = std::mem::take(&mut work.threads);
        let jobs = (std::mem::take(&mut work.urgent), std::mem::take(&mut work.background));
        drop(work);
        drop(jobs);
        self.crew.changed.notify_all();
        for thread in threads {
            if thread.thread().id() != thread::current().id() {
                // Threads catch the panics of their jobs; if one panicked all the same there is nothing left to end.
                drop(thread.join());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn n_started(&self) -> usize {
        self.crew.work().threads.len()
    }
}

impl Work {
    /// What was asked for last, or now and then first.
    fn take_background(&mut self) -> Option<Job> {
        let job = match (self.n_taken + 1) % LONGEST_EVERY {
            0 => self.background.pop_front(),
            _ => self.background.pop_back(),
        };
        self.n_taken += usize::from(job.is_some());
        job
    }
}

impl Crew {
    fn work(&self) -> MutexGuard<'_, Work> {
        // Nothing is called under the lock that could panic.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, and sees to it that a thread comes for it.
    fn take(self: &Arc<Self>, add: impl FnOnce(&mut Work)) -> Result<(), CompileError> {
        let mut work = self.work();
        if work.is_closed {
            return Err(ended());
        }
        let n_jobs = work.urgent.len() + work.background.len();
        if n_jobs >= work.n_idle && work.threads.len() < self.most_threads {
            let crew = Arc::clone(self);
            let thread = thread::Builder::new()
                .name("kaleidoscope compile".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || crew.serve());
            match thread {
                Ok(thread) => work.threads.push(thread),
                Err(error) if work.threads.is_empty() => {
                    return Err(CompileError::Failed(format!(
                        "the compile thread cannot be started: {error}"
                    )));
                }
                // The ones there are will have to do.
                Err(_) => {}
            }
        }
        add(&mut work);
        drop(work);
        self.changed.notify_one();
        Ok(())
    }

    /// The life of a compile thread.
    fn serve(&self) {
        COMPILES.set(true);
        for _ in 0..YIELDS {
            thread::yield_now();
        }
        let clock = Instant::now();
        let mut generator = catch_unwind(AssertUnwindSafe(|| self.backend.start(&self.settings())))
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        let took = clock.elapsed();
        *self.work().started.get_or_insert_default() += took;
        while let Some(Job(job)) = self.next_job() {
            // A job that is waited for reports its panics itself; of another one nothing is left to report.
            drop(catch_unwind(AssertUnwindSafe(|| match &mut generator {
                Ok(generator) => job(Ok(&mut **generator)),
                Err(reason) => job(Err(reason.clone())),
            })));
        }
    }

    fn settings(&self) -> Settings {
        let entries = || MathsFunction::ALL.iter().map(|&maths| maths_entry(maths));
        let maths = entries().map(|entry| entry.guest_address().get()).collect();
        let host_maths = entries().map(|entry| entry.address().get()).collect();
        Settings { optimization: self.optimization, maths, host_maths }
    }

    /// The next thing to do; none when the threads are to end.
    fn next_job(&self) -> Option<Job> {
        let mut work = self.work();
        loop {
            if work.is_closed {
                return None;
            }
            if let Some(job) = work.urgent.pop_front() {
                return Some(job);
            }
            if let Some(job) = work.take_background() {
                return Some(job);
            }
            work.n_idle += 1;
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
            work.n_idle -= 1;
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

fn ended() -> CompileError {
    CompileError::Failed("the compile threads have ended".to_owned())
}

fn panicked(payload: &(dyn Any + Send)) -> CompileError {
    CompileError::Failed(format!("the code generator panicked: {}", panic_text(payload)))
}

#[cfg(test)]
mod tests;
