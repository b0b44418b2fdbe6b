//! Quick code: Cranelift as the code generator of first calls, on the thread that calls.

use crate::host::maths_entry;
use crate::jit::Heat;
use kaleidoscope_baseline::{Compiler, Counters, MachineCode};
use kaleidoscope_ir::compile::{Code, CompileError, CompileTimes, Unit};
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
            None => Compiler::new(|maths| maths_entry(maths).guest_address().get())?,
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
        let counters = match heat {
            Some(heat) => Some(Counters {
                table: heat.cells_address(),
                on_trip: self.hot.get(),
                trip_thunk: if unit.function.n_loops() > 0 { Some(self.thunk(compiler)?) } else { None },
                code_number: heat.number(),
                tail_calls: heat.tail_calls_at_once(),
            }),
            None => None,
        };
        self.place(compiler.compile(unit, counters.as_ref())?)
    }

    /// Where the thunk is.
    fn thunk(&self, compiler: &mut Compiler) -> Result<usize, CompileError> {
        if self.thunk.get().is_none() {
            let made = self.place(compiler.trip_thunk(self.hot.get())?)?;
            // Another thread may have been quicker.
            drop(self.thunk.set(made.block));
        }
        Ok(self.thunk.get().expect("it has just been made").address().get())
    }

    /// Puts code where it can run.
    fn place(&self, code: MachineCode) -> Result<Placed, CompileError> {
        let block = self.memory.allocate(&code.bytes, code.align);
        let block = block.map_err(|error| CompileError::Failed(error.to_string()))?;
        Ok(Placed { block, entry: code.entry })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compiler>> {
        self.compilers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline").field("memory", &self.memory).finish_non_exhaustive()
    }
}
