//! Specifics of a processor are only in folders named `arch`: a port is a new folder.
//!
//! Only code and strings count. A comment may say why something is done for a processor. Tests and
//! benchmarks are exempt.

use super::{Complaint, Source};

/// Words that name a processor, its registers or its extensions, in identifiers and strings.
const WORDS: &[&str] = &[
    "x86", "amd64", "i686", "aarch64", "sse", "sse2", "sse3", "sse4", "ssse3", "avx", "avx2", "avx512",
    "fma3", "bmi1", "bmi2", "mxcsr", "cpuid", "rdtsc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",
    "rsp", "rip", "eax", "ebx", "ecx", "edx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "naked",
];

/// Registers with a number.
const REGISTERS: &[&str] = &["xmm", "ymm", "zmm"];

/// Names that are looked for as they are.
const NAMES: &[&str] = &["asm!", "global_asm!", "naked_asm!", "target_arch", "core::arch", "std::arch"];

/// Files outside `arch` folders that may name a processor, and why.
const ALLOWED: &[(&str, &str)] = &[];

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let is_exempt = source.is_test()
            || source.path.starts_with("xtask/")
            || source.path.contains("/arch/")
            || source.path.ends_with("/arch.rs")
            || ALLOWED.iter().any(|(path, _)| source.path == *path);
        if is_exempt {
            continue;
        }
        let parts = source.parts();
        for (idx, (code, strings)) in parts.code.lines().zip(parts.strings.lines()).enumerate() {
            let found = specifics(code).or_else(|| specifics(strings));
            if let Some(found) = found {
                let message = format!("`{found}` names a processor outside an `arch` folder");
                complaints.push(Complaint::new(source, idx + 1, message));
            }
        }
    }
    complaints
}

fn specifics(line: &str) -> Option<String> {
    if let Some(name) = NAMES.iter().find(|name| line.contains(**name)) {
        return Some((*name).to_owned());
    }
    let is_specific = |word: &str| {
        let word = word.to_ascii_lowercase();
        WORDS.contains(&word.as_str())
            || REGISTERS.iter().any(|name| {
                word.strip_prefix(name).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            })
    };
    line.split(|c: char| !c.is_alphanumeric()).find(|word| is_specific(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
