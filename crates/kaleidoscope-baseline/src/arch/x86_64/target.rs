//! The x86-64 target: its triple, its instruction set extensions, its relocations.

use cranelift_codegen::binemit::Reloc;

/// The target triple.
pub(crate) const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// The relocation of a call with a 32-bit displacement.
pub(crate) const CALL_RELOCATION: Reloc = Reloc::X86CallPCRel4;

/// Whether rounding to a whole number is an instruction (`roundsd`, SSE4.1).
pub(crate) fn has_rounding_instructions() -> bool {
    is_x86_feature_detected!("sse4.1")
}

/// The Cranelift settings for the extensions that code over doubles can use: SSE4.1 adds rounding,
/// AVX adds three-operand forms.
///
/// FMA is left out: a contracted multiply-add would change results.
pub(crate) fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    if is_x86_feature_detected!("sse4.1") {
        features.extend(["has_sse3", "has_ssse3", "has_sse41"]);
        if is_x86_feature_detected!("avx") {
            features.push("has_avx");
        }
    }
    features
}
