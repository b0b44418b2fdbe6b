//! The compiler: Cranelift's state, reused from one function to the next.

use std::fmt;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::ExternalName;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{Context, FinalizedRelocTarget};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CompileError, Unit};

use crate::counter_code::{CounterCode, CounterReference};
use crate::effort::{Effort, effort};
use crate::lower::{Maths, lower, lower_slot_thunk, lower_trip_thunk};
use crate::{Counters, arch, failed, target};

#[cfg(doc)]
use kaleidoscope_ir::compile::Invalidation;

/// Compiles one function after the other.
///
/// Memory is reused for the next function, or freed if the function was large. A compile uses less
/// than 128 KiB of stack, however large the function is; without optimization of Cranelift itself,
/// less than 1 MiB.
pub struct Compiler {
    full: OwnedTargetIsa,
    quick: OwnedTargetIsa,
    context: Context,
    maths: Maths,
}

impl Compiler {
    /// A compiler for this machine.
    ///
    /// `maths` returns the address at which generated code calls a function of the C maths
    /// library, with the C ABI of doubles. It must stay valid as long as the code. The compiler
    /// asks only for functions that the code calls.
    ///
    /// # Errors
    /// If Cranelift cannot be set up, which is a bug in this crate.
    pub fn new(maths: fn(MathsFunction) -> usize) -> Result<Self, CompileError> {
        Ok(Self {
            full: target::host(Effort::Full)?,
            quick: target::host(Effort::Quick)?,
            context: Context::new(),
            maths: Maths::new(maths, arch::has_rounding_instructions()),
        })
    }

    /// Compiles the unit's function. Baseline code inlines nothing and is entered by calls only, so
    /// the unit has no inlining plan. Without `counters` the code does not count.
    ///
    /// In a unit with an [`Invalidation`], maths functions can be redefined while the code runs: it
    /// calls their slots once the flag is set. `slot_thunk` is the address of the
    /// [slot thunk](Self::slot_thunk), without which loops may run several times as long if the
    /// unit [wants](Self::wants_slot_thunk) it. The code never calls [`Invalidation::exit`].
    ///
    /// # Errors
    /// [`CompileError::TooLarge`] if compiling the function would take more than about two seconds.
    /// The limit is lower with counters: a function that is too large may compile without them.
    pub fn compile(
        &mut self,
        unit: &Unit,
        counters: Option<&Counters>,
        slot_thunk: Option<usize>,
    ) -> Result<MachineCode, CompileError> {
        debug_assert!(unit.inlining.is_none(), "the baseline compiler inlines nothing");
        let name = &unit.function.name;
        let n_checks = self.maths.n_checks(unit);
        let effort = effort(&unit.function, counters.is_some(), n_checks).ok_or(CompileError::TooLarge)?;
        self.context.clear();
        lower(&mut self.context.func, unit, counters, slot_thunk, &self.maths);
        let code = self.generate(name, effort);
        if effort == Effort::Quick {
            self.context = Context::new();
        }
        let (mut code, references) = code?;
        if let Some(counters) = counters {
            let has_tail_call = unit.function.facts().has_tail_call;
            let n_params = unit.function.n_params as usize;
            (code.bytes, code.entry) =
                arch::add_counters(&code.bytes, code.align, n_params, counters, &references, has_tail_call)
                    .ok_or_else(|| failed(name, &"Cranelift's prologue is not the expected one"))?;
        }
        Ok(code)
    }

    /// The trip thunk: the code through which loops call `on_trip`, the address of a function with
    /// the C ABI of doubles and two parameters. [`Counters::trip_thunk`] wants its address.
    ///
    /// # Errors
    /// If Cranelift fails.
    pub fn trip_thunk(&mut self, on_trip: usize) -> Result<MachineCode, CompileError> {
        self.context.clear();
        lower_trip_thunk(&mut self.context.func, on_trip);
        self.generate("the trip thunk", Effort::Full).map(|(code, _)| code)
    }

    /// Whether the unit has a loop with a maths instruction that can be replaced by a call. An
    /// ordinary call would make the register allocator keep the loop's variables in memory.
    pub fn wants_slot_thunk(&self, unit: &Unit) -> bool {
        unit.function.has_loops() && self.maths.n_checks(unit) > 0
    }

    /// The slot thunk: the code through which loops call what replaced a maths instruction.
    ///
    /// # Errors
    /// If Cranelift fails.
    pub fn slot_thunk(&mut self) -> Result<MachineCode, CompileError> {
        self.context.clear();
        lower_slot_thunk(&mut self.context.func);
        self.generate("the slot thunk", Effort::Full).map(|(code, _)| code)
    }

    /// The code, and its references to counter code.
    fn generate(
        &mut self,
        name: &str,
        effort: Effort,
    ) -> Result<(MachineCode, Vec<CounterReference>), CompileError> {
        let isa = match effort {
            Effort::Full => &self.full,
            Effort::Quick => &self.quick,
        };
        self.context
            .compile(&**isa, &mut ControlPlane::default())
            .map_err(|error| failed(name, &error.inner))?;
        let names = self.context.func.params.user_named_funcs();
        let compiled = self.context.compiled_code().expect("it has just been compiled");
        let references = compiled.buffer.relocs().iter().map(|reloc| {
            debug_assert_eq!(reloc.kind, arch::CALL_RELOCATION, "code refers to everything else by address");
            let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = reloc.target else {
                unreachable!("code refers to counter code only")
            };
            CounterReference { offset: reloc.offset as usize, target: CounterCode::of_name(&names[name]) }
        });
        let references = references.collect();
        let align = compiled.buffer.alignment as usize;
        Ok((MachineCode { bytes: compiled.code_buffer().to_vec(), align, entry: 0 }, references))
    }
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").finish_non_exhaustive()
    }
}

/// Position-independent machine code: a function with the C ABI of doubles, wherever the bytes are
/// copied to.
#[derive(Clone, Debug)]
pub struct MachineCode {
    /// The machine code, its constants included.
    pub bytes: Vec<u8>,
    /// The offset of the entry.
    pub entry: usize,
    /// The alignment that the bytes need, a power of two.
    pub align: usize,
}
