//! The processor's model and features, as the processor itself names them.

use std::arch::x86_64::{__cpuid, __cpuid_count};

/// Numbers that are the same for processors of one model with the same features.
pub fn processor_identity() -> [u32; 6] {
    let (model, features) = (__cpuid(1), __cpuid_count(7, 0));
    // `model.ebx` differs between the cores of one processor.
    [model.eax, model.ecx, model.edx, features.ebx, features.ecx, features.edx]
}
