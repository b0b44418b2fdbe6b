//! The code generation target: this machine, and Cranelift's settings for it.

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, SetError};

use crate::effort::Effort;
use crate::{arch, failed};
use kaleidoscope_ir::compile::CompileError;

/// The settings that differ from Cranelift's defaults.
const SETTINGS: &[(&str, &str)] = &[
    // Traces of interrupted code are read through frame pointers.
    ("preserve_frame_pointers", "true"),
    // A frame larger than a page is touched page by page, so that no frame skips the guard page.
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("probestack_size_log2", "12"),
    // Optimization takes a third more compile time; code that runs for long tiers up anyway.
    ("opt_level", "none"),
    ("enable_alias_analysis", "false"),
    // No unwinder and no profiler reads generated code.
    ("unwind_info", "false"),
    ("machine_code_cfg_info", "false"),
    // Spectre mitigations guard accesses to heaps and tables, which generated code does not have.
    ("enable_heap_access_spectre_mitigation", "false"),
    ("enable_table_access_spectre_mitigation", "false"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

/// Cranelift's code generator for this machine, with the register allocator that `effort` asks for.
pub(crate) fn host(effort: Effort) -> Result<OwnedTargetIsa, CompileError> {
    let algorithm = match effort {
        Effort::Full => "backtracking",
        Effort::Quick => "single_pass",
    };
    let mut flags = settings::builder();
    flags.set("regalloc_algorithm", algorithm).map_err(|error| unknown("regalloc_algorithm", &error))?;
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|error| unknown(name, &error))?;
    }
    let mut builder = isa::lookup_by_name(arch::TRIPLE)
        .map_err(|error| failed(&format!("no code generator for {}", arch::TRIPLE), &error))?;
    for name in arch::features() {
        builder.enable(name).map_err(|error| unknown(name, &error))?;
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| failed("the code generator cannot be set up", &error))
}

fn unknown(name: &str, error: &SetError) -> CompileError {
    failed(&format!("setting `{name}` of the code generator"), error)
}
