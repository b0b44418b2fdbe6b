//! The x86-64 vector function ABI: which vector maths functions exist, and their names in glibc's
//! libmvec.

/// How many doubles a vector can hold.
pub(crate) const VECTOR_LANES: &[u32] = &[2, 4, 8];

/// The symbol of the vector variant of a maths function, `_ZGVdN4v_sin` for `sin` and 4 lanes.
/// Vectors are in registers of 128, 256 or 512 bits for 2, 4 or 8 lanes.
///
/// Returns `None` if this processor lacks the instructions of the variant.
pub(crate) fn vector_symbol(name: &str, arity: usize, lanes: u32) -> Option<String> {
    let instruction_set = match lanes {
        2 => 'b', // SSE
        4 if is_x86_feature_detected!("avx2") => 'd',
        8 if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") => 'e',
        _ => return None,
    };
    Some(format!("_ZGV{instruction_set}N{lanes}{}_{name}", "v".repeat(arity)))
}
