//! Compile queue: the threads of the optimizing tier, and the jobs that wait for them.
//!
//! Each thread owns a code generator, because LLVM's contexts and target machines belong to one
//! thread, and because a deeply nested function needs a larger stack than the calling thread may
//! have. The first thread starts with the first job, and another one when there are more jobs than
//! idle threads.
//!
//! Jobs that a call waits for come first. Among background jobs the newest comes first, because its
//! code is most likely still running; every eighth time the oldest does.

mod reply;

use crate::interrupt::StopCause;
use crate::maths::maths_entry;
use crate::trap::generator_panicked;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Optimization, Settings};
use kaleidoscope_native::{drop_caught, set_engine_mode};
use reply::{Reply, ReplySender};
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use reply::Waited;

/// The stack of a compile thread in bytes. It is address space: unused pages take no memory.
const STACK_BYTES: usize = 1 << 30;

/// One of this many background jobs is the oldest instead of the newest.
const OLDEST_EVERY: usize = 8;

/// How often a thread yields when it starts. Linux often starts a thread on its creator's
/// processor, although another one is idle: on a virtual machine, a sleeping processor looks like
/// one that the host has taken away. The program then waits for up to 4 ms until the scheduler
/// moves the thread. After a few yields it is moved at once, and the program waits for 0.1 ms.
const YIELDS: usize = 16;

/// The queue. Clones are the same queue.
#[derive(Clone, Debug)]
pub(crate) struct CompileQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    backend: Arc<dyn Backend>,
    optimization: Optimization,
    has_debug_info: bool,
    max_threads: usize,
    jobs: Mutex<Jobs>,
    /// Notified when a job arrives, or the queue closes.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Jobs {
    urgent: VecDeque<Job>,
    /// Oldest first.
    background: VecDeque<Job>,
    /// The number of background jobs taken so far.
    n_taken: usize,
    /// Threads that wait for a job.
    n_idle: usize,
    threads: Vec<JoinHandle<()>>,
    /// No thread starts and no job is accepted any more.
    is_closed: bool,
    /// Time to start code generators, until it is taken.
    start_time: Option<Duration>,
}

/// A function over a code generator, or over the reason why there is none.
struct Job(Box<Task>);

type Task = dyn FnOnce(Result<&mut dyn CodeGenerator, CompileError>) + Send;

thread_local! {
    /// Whether this is a compile thread of any engine.
    static IS_COMPILE_THREAD: Cell<bool> = const { Cell::new(false) };
}

impl CompileQueue {
    /// A queue with at most this many threads. None starts yet.
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        optimization: Optimization,
        has_debug_info: bool,
        max_threads: usize,
    ) -> Self {
        let shared = Shared {
            backend,
            optimization,
            has_debug_info,
            max_threads: max_threads.max(1),
            jobs: Mutex::default(),
            changed: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Runs a job on a compile thread, and waits for its result, however long that takes.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn CodeGenerator) -> Result<T, CompileError> + Send + 'static,
    ) -> Result<T, CompileError> {
        match self.run_while(|| None, task, drop)? {
            Waited::Done(result) => Ok(result),
            Waited::Abandoned(_) => unreachable!("nothing stops the wait"),
        }
    }

    /// Runs a job on a compile thread, and waits for its result until there is a cause to stop. A
    /// job that runs goes on then, and its result goes to `abandoned`, on the compile thread. One
    /// that has not begun is dropped: otherwise calls under short limits would fill the queue
    /// faster than it empties, and those under long limits would wait behind them.
    pub(crate) fn run_while<T: Send + 'static>(
        &self,
        stop: impl Fn() -> Option<StopCause>,
        task: impl FnOnce(&mut dyn CodeGenerator) -> Result<T, CompileError> + Send + 'static,
        abandoned: impl FnOnce(T) + Send + 'static,
    ) -> Result<Waited<T>, CompileError> {
        if IS_COMPILE_THREAD.get() {
            // An observer on a compile thread could wait for a job that no thread is free to run.
            return Err(CompileError::Failed("a compile thread cannot wait for code".to_owned()));
        }
        let reply = Arc::new(Reply::new());
        let sender = ReplySender(Arc::clone(&reply));
        let job = Job(Box::new(move |generator| {
            if sender.is_abandoned() {
                return;
            }
            let result = generator.and_then(|generator| {
                catch_unwind(AssertUnwindSafe(|| task(generator)))
                    .unwrap_or_else(|panic| Err(generator_panicked(panic)))
            });
            if let Err(Ok(result)) = sender.send(result) {
                abandoned(result);
            }
        }));
        self.shared.accept(|jobs| jobs.urgent.push_back(job))?;
        match reply.wait(stop) {
            Waited::Done(Some(result)) => result.map(Waited::Done),
            Waited::Done(None) => Err(ended()),
            Waited::Abandoned(cause) => Ok(Waited::Abandoned(cause)),
        }
    }

    /// Submits a background job, which runs when no call waits for a job. If the queue closes
    /// first, the job is dropped.
    pub(crate) fn submit(
        &self,
        task: impl FnOnce(Result<&mut dyn CodeGenerator, CompileError>) + Send + 'static,
    ) -> Result<(), CompileError> {
        self.shared.accept(|jobs| jobs.background.push_back(Job(Box::new(task))))
    }

    /// Time to start code generators. Each start is returned once.
    pub(crate) fn take_start_time(&self) -> Option<Duration> {
        self.shared.jobs().start_time.take()
    }

    /// Closes the queue: drops waiting jobs, and waits for running ones.
    pub(crate) fn close(&self) {
        let mut jobs = self.shared.jobs();
        jobs.is_closed = true;
        let threads = std::mem::take(&mut jobs.threads);
        let waiting = (std::mem::take(&mut jobs.urgent), std::mem::take(&mut jobs.background));
        drop(jobs);
        drop(waiting);
        self.shared.changed.notify_all();
        for thread in threads {
            if thread.thread().id() != thread::current().id() {
                // Threads catch the panics of their jobs, so there is no error to report.
                drop(thread.join());
            }
        }
    }
}

impl Jobs {
    /// The newest background job, or every eighth time the oldest.
    fn take_background(&mut self) -> Option<Job> {
        let job = match (self.n_taken + 1) % OLDEST_EVERY {
            0 => self.background.pop_front(),
            _ => self.background.pop_back(),
        };
        self.n_taken += usize::from(job.is_some());
        job
    }
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // Nothing that could panic runs under the lock.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a job, and starts a thread for it if none is idle.
    fn accept(self: &Arc<Self>, add: impl FnOnce(&mut Jobs)) -> Result<(), CompileError> {
        let mut jobs = self.jobs();
        if jobs.is_closed {
            return Err(ended());
        }
        let n_jobs = jobs.urgent.len() + jobs.background.len();
        if n_jobs >= jobs.n_idle && jobs.threads.len() < self.max_threads {
            let shared = Arc::clone(self);
            let thread = thread::Builder::new()
                .name("kaleidoscope compile".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || shared.run_jobs());
            match thread {
                Ok(thread) => jobs.threads.push(thread),
                Err(error) if jobs.threads.is_empty() => {
                    return Err(CompileError::Failed(format!(
                        "the compile thread cannot be started: {error}"
                    )));
                }
                // The existing threads have to do.
                Err(_) => {}
            }
        }
        add(&mut jobs);
        drop(jobs);
        self.changed.notify_one();
        Ok(())
    }

    /// Runs jobs: the body of a compile thread.
    fn run_jobs(&self) {
        IS_COMPILE_THREAD.set(true);
        // The thread has inherited the floating-point mode of a thread of the host, and compilers
        // compute constants.
        set_engine_mode();
        for _ in 0..YIELDS {
            thread::yield_now();
        }
        let clock = Instant::now();
        let mut generator = catch_unwind(AssertUnwindSafe(|| self.backend.start(&self.settings())))
            .unwrap_or_else(|panic| Err(generator_panicked(panic)));
        let took = clock.elapsed();
        *self.jobs().start_time.get_or_insert_default() += took;
        while let Some(Job(job)) = self.next_job() {
            // A job with a waiting caller reports its own panics.
            let done = catch_unwind(AssertUnwindSafe(|| match &mut generator {
                Ok(generator) => job(Ok(&mut **generator)),
                Err(reason) => job(Err(reason.clone())),
            }));
            done.unwrap_or_else(drop_caught);
        }
    }

    fn settings(&self) -> Settings {
        let entries = || MathsFunction::ALL.iter().map(|&maths| maths_entry(maths));
        let maths = entries().map(|entry| entry.guest_address().get()).collect();
        let host_maths = entries().map(|entry| entry.address().get()).collect();
        let Self { optimization, has_debug_info, .. } = *self;
        Settings { optimization, maths, host_maths, has_debug_info }
    }

    /// Waits for the next job. Returns nothing when the queue is closed.
    fn next_job(&self) -> Option<Job> {
        let mut jobs = self.jobs();
        loop {
            if jobs.is_closed {
                return None;
            }
            if let Some(job) = jobs.urgent.pop_front() {
                return Some(job);
            }
            if let Some(job) = jobs.take_background() {
                return Some(job);
            }
            jobs.n_idle += 1;
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
            jobs.n_idle -= 1;
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

fn ended() -> CompileError {
    CompileError::Failed("the compile queue is closed".to_owned())
}

#[cfg(test)]
mod tests;
