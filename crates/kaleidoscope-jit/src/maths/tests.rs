//! The machine layer's table of C functions against the IR's.

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_native::maths;

#[test]
fn both_tables_have_the_same_functions() {
    let mut of_ir: Vec<_> =
        MathsFunction::ALL.iter().map(|function| (function.name(), function.arity())).collect();
    let mut of_machine: Vec<_> = maths::all().iter().map(|entry| (entry.name(), entry.arity())).collect();
    of_ir.sort_unstable();
    of_machine.sort_unstable();
    assert_eq!(of_ir, of_machine);
}
