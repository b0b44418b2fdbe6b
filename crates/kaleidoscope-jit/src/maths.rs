//! The C maths library: the machine layer's entry for each maths function of the IR.

#[cfg(test)]
mod tests;

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_native::maths::{self, MathsEntry};
use std::sync::LazyLock;

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
