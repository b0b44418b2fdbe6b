//! The compiler: memory that is used from one function to the next.

use std::fmt;

use kaleidoscope_ir::compile::{CompileError, Unit};
use kaleidoscope_ir::{Function, MathsFunction, facts};

use crate::assembler::{MacroAssembler as _, UnaryOperator};
use crate::lower::Maths;
use crate::machine_code::MachineCode;
use crate::{Counters, arch, lower};

#[cfg(doc)]
use kaleidoscope_ir::compile::Invalidation;

/// The most operations of a function. A million take some 30 milliseconds.
const MAX_OPS: usize = 1 << 20;

/// The most variables and operands of a function together. They bound the frame: 8 bytes each.
const MAX_VALUES: usize = 1 << 16;

/// The fewest registers with which code can be generated.
const MIN_REGISTERS: usize = 5;

/// Compiles one function after the other.
///
/// A compile takes time in proportion to the function's size. It uses less than 16 KiB of stack,
/// however large the function is; without optimization of this crate, less than 64 KiB.
pub struct Compiler {
    assembler: arch::Assembler,
    maths: Maths,
    n_registers: usize,
    is_for_debugger: bool,
    buffers: lower::Buffers,
}

impl Compiler {
    /// A compiler for this machine.
    ///
    /// `maths` returns the address at which generated code calls a function of the C maths
    /// library, with the C ABI of doubles. It must stay valid as long as the code. The compiler
    /// asks only for functions that the code calls.
    pub fn new(maths: fn(MathsFunction) -> usize) -> Self {
        let assembler = arch::Assembler::default();
        let has = UnaryOperator::ALL.map(|operator| assembler.has_unary(operator));
        Self {
            assembler,
            maths: Maths::new(maths, has),
            n_registers: arch::Assembler::N_REGISTERS,
            is_for_debugger: false,
            buffers: lower::Buffers::default(),
        }
    }

    /// Makes code for a debugger from now on: variables are in memory while they are in scope, and
    /// code has a [layout](MachineCode::layout), from which [`debug_object`](crate::debug_object())
    /// makes debug information.
    pub fn for_debugger(&mut self) {
        self.is_for_debugger = true;
    }

    /// Limits the registers for doubles that code uses, so that tests see values that are moved to
    /// memory and back.
    ///
    /// # Panics
    /// With fewer than 5.
    #[doc(hidden)]
    pub fn limit_registers(&mut self, n: usize) {
        assert!(n >= MIN_REGISTERS, "an operation needs up to {MIN_REGISTERS} registers at once");
        self.n_registers = n.min(self.n_registers);
    }

    /// Compiles the unit's function. Baseline code inlines nothing and is entered by calls only, so
    /// the unit has no inlining plan. Without `counters` the code does not count.
    ///
    /// In a unit with an [`Invalidation`], maths functions can be redefined while the code runs: it
    /// calls their slots once the flag is set. `slot_thunk` is the address of the
    /// [slot thunk](Self::slot_thunk), if the unit [wants](Self::wants_slot_thunk) it. The code
    /// never calls [`Invalidation::exit`].
    ///
    /// # Errors
    /// [`CompileError::TooLarge`] if the function has more than a million operations, or if its
    /// frame would have more than half a megabyte.
    pub fn compile(
        &mut self,
        unit: &Unit,
        counters: Option<&Counters>,
        slot_thunk: Option<usize>,
    ) -> Result<MachineCode, CompileError> {
        debug_assert!(unit.inlining.is_none(), "the baseline compiler inlines nothing");
        if is_too_large(&unit.function) {
            return Err(CompileError::TooLarge);
        }
        let settings = lower::Settings {
            counters,
            slot_thunk,
            maths: &self.maths,
            n_registers: self.n_registers,
            is_debugged: self.is_for_debugger,
        };
        Ok(lower::lower(&mut self.assembler, unit, &settings, &mut self.buffers))
    }

    /// The entry thunk: the code through which functions call `on_trip`, the address of a function
    /// with the C ABI of doubles and two parameters, when their entry counters trip.
    /// [`Counters::entry_thunk`] wants its address.
    pub fn entry_thunk(on_trip: usize) -> MachineCode {
        arch::entry_thunk(on_trip)
    }

    /// The trip thunk: the code through which loops call `on_trip` when their counters trip.
    /// [`Counters::trip_thunk`] wants its address.
    pub fn trip_thunk(on_trip: usize) -> MachineCode {
        arch::trip_thunk(on_trip)
    }

    /// Whether the unit has a maths instruction that can be replaced by a call.
    pub fn wants_slot_thunk(&self, unit: &Unit) -> bool {
        self.maths.n_checks(unit) > 0
    }

    /// The slot thunk: the code through which a function calls what replaced a maths instruction.
    pub fn slot_thunk() -> MachineCode {
        arch::slot_thunk()
    }
}

/// Whether a function is not compiled.
fn is_too_large(function: &Function) -> bool {
    function.ops.len() > MAX_OPS
        || function.locals.len() + function.max_stack as usize > MAX_VALUES
        || function.facts().n_phis > facts::MAX_PHIS
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").finish_non_exhaustive()
    }
}
