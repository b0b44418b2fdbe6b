//! The end of the process while a compile thread runs.

use crate::command::check;

/// The function becomes hot after about a hundred thousand calls, and optimizing it takes some
/// milliseconds. With one of the arguments, the program ends meanwhile.
#[test]
fn a_program_may_end_while_code_is_optimized() {
    for n in 20..33 {
        let program = format!("def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2); fib({n}) < 0;");
        for _ in 0..3 {
            check(&["-e", &program], 0, "0\n");
        }
    }
}
