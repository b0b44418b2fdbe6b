//! The optimizing compiler: a shared object beside the executable, or the file that a variable
//! names.
//!
//! The command loads it at the first optimizing compilation, so other programs do not pay for LLVM.

use crate::refusal::Refusal;
use kaleidoscope::{Builder, Engine, Mode};
use kaleidoscope_plugin::Plugin;

/// The variable that names the file, in place of the one beside the executable.
pub(crate) const VARIABLE: &str = "KALEIDOSCOPE_LLVM_PLUGIN";

/// Settings for an engine of this mode, with LLVM if it is available, and the plug-in with LLVM if
/// there is one.
///
/// # Errors
/// If the mode needs LLVM and LLVM is not available, or the system does not tell.
pub(crate) fn builder(mode: Mode) -> Result<(Builder, Option<Plugin>), Refusal> {
    let builder = Engine::builder().mode(mode);
    match mode {
        Mode::Baseline | Mode::Off => Ok((builder, None)),
        _ if cfg!(feature = "llvm") => Ok((builder, None)),
        _ => with_plugin(builder, mode),
    }
}

fn with_plugin(builder: Builder, mode: Mode) -> Result<(Builder, Option<Plugin>), Refusal> {
    /// The library of the package `kaleidoscope-llvm-plugin`.
    const NAME: &str = "kaleidoscope_llvm_plugin";

    let plugin = match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => Some(Plugin::of_file(path)),
        None => Plugin::of_executable(NAME).map_err(|error| {
            Refusal::of_file(
                format!("cannot find the folder of {}: {error}", Plugin::file_name(NAME)),
                &error,
            )
        })?,
    };
    match (plugin, mode) {
        (Some(plugin), _) => Ok((builder.backend(plugin.clone()), Some(plugin))),
        // Hot code stays in the baseline tier.
        (None, Mode::Tiered) => Ok((builder.without_backend(), None)),
        (None, _) => Err(Refusal::usage(format!(
            "this mode needs LLVM, and {} is missing: build it with \
             `cargo build --release --package kaleidoscope-llvm-plugin`, and put it beside the executable",
            Plugin::file_name(NAME)
        ))),
    }
}
