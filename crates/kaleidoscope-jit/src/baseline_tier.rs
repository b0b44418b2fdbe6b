//! Baseline tier: compiles with the baseline compiler, on the calling thread, and puts the code
//! into memory.
//!
//! Where little is left of the thread's stack, the compiler runs on a stack of the tier's own.

use crate::error::why_no_code;
use crate::maths::maths_entry;
use crate::profile::Profile;
use crate::trap::generator_panicked;
use kaleidoscope_baseline::{Compiler, Counters, DebuggedCode, MachineCode, debug_object};
use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::{Code, CompileError, CompileTimes, Unit};
use kaleidoscope_native::{CodeAddress, CodeBlock, CodeMemory, ShownObject, SpareStack};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// How much stack the compiler gets, in bytes. It needs less, whatever it compiles, because it does
/// not recurse (test `small_stacks` of the crate `kaleidoscope`).
const STACK_BYTES: usize = 128 << 10;

/// The baseline compiler of one engine, for any thread.
pub(crate) struct BaselineTier {
    /// The host stub that code calls when a counter trips.
    trip: CodeAddress,
    memory: CodeMemory,
    /// Whether debuggers see the code.
    has_debug_info: bool,
    /// Idle compilers: as many as ever compiled at the same time.
    compilers: Mutex<Vec<Compiler>>,
    /// Idle stacks for compilers: as many as ever were in use at the same time.
    stacks: Mutex<Vec<SpareStack>>,
    /// The thunk by which functions call `trip`. Made when code counts for the first time.
    entry_thunk: OnceLock<PlacedCode>,
    /// The thunk by which loops call `trip`. Compiled with the first loop.
    trip_thunk: OnceLock<PlacedCode>,
    /// The thunk by which code calls what replaced a maths instruction. Made for the first such
    /// instruction.
    slot_thunk: OnceLock<PlacedCode>,
}

/// Executable code, and the offset of its entry.
struct PlacedCode {
    /// What debuggers see of it. Dropped before the code is.
    shown: Option<ShownObject>,
    block: CodeBlock,
    entry: usize,
}

impl BaselineTier {
    /// A tier without code. Nothing is allocated before the first compilation.
    pub(crate) fn new(trip: CodeAddress, has_debug_info: bool) -> Self {
        Self {
            trip,
            memory: if has_debug_info { CodeMemory::for_debugger() } else { CodeMemory::new() },
            has_debug_info,
            compilers: Mutex::default(),
            stacks: Mutex::default(),
            entry_thunk: OnceLock::new(),
            trip_thunk: OnceLock::new(),
            slot_thunk: OnceLock::new(),
        }
    }

    /// Compiles the unit, with the profile's counters if there is one.
    pub(crate) fn compile(&self, unit: &Unit, profile: Option<&Profile>) -> Result<Code, CompileError> {
        let start = Instant::now();
        let PlacedCode { shown, block, entry } = self
            .on_large_stack(|| self.with_compiler(|compiler| self.compile_with(compiler, unit, profile)))??;
        Ok(Code {
            address: block.address().get() + entry,
            bytes: block.n_bytes() - entry,
            times: CompileTimes { baseline: start.elapsed(), ..CompileTimes::default() },
            exits: Vec::new(),
            debug_object: None,
            keep: if shown.is_some() { Box::new((shown, block)) } else { Box::new(block) },
        })
    }

    /// Lends an idle compiler, or a new one. A panic is an error, and drops the compiler, whose
    /// state is unknown then.
    fn with_compiler<T>(
        &self,
        compile: impl FnOnce(&mut Compiler) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        let idle = self.idle().pop();
        let mut compiler = match idle {
            Some(compiler) => compiler,
            None => self.new_compiler(),
        };
        let result = catch_unwind(AssertUnwindSafe(|| compile(&mut compiler))).map_err(generator_panicked)?;
        self.idle().push(compiler);
        result
    }

    fn new_compiler(&self) -> Compiler {
        let mut compiler = Compiler::new(|maths| maths_entry(maths).guest_address().get());
        if self.has_debug_info {
            compiler.for_debugger();
        }
        compiler
    }

    /// Runs a compiler on this thread's stack if enough of it is left, and otherwise on a stack of
    /// the tier.
    fn on_large_stack<T>(&self, compile: impl FnOnce() -> T) -> Result<T, CompileError> {
        if kaleidoscope_native::host_stack_left().is_some_and(|left| left >= STACK_BYTES) {
            return Ok(compile());
        }
        let stacks = || self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = stacks().pop();
        let mut stack = match idle {
            Some(stack) => stack,
            None => SpareStack::new(STACK_BYTES).map_err(|error| CompileError::Failed(error.to_string()))?,
        };
        let result = stack.run(compile);
        stacks().push(stack);
        Ok(result)
    }

    fn compile_with(
        &self,
        compiler: &mut Compiler,
        unit: &Unit,
        profile: Option<&Profile>,
    ) -> Result<PlacedCode, CompileError> {
        let counters = match profile {
            Some(profile) => Some(Counters {
                table: profile.cells_address(),
                entry_thunk: self
                    .thunk(&self.entry_thunk, "entry thunk", || Compiler::entry_thunk(self.trip.get()))?,
                trip_thunk: if unit.function.n_loops() > 0 {
                    Some(
                        self.thunk(&self.trip_thunk, "trip thunk", || Compiler::trip_thunk(self.trip.get()))?,
                    )
                } else {
                    None
                },
                code_number: profile.number(),
                tail_calls: profile.tail_calls_per_report(),
            }),
            None => None,
        };
        let slot_thunk = if compiler.wants_slot_thunk(unit) {
            Some(self.thunk(&self.slot_thunk, "slot thunk", Compiler::slot_thunk)?)
        } else {
            None
        };
        let code = compiler.compile(unit, counters.as_ref(), slot_thunk)?;
        self.place(&code, &unit.function.name, Some(&unit.function))
    }

    /// The address of a thunk, which is compiled at first.
    fn thunk(
        &self,
        thunk: &OnceLock<PlacedCode>,
        name: &str,
        compile: impl FnOnce() -> MachineCode,
    ) -> Result<usize, CompileError> {
        if thunk.get().is_none() {
            let made = self.place(&compile(), name, None)?;
            // Another thread may have been faster.
            drop(thunk.set(made));
        }
        Ok(thunk.get().expect("set just now").block.address().get())
    }

    /// Copies code into executable memory, and shows it to debuggers if they are to see it.
    fn place(
        &self,
        code: &MachineCode,
        name: &str,
        function: Option<&Function>,
    ) -> Result<PlacedCode, CompileError> {
        let block = self.memory.allocate(&code.bytes, code.align);
        let block = block.map_err(|error| CompileError::Failed(why_no_code(&error)))?;
        let layout = code.layout.as_deref().filter(|_| self.has_debug_info);
        let shown = layout.map(|layout| {
            let (address, bytes, entry) = (block.address().get(), &*code.bytes, code.entry);
            let code = DebuggedCode { name, address, bytes, entry, layout, function };
            ShownObject::show(debug_object(&code).into())
        });
        Ok(PlacedCode { shown, block, entry: code.entry })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compiler>> {
        self.compilers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BaselineTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaselineTier").field("memory", &self.memory).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
