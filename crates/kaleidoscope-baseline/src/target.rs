//! The machine that code is generated for, and what Cranelift is told about the way to do it.

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, SetError};

use crate::Error;
use crate::effort::Effort;

/// What differs from Cranelift's defaults, and why.
const SETTINGS: &[(&str, &str)] = &[
    // As everywhere in the project: whoever stops a program can say where it was.
    ("preserve_frame_pointers", "true"),
    // A frame larger than a page is touched page by page, so that none steps over the guard of the stack.
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("probestack_size_log2", "12"),
    // Code is compiled to be run soon and not for long; optimising takes a third more time, what runs long is compiled
    // anew.
    ("opt_level", "none"),
    ("enable_alias_analysis", "false"),
    // Nobody unwinds generated code, or asks where its blocks are.
    ("unwind_info", "false"),
    ("machine_code_cfg_info", "false"),
    // There is neither a heap nor a table to be guarded.
    ("enable_heap_access_spectre_mitigation", "false"),
    ("enable_table_access_spectre_mitigation", "false"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

/// This machine, with the way to use registers that goes with the effort.
pub(crate) fn host(effort: Effort) -> Result<OwnedTargetIsa, Error> {
    let algorithm = match effort {
        Effort::Full => "backtracking",
        Effort::Quick => "single_pass",
    };
    let mut flags = settings::builder();
    flags.set("regalloc_algorithm", algorithm).map_err(|error| unknown("regalloc_algorithm", &error))?;
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|error| unknown(name, &error))?;
    }
    let mut builder = isa::lookup_by_name("x86_64-unknown-linux-gnu")
        .map_err(|error| Error::failed("no code generator for x86-64", &error))?;
    for name in features() {
        builder.enable(name).map_err(|error| unknown(name, &error))?;
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| Error::failed("the code generator cannot be set up", &error))
}

/// Whether there are instructions that round to whole numbers.
pub(crate) fn has_roundings() -> bool {
    is_x86_feature_detected!("sse4.1")
}

/// The instructions of this processor that code made of doubles can use.
fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    // SSE4.1 brings the roundings, AVX the forms of three operands. FMA is left out: nothing may be contracted.
    if is_x86_feature_detected!("sse4.1") {
        features.extend(["has_sse3", "has_ssse3", "has_sse41"]);
        if is_x86_feature_detected!("avx") {
            features.push("has_avx");
        }
    }
    features
}

fn unknown(name: &str, error: &SetError) -> Error {
    Error::failed(&format!("setting `{name}` of the code generator"), error)
}
