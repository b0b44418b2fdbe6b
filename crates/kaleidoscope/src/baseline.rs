//! Quick code: Cranelift as the code generator of first calls, on the thread that calls.

use crate::host::maths_entry;
use crate::jit::Heat;
use kaleidoscope_baseline as baseline;
use kaleidoscope_baseline::{Compiler, ErrorKind};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{Callee, Code, CompileError, CompileTimes, Unit};
use kaleidoscope_native::{CodeAddress, CodeBlock, CodeMemory};
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// Makes quick code, on any thread.
pub(crate) struct Baseline {
    /// What code calls whose counters have run out.
    hot: CodeAddress,
    memory: CodeMemory,
    /// Compilers that nobody uses just now: as many as ever compiled at once.
    compilers: Mutex<Vec<Compiler>>,
    /// By which loops call `hot`; made with the first code that has any.
    thunk: OnceLock<CodeBlock>,
}

/// Code that can run, and where in it that begins.
struct Placed {
    block: CodeBlock,
    entry: usize,
}

impl Baseline {
    /// Takes nothing before the first code.
    pub(crate) fn new(hot: CodeAddress) -> Self {
        Self { hot, memory: CodeMemory::new(), compilers: Mutex::default(), thunk: OnceLock::new() }
    }

    /// Makes code for the unit, which counts if there is heat.
    pub(crate) fn generate(&self, unit: &Unit, heat: Option<&Heat>) -> Result<Code, CompileError> {
        let start = Instant::now();
        let idle = self.idle().pop();
        let mut compiler = match idle {
            Some(compiler) => compiler,
            None => Compiler::new(|maths| maths_entry(maths).guest_address().get())
                .map_err(|error| describe(&error))?,
        };
        let placed = self.compile(&mut compiler, unit, heat);
        self.idle().push(compiler);
        let Placed { block, entry } = placed?;
        Ok(Code {
            address: block.address().get() + entry,
            bytes: block.n_bytes() - entry,
            times: CompileTimes { baseline: start.elapsed(), ..CompileTimes::default() },
            keep: Box::new(block),
        })
    }

    fn compile(
        &self,
        compiler: &mut Compiler,
        unit: &Unit,
        heat: Option<&Heat>,
    ) -> Result<Placed, CompileError> {
        let heat = match heat {
            Some(heat) => Some(baseline::Heat {
                cells: heat.cells_address(),
                hot: self.hot.get(),
                thunk: if unit.function.n_loops() > 0 { Some(self.thunk(compiler)?) } else { None },
                body: heat.number(),
                tail_calls: heat.tail_calls_at_once(),
            }),
            None => None,
        };
        let callees = |id| callee(unit, id);
        let unit = baseline::Unit {
            function: &unit.function,
            id: unit.id,
            callees: &callees,
            variables: &|id| unit.variable(id).address,
            heat,
        };
        self.place(compiler.compile(&unit))
    }

    /// Where the thunk is.
    fn thunk(&self, compiler: &mut Compiler) -> Result<usize, CompileError> {
        if self.thunk.get().is_none() {
            let made = self.place(compiler.hot_thunk(self.hot.get()))?;
            // Another thread may have been quicker.
            drop(self.thunk.set(made.block));
        }
        Ok(self.thunk.get().expect("it has just been made").address().get())
    }

    /// Puts code where it can run.
    fn place(&self, code: Result<baseline::Code, baseline::Error>) -> Result<Placed, CompileError> {
        let code = code.map_err(|error| describe(&error))?;
        let block = self.memory.allocate(&code.bytes, code.align);
        let block = block.map_err(|error| CompileError::Failed(error.to_string()))?;
        Ok(Placed { block, entry: code.entry })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compiler>> {
        self.compilers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn callee(unit: &Unit, id: FunctionId) -> baseline::Callee {
    match unit.callee(id) {
        Callee::Slot { address } => baseline::Callee::Slot { address },
        Callee::Maths(maths) => baseline::Callee::Maths(maths),
    }
}

fn describe(error: &baseline::Error) -> CompileError {
    match error.kind() {
        ErrorKind::TooLarge => CompileError::TooLarge,
        _ => CompileError::Failed(error.to_string()),
    }
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline").field("memory", &self.memory).finish_non_exhaustive()
    }
}
