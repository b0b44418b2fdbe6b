//! Kernels: compiled loops over the rows of a batch.
//!
//! A compile thread compiles a kernel when enough rows were requested ([`policy::advise_kernel`]).
//! Its inlinees are looked up when the job runs, and checked again when the kernel is installed.

use crate::code::CompiledCode;
use crate::code_state::Versioned;
use crate::column_state::ColumnKey;
use crate::compile_queue::Waited;
use crate::core::{Core, SharedCore};
use crate::event::{CodeName, Event, Tier};
use crate::interrupt::Watch;
use crate::kernel_state::{KernelKey, KernelRequest, KernelState};
use crate::maths::{load_maths, maths_entry};
use crate::policy::{self, KernelAdvice};
use crate::precision::Precision;
use crate::table::{Dependent, StoredDefinition, Table};
use crate::trap::Trap;
use kaleidoscope_ir::compile::{
    CallTarget, CodeGenerator, CodeKind, CompileError, KernelForm, KernelKind, Unit, VectorMaths,
};
use kaleidoscope_ir::{Function, FunctionId, Local, MathsFunction, Op};
use kaleidoscope_native::CodeAddress;
use kaleidoscope_native::maths::{self, VECTOR_LANES};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Core {
    /// Gets a kernel compiled, if this many more rows justify it. Returns the trap of the watch if
    /// the evaluation is to stop while it waits; the kernel is compiled in the background then.
    pub(crate) fn prepare_kernel(
        &self,
        key: KernelKey,
        n_rows: usize,
        watch: &Watch<'_>,
    ) -> Result<(), Trap> {
        let (Some(core), Some(queue)) = (self.shared(), &self.compile_queue) else { return Ok(()) };
        let (mode, thresholds) = (self.settings.mode, self.settings.thresholds);
        let request = {
            let mut table = self.table();
            let version = table.version(key.function);
            let has_columns = key.form == KernelForm::Map && table.column_program(key.columns()).is_some();
            let state = table.kernels.entry(key).or_insert(KernelState::Counting { n_rows: 0 });
            state.note_rows(version, n_rows, |n_rows| {
                policy::advise_kernel(mode, n_rows, thresholds, has_columns)
            })
        };
        let Some(KernelRequest { version, advice }) = request else { return Ok(()) };
        let job = KernelJob { core, key, version, is_done: Cell::new(false) };
        if advice == KernelAdvice::Wait {
            let task = move |generator: &mut dyn CodeGenerator| {
                let compiled = job.compile(Ok(generator));
                Ok((job, compiled))
            };
            // Observer panics are ignored here: no evaluation is waiting for the result.
            let abandoned = |(job, compiled): (KernelJob, _)| drop(job.finish(compiled));
            return match queue.run_while(|| watch.check(), task, abandoned) {
                Ok(Waited::Done((job, compiled))) => job.finish(compiled),
                Ok(Waited::Abandoned(cause)) => Err(cause.into_trap(Vec::new())),
                // Without compile threads, single calls have to do.
                Err(_) => Ok(()),
            };
        }
        drop(queue.submit(move |generator| {
            // Observer panics are ignored here: no evaluation is waiting for the result.
            drop(job.finish(job.compile(generator)));
        }));
        Ok(())
    }

    /// Notes a call of this version of the function by a batch.
    pub(crate) fn note_batch_call(&self, function: FunctionId, version: u32) -> Result<(), Trap> {
        let mut table = self.table();
        let entry = table.entry_mut(function);
        let first_call = if entry.version() == version { entry.note_call() } else { None };
        drop(table);
        first_call.map_or(Ok(()), |code| self.emit(|| Event::FirstCalled { code }))
    }
}

/// A kernel that has just been compiled.
struct CompiledKernel {
    code: CompiledCode,
    rows_per_call: usize,
}

/// A kernel to compile. However the job ends, the table learns of it: another batch may request the
/// kernel again, or knows that there is none.
struct KernelJob {
    core: SharedCore,
    key: KernelKey,
    version: u32,
    /// Whether the kernel was installed or came too late; another job may be running by now.
    is_done: Cell<bool>,
}

impl Drop for KernelJob {
    fn drop(&mut self) {
        if !self.is_done.get() {
            self.core.table().end_kernel(self.key, self.version, KernelState::Refused);
        }
    }
}

impl KernelJob {
    /// Compiles the kernel. Returns nothing if the function has no body, or was redefined.
    fn compile(
        &self,
        generator: Result<&mut dyn CodeGenerator, CompileError>,
    ) -> Result<Option<CompiledKernel>, Trap> {
        let core = &self.core;
        load_maths()?;
        let (ir, version) = {
            let table = core.table();
            let entry = table.entry(self.key.function);
            (entry.ir().cloned(), entry.version())
        };
        if version != self.version {
            return Ok(None);
        }
        if let Some(ir) = ir {
            core.verify_rows_version(&ir, version)?;
        }
        let unit = {
            let table = core.table();
            // Another version is not verified.
            let is_current = table.version(self.key.function) == self.version;
            if is_current { table.kernel_unit(self.key.columns()) } else { None }
        };
        let Some(root) = unit.map(Arc::new) else { return Ok(None) };
        let generator = generator.map_err(|reason| Trap::Compile { code: CodeName::of(&root), reason })?;
        let form = self.key.form;
        let guarded = CodeKind::Kernel(KernelKind::Guarded, form);
        let budget = policy::KERNEL_INLINING.for_results(root.function.n_results);
        let tier = Tier::Kernel;
        let compiled = core.compile_optimized(&root, guarded, budget, tier, generator, |unit| {
            if policy::is_plain(unit) {
                unit.kind = CodeKind::Kernel(KernelKind::Plain, form);
                if self.key.precision == Precision::Fast {
                    unit.vector_maths = vector_maths(unit);
                }
                unit.sincos = sincos(unit);
            }
        })?;
        let kernel = |(code, unit): (_, Unit)| CompiledKernel {
            code,
            rows_per_call: policy::rows_per_kernel_call(&unit),
        };
        Ok(compiled.map(kernel))
    }

    /// Installs the kernel, or emits why there is none; then single calls have to do.
    fn finish(&self, compiled: Result<Option<CompiledKernel>, Trap>) -> Result<(), Trap> {
        match compiled {
            Ok(Some(kernel)) => {
                self.is_done.set(true);
                let info = kernel.code.info.clone();
                let installed = self.core.table().install_kernel(self.key, kernel);
                match installed {
                    Ok(()) => self.core.emit_compiled(&info),
                    // Out of date: dropped without an event.
                    Err(_stale) => Ok(()),
                }
            }
            Ok(None) => Ok(()),
            Err(Trap::Compile { code, reason }) => {
                self.core.emit(|| Event::CompileFailed { code, reason: reason.to_string() })
            }
            // A limit on code, which single calls respect by themselves.
            Err(_) => Ok(()),
        }
    }
}

impl Table {
    /// The unit of a kernel or column program. A maths function gets a function that calls it; a
    /// host function has none.
    pub(crate) fn kernel_unit(&self, ColumnKey { function, scalars }: ColumnKey) -> Option<Unit> {
        let entry = self.entry(function);
        let ir = match &entry.definition {
            StoredDefinition::Ir(ir) => Arc::clone(ir),
            StoredDefinition::Maths(maths) => Arc::new(caller_of(function, *maths)),
            StoredDefinition::Host { .. } | StoredDefinition::Unavailable => return None,
        };
        Some(Unit { scalars, ..self.unit(ir, Some(function), entry.version()) })
    }

    fn install_kernel(&mut self, key: KernelKey, kernel: CompiledKernel) -> Result<(), Box<CompiledCode>> {
        let CompiledKernel { code, rows_per_call } = kernel;
        let code = Box::new(code);
        let version = code.version();
        if !self.is_current(&code) {
            self.end_kernel(key, version, KernelState::Counting { n_rows: 0 });
            return Err(code);
        }
        let dependencies = code.dependencies.clone();
        let Some(state) = self.compiling_kernel(key, version) else { return Err(code) };
        *state = KernelState::Ready { code, rows_per_call };
        if let Some(program) = self.column_program(key.columns())
            && key.form == KernelForm::Map
        {
            program.note_change();
        }
        self.note_dependent(Dependent::Kernel(key), &dependencies);
        Ok(())
    }

    fn end_kernel(&mut self, key: KernelKey, version: u32, state: KernelState) {
        if let Some(compiling) = self.compiling_kernel(key, version) {
            *compiling = state;
        }
    }

    /// The state, if a thread compiles this version of the kernel, and it is the current one.
    fn compiling_kernel(&mut self, key: KernelKey, version: u32) -> Option<&mut KernelState> {
        let is_current = self.version(key.function) == version;
        let state = self.kernels.get_mut(&key)?;
        (is_current && matches!(state, KernelState::Compiling)).then_some(state)
    }
}

/// A function that only calls this maths function.
pub(crate) fn caller_of(id: FunctionId, maths: MathsFunction) -> Function {
    let arity = maths.arity();
    let arguments = (0..arity).map(|idx| Op::Get(Local::new(idx)));
    let parameters: Vec<_> = ["x", "y"].into_iter().take(arity as usize).map(Arc::from).collect();
    let ops: Vec<_> = arguments.chain([Op::Call { callee: id, n_args: arity }]).collect();
    Function::new(maths.name(), arity, parameters, ops, arity)
}

/// The maths functions that the unit calls.
fn called_maths(unit: &Unit) -> BTreeSet<MathsFunction> {
    let called = unit.calls_left().into_iter().filter_map(|callee| match unit.call_target(callee) {
        CallTarget::Maths { function, .. } => Some(function),
        CallTarget::Slot { .. } => None,
    });
    called.collect()
}

/// The address of `sincos`, if the unit calls `sin` and `cos`, and not their vector variants.
fn sincos(unit: &Unit) -> Option<usize> {
    let both = [MathsFunction::Sin, MathsFunction::Cos];
    let called = called_maths(unit);
    let is_vector = |function| unit.vector_maths.iter().any(|variant| variant.function == function);
    let calls_both = both.iter().all(|&function| called.contains(&function) && !is_vector(function));
    calls_both.then(maths::sincos).flatten().map(CodeAddress::get)
}

/// The vector maths library's variants of the functions that the unit calls.
fn vector_maths(unit: &Unit) -> Vec<VectorMaths> {
    let mut functions = called_maths(unit);
    if unit.instances().iter().any(|instance| instance.function.facts().counts.powers > 0) {
        functions.insert(MathsFunction::Pow);
    }
    let variants = functions.into_iter().flat_map(|function| {
        VECTOR_LANES.iter().filter_map(move |&lanes| {
            let address = maths_entry(function).vector_address(lanes)?.get();
            Some(VectorMaths { function, lanes, address })
        })
    });
    variants.collect()
}
