//! The compile thread: code is made there, whoever needs it.
//!
//! One thread owns the code generator, because LLVM's contexts and target machines belong to one thread, and because it
//! has a stack large enough for what LLVM does with a deeply nested function, which the caller's thread may not have.
//! It is started when the first code is needed, and not before. Here is all that the engine asks of a code generator:
//! [`CodeGenerator`]; LLVM itself is known to `llvm.rs`, and to the place where its symbols get their addresses.

use crate::Optimization;
use crate::event::{BodyName, CompileTimes};
use crate::failure::panic_text;
use kaleidoscope_lang::code::{Function, FunctionId};
use kaleidoscope_lang::maths::MathsFunction;
use kaleidoscope_native::CodeAddress;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Makes machine code. Lives on the compile thread.
pub(crate) trait CodeGenerator {
    /// Makes and links code for the unit.
    fn generate(&mut self, unit: &Unit) -> Result<Code, NoCode>;

    /// The text of what would be made of the unit, with names where the code has addresses.
    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        name_of: &dyn Fn(FunctionId) -> String,
    ) -> Result<String, NoCode>;
}

/// What to show of a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// LLVM's IR, after its optimiser.
    Llvm,
    /// The machine's assembly.
    Assembly,
}

/// Why no code was made.
#[derive(Clone, Debug)]
pub(crate) enum NoCode {
    /// The function is larger than the code generator can take in reasonable time.
    TooLarge,
    /// Something went wrong, in a sentence.
    Failed(String),
}

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is too large for the code generator"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// How a code generator is made, on the compile thread.
pub(crate) type Start = fn(Optimization) -> Result<Box<dyn CodeGenerator>, NoCode>;

/// What to make code of.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) function: Arc<Function>,
    /// The function's own id, by which it calls itself; none for an expression.
    pub(crate) id: Option<FunctionId>,
    pub(crate) version: u32,
    /// What stands behind each function that it calls.
    pub(crate) callees: BTreeMap<FunctionId, Callee>,
}

impl Unit {
    pub(crate) fn body_name(&self) -> BodyName {
        BodyName { name: self.function.name.clone(), version: self.version }
    }

    /// What stands behind a function that this one calls.
    pub(crate) fn callee(&self, id: FunctionId) -> Callee {
        *self.callees.get(&id).expect("the unit was made of the function's own calls")
    }
}

/// What a call is made into.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// A call of whatever the slot at this address points to.
    Slot { address: usize },
    /// An instruction, or a direct call of the C library.
    Maths(MathsFunction),
}

/// Linked code.
pub(crate) struct Code {
    /// Where it begins: a C function of as many doubles as the unit's function has parameters.
    pub(crate) address: CodeAddress,
    /// Bytes of machine code.
    pub(crate) bytes: usize,
    pub(crate) times: CompileTimes,
    /// Keeps the code in memory; dropping it frees the code.
    pub(crate) keep: Box<dyn Any + Send>,
}

impl Code {
    /// Code that is there as long as the engine.
    pub(crate) fn provided(address: CodeAddress) -> Self {
        Self { address, bytes: 0, times: CompileTimes::default(), keep: Box::new(()) }
    }
}

/// Address space for the stack of the compile thread. Only what is touched takes memory.
const STACK_BYTES: usize = 1 << 30;

/// The thread, once it is needed.
#[derive(Debug)]
pub(crate) struct CompileThread {
    start: Start,
    optimization: Optimization,
    running: Mutex<Option<Running>>,
    /// How long starting the code generator took, until somebody asks.
    started: Arc<Mutex<Option<Duration>>>,
}

#[derive(Debug)]
struct Running {
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
}

/// Something for the code generator to do, or why there is none. It sends its answer itself.
type Job = Box<dyn FnOnce(Result<&mut dyn CodeGenerator, NoCode>) + Send>;

impl CompileThread {
    /// The thread is not started yet.
    pub(crate) fn new(start: Start, optimization: Optimization) -> Self {
        Self { start, optimization, running: Mutex::new(None), started: Arc::default() }
    }

    /// Has the code generator do something on its thread, and waits for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn CodeGenerator) -> Result<T, NoCode> + Send + 'static,
    ) -> Result<T, NoCode> {
        let (reply, answer) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |generator| {
            let result = generator.and_then(|generator| {
                catch_unwind(AssertUnwindSafe(|| task(generator)))
                    .unwrap_or_else(|panic| Err(panicked(&*panic)))
            });
            // Who asked waits for the answer; were it gone, nobody would need the code, and dropping it frees it.
            drop(reply.send(result));
        });
        self.jobs()?.send(job).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }

    /// How long starting the code generator took: told once, after it has started.
    pub(crate) fn take_start(&self) -> Option<Duration> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn jobs(&self) -> Result<mpsc::Sender<Job>, NoCode> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(running.jobs.clone());
        }
        let (jobs, received) = mpsc::channel();
        let (start, optimization, started) = (self.start, self.optimization, Arc::clone(&self.started));
        let thread = thread::Builder::new()
            .name("kaleidoscope compile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let clock = Instant::now();
                let generator =
                    catch_unwind(|| start(optimization)).unwrap_or_else(|panic| Err(panicked(&*panic)));
                *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock.elapsed());
                serve(generator, &received);
            })
            .map_err(|error| NoCode::Failed(format!("the compile thread cannot be started: {error}")))?;
        *running = Some(Running { jobs: jobs.clone(), thread });
        Ok(jobs)
    }
}

fn ended() -> NoCode {
    NoCode::Failed("the compile thread has ended".to_owned())
}

fn panicked(payload: &(dyn Any + Send)) -> NoCode {
    NoCode::Failed(format!("the code generator panicked: {}", panic_text(payload)))
}

impl Drop for CompileThread {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { jobs, thread }) = running {
            drop(jobs);
            // The thread catches the panics of its jobs; if it panicked all the same there is nothing left to end.
            drop(thread.join());
        }
    }
}

fn serve(mut generator: Result<Box<dyn CodeGenerator>, NoCode>, jobs: &mpsc::Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match &mut generator {
            Ok(generator) => job(Ok(&mut **generator)),
            Err(reason) => job(Err(reason.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
