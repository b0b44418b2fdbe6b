//! Relocatable code: the object of a unit, without any address of this process.
//!
//! An address table separates the code from what it refers to. Each [`TableWord`] that a unit needs
//! has a place in the table, in the order of `TableWord`. The code loads the words; the linker
//! fills them in. The object is compiled from the unit [without
//! addresses](Unit::without_addresses), so it cannot contain any, and is a function of that unit,
//! the settings and the code generator alone. So another process can link it, too.

use super::{CallTarget, CompileTimes, Exit, Invalidation, Unit, exit_argument};
use crate::{FunctionId, HostArray, HostVariable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What relocatable code depends on besides the unit and the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The compiler with its version, and the processor with its features.
    pub text: String,
    /// An address in each program or shared object that has a part of the compiler. The build ids
    /// of these objects belong to the identity.
    pub parts: Vec<usize>,
}

/// A compiled unit that is not linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelocatableCode {
    /// The object file.
    pub object: Vec<u8>,
    /// As [`Code::exits`](super::Code::exits).
    pub exits: Vec<Exit>,
    /// The times of the stages up to the object.
    pub times: CompileTimes,
}

/// What a word of an address table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableWord {
    /// [`Invalidation::flag`].
    ValidityFlag,
    /// [`Invalidation::exit`].
    ExitFunction,
    /// The [argument](exit_argument) of the code's first exit, as the bits of a double.
    FirstExitArgument,
    /// The address of the slot of a function.
    Slot(FunctionId),
    /// The address of a host variable.
    HostVariable(HostVariable),
    /// The address of the first element of an array.
    HostArray(HostArray),
    /// [`HostArrayMemory::bad_index`](super::HostArrayMemory::bad_index) of an array.
    BadIndex(HostArray),
}

impl Unit {
    /// The address table of the unit's code, in the order of its words.
    pub fn address_table(&self) -> BTreeMap<TableWord, u64> {
        let mut table = BTreeMap::new();
        if let Some(Invalidation { flag, exit, code_number }) = self.invalidation {
            table.insert(TableWord::ValidityFlag, flag as u64);
            table.insert(TableWord::ExitFunction, exit as u64);
            table.insert(TableWord::FirstExitArgument, exit_argument(code_number, 0).to_bits());
        }
        for (&function, target) in &self.call_targets {
            // The slot of a maths function is only for baseline code.
            if let CallTarget::Slot { address } = target {
                table.insert(TableWord::Slot(function), *address as u64);
            }
        }
        for (&variable, place) in &self.host_variables {
            table.insert(TableWord::HostVariable(variable), place.address as u64);
        }
        for (&array, memory) in &self.host_arrays {
            table.insert(TableWord::HostArray(array), memory.address as u64);
            table.insert(TableWord::BadIndex(array), memory.bad_index as u64);
        }
        table
    }

    /// The same unit with 0 for each address, and for the numbers that tell versions and codes
    /// apart. Equal definitions give equal units then, in every process.
    #[must_use]
    pub fn without_addresses(&self) -> Self {
        let mut unit = self.clone();
        // Exhaustive, so that a new field is looked at.
        let Self {
            function: _,
            id: _,
            version,
            kind: _,
            call_targets,
            host_variables,
            host_arrays,
            inlining: _,
            vector_maths,
            invalidation,
            known_maths: _,
            scalars: _,
            sincos,
        } = &mut unit;
        *version = 0;
        for target in call_targets.values_mut() {
            match target {
                CallTarget::Slot { address } => *address = 0,
                CallTarget::Maths { function: _, slot } => *slot = 0,
            }
        }
        host_variables.values_mut().for_each(|place| place.address = 0);
        for memory in host_arrays.values_mut() {
            (memory.address, memory.bad_index) = (0, 0);
        }
        vector_maths.iter_mut().for_each(|maths| maths.address = 0);
        if let Some(invalidation) = invalidation {
            *invalidation = Invalidation { flag: 0, exit: 0, code_number: 0 };
        }
        if let Some(sincos) = sincos {
            *sincos = 0;
        }
        unit
    }
}
