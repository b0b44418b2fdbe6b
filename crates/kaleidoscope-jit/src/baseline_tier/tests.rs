//! Compilers that panic.

use super::BaselineTier;
use crate::maths::maths_entry;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::CompileError;

#[test]
fn a_panic_is_an_error_and_drops_the_compiler() {
    // No code runs, so no counter trips.
    let tier = BaselineTier::new(maths_entry(MathsFunction::ALL[0]).guest_address(), false);
    for _ in 0..2 {
        let result: Result<(), _> = tier.with_compiler(|_| panic!("too much"));
        assert!(
            matches!(&result, Err(CompileError::Failed(reason)) if reason.contains("too much")),
            "{result:?}"
        );
        assert_eq!(tier.idle().len(), 0);
    }
    // An error is no panic: the compiler is used again.
    for _ in 0..2 {
        let result: Result<(), _> = tier.with_compiler(|_| Err(CompileError::TooLarge));
        assert!(matches!(result, Err(CompileError::TooLarge)));
        assert_eq!(tier.idle().len(), 1);
    }
}
