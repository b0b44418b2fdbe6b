//! Call counters: a pass that makes each function of a module count its calls.
//!
//! A counter is a number outside of the module, whose address is a constant of the code. Counting
//! is a relaxed load and a relaxed store: threads that call at the same time may lose a count. Each
//! number up to the threshold is stored by some call, so no trip is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use inkwell::basic_block::BasicBlock;
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::{
    BasicValue as _, FunctionValue, InstructionOpcode, InstructionValue, Operand, PointerValue,
};
use inkwell::{AddressSpace, AtomicOrdering, IntPredicate};

use crate::error::{Error, ErrorKind};

/// The counters of a module's functions. Clones share them.
#[derive(Clone)]
pub struct CallCounters {
    names: Arc<[String]>,
    counts: Arc<[AtomicU64]>,
}

/// What a function does when its counter reaches a number.
pub(crate) struct Trip {
    pub(crate) threshold: u64,
    /// Called with `context`.
    pub(crate) function: extern "C" fn(*const ()),
    pub(crate) context: *const (),
}

impl CallCounters {
    /// Makes each function that the module defines count its calls. `context` is the module's.
    ///
    /// # Errors
    /// [`ErrorKind::Module`] if a function of the module is malformed.
    ///
    /// # Safety
    /// Code that is compiled from the module must not run after the last clone of the result was
    /// dropped.
    pub unsafe fn add_to<'cx>(context: &'cx Context, module: &Module<'cx>) -> Result<Self, Error> {
        Self::add_with_trip(context, module, None)
    }

    /// Like [`add_to`](CallCounters::add_to). Each function that reaches the threshold trips.
    pub(crate) fn add_with_trip<'cx>(
        context: &'cx Context,
        module: &Module<'cx>,
        trip: Option<&Trip>,
    ) -> Result<Self, Error> {
        let functions: Vec<_> =
            module.get_functions().filter(|function| function.count_basic_blocks() > 0).collect();
        let names = functions.iter().map(|function| function.get_name().to_string_lossy().into_owned());
        let counters =
            Self { names: names.collect(), counts: functions.iter().map(|_| AtomicU64::new(0)).collect() };
        for (function, count) in functions.iter().zip(&*counters.counts) {
            add_counter(context, *function, count, trip)?;
        }
        Ok(counters)
    }

    /// The number of calls of a function, or `None` if the module does not define it.
    #[must_use]
    pub fn calls(&self, name: &str) -> Option<u64> {
        let idx = self.names.iter().position(|known| known == name)?;
        Some(self.counts[idx].load(Ordering::Relaxed))
    }

    /// Sets all counters to zero.
    pub fn reset(&self) {
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// Puts a block that counts before the function's first one.
fn add_counter<'cx>(
    context: &'cx Context,
    function: FunctionValue<'cx>,
    count: &AtomicU64,
    trip: Option<&Trip>,
) -> Result<(), Error> {
    let Some(entry) = function.get_first_basic_block() else { return Ok(()) };
    let counting = context.prepend_basic_block(entry, "count");
    let builder = context.create_builder();
    builder.position_at_end(counting);
    // Variables of a fixed size stay in the first block: elsewhere they would be allocated while
    // the function runs.
    let variables = entry.get_instructions().filter(|each| each.get_opcode() == InstructionOpcode::Alloca);
    for instruction in variables.collect::<Vec<_>>() {
        let n_elements = instruction.get_operand(0).and_then(Operand::value);
        if n_elements.is_some_and(|value| value.is_int_value() && value.into_int_value().is_const()) {
            instruction.remove_from_basic_block();
            builder.insert_instruction(&instruction, None);
        }
    }
    let i64 = context.i64_type();
    let address = constant_pointer(context, (&raw const *count).cast());
    let before = built(builder.build_load(i64, address, "calls"))?;
    set_relaxed(before.as_instruction_value())?;
    let one = i64.const_int(1, false);
    let after = built(builder.build_int_add(before.into_int_value(), one, "calls"))?;
    set_relaxed(Some(built(builder.build_store(address, after))?))?;
    match trip {
        None => built(builder.build_unconditional_branch(entry))?,
        Some(trip) => {
            let tripping = context.insert_basic_block_after(counting, "trip");
            let threshold = i64.const_int(trip.threshold, false);
            let is_hot = built(builder.build_int_compare(IntPredicate::EQ, after, threshold, "is_hot"))?;
            built(builder.build_conditional_branch(is_hot, tripping, entry))?;
            build_trip(context, &builder, tripping, entry, trip)?
        }
    };
    Ok(())
}

fn build_trip<'cx>(
    context: &'cx Context,
    builder: &Builder<'cx>,
    tripping: BasicBlock<'cx>,
    entry: BasicBlock<'cx>,
    trip: &Trip,
) -> Result<InstructionValue<'cx>, Error> {
    builder.position_at_end(tripping);
    let pointer = context.ptr_type(AddressSpace::default());
    let signature = context.void_type().fn_type(&[pointer.into()], false);
    let function = constant_pointer(context, trip.function as *const ());
    let argument = constant_pointer(context, trip.context);
    built(builder.build_indirect_call(signature, function, &[argument.into()], ""))?;
    built(builder.build_unconditional_branch(entry))
}

fn set_relaxed(instruction: Option<InstructionValue<'_>>) -> Result<(), Error> {
    let Some(instruction) = instruction else { return Ok(()) };
    built(instruction.set_alignment(8))?;
    built(instruction.set_atomic_ordering(AtomicOrdering::Monotonic))
}

fn built<T>(result: Result<T, impl fmt::Display>) -> Result<T, Error> {
    result.map_err(|error| Error::new(ErrorKind::Module, format!("no counter: {error}")))
}

fn constant_pointer<'cx>(context: &'cx Context, address: *const ()) -> PointerValue<'cx> {
    let number = context.i64_type().const_int(address.expose_provenance() as u64, false);
    number.const_to_pointer(context.ptr_type(AddressSpace::default()))
}

impl fmt::Debug for CallCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        f.debug_map().entries(self.names.iter().zip(counts)).finish()
    }
}
