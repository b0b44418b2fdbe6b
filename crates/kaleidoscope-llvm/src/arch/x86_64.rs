//! x86-64: functions that stand in for SSE4.1, and the vector function ABI.

/// The C maths functions that LLVM calls for rounding on processors without SSE4.1.
pub(crate) const RUNTIME_SYMBOLS: &[&str] = &["floor", "ceil", "trunc", "rint", "round"];

/// The vector variant of a function, in LLVM's form of the x86-64 vector function ABI: the
/// instruction set, no mask, the number of lanes, a vector for each argument, the scalar and the
/// vector function.
pub(crate) fn vector_variant(scalar: &str, vector: &str, lanes: u32, n_args: usize) -> String {
    let instruction_set = match lanes {
        8 => 'e', // AVX-512
        4 => 'd', // AVX2
        _ => 'b', // SSE
    };
    format!("_ZGV{instruction_set}N{lanes}{}_{scalar}({vector})", "v".repeat(n_args))
}
