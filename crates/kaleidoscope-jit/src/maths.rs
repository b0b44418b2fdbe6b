//! The C maths library: the machine layer's entry for each maths function of the IR.

#[cfg(test)]
mod tests;

use crate::trap::Trap;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{KnownMaths, Unit};
use kaleidoscope_native::maths::{self, MathsEntry};
use std::sync::LazyLock;

/// Loads the C maths library, unless it is loaded. Whoever calls a maths function, or compiles,
/// does this before.
#[inline]
pub(crate) fn load_maths() -> Result<(), Trap> {
    maths::load().map_err(|error| Trap::MathsLibrary { reason: error.to_string() })
}

/// C's function for a maths function of the IR.
pub(crate) fn maths_entry(function: MathsFunction) -> &'static MathsEntry {
    // The interpreter asks at each call, so the names are looked up once.
    static ENTRIES: LazyLock<Vec<&'static MathsEntry>> = LazyLock::new(|| {
        let find = |function: &MathsFunction| maths::find(function.name());
        let entries = MathsFunction::ALL.iter().map(find);
        entries.map(|entry| entry.expect("the machine layer has every function of the IR's table")).collect()
    });
    ENTRIES[function as usize]
}

/// Makes the calls of the unit whose arguments are constants, for code that needs no call there.
pub(crate) fn known_maths(unit: &Unit) -> KnownMaths {
    KnownMaths::of(unit, |function, args| maths_entry(function).call(args))
}
