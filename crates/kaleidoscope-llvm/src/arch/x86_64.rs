//! x86-64: functions that stand in for SSE4.1, and the vector function ABI.

/// The C maths functions that LLVM calls for rounding on processors without SSE4.1.
pub(crate) const RUNTIME_SYMBOLS: &[&str] = &["floor", "ceil", "trunc", "rint", "round"];

/// `cvttsd2si`, which gives the smallest integer for NaN and for what is out of range.
pub(crate) const CONVERT_INDEX: &str = "llvm.x86.sse2.cvttsd2si64";

/// The doubles in the register that [`CONVERT_INDEX`] takes.
pub(crate) const INDEX_LANES: u32 = 2;

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
