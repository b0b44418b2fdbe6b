//! The optimizing compiler: a shared object beside the executable.
//!
//! The command loads it at the first optimizing compilation, so other programs do not pay for LLVM.

use kaleidoscope::{Builder, Engine, Mode};

/// Settings for an engine of this mode, with LLVM if it is available.
///
/// # Errors
/// One sentence, if the mode needs LLVM and LLVM is not available.
pub(crate) fn builder(mode: Mode) -> Result<Builder, String> {
    let builder = Engine::builder().mode(mode);
    match mode {
        Mode::Baseline | Mode::Off => Ok(builder),
        _ if cfg!(feature = "llvm") => Ok(builder),
        _ => with_plugin(builder, mode),
    }
}

fn with_plugin(builder: Builder, mode: Mode) -> Result<Builder, String> {
    use kaleidoscope_plugin::Plugin;

    /// The library of the package `kaleidoscope-llvm-plugin`.
    const NAME: &str = "kaleidoscope_llvm_plugin";

    match (Plugin::of_executable(NAME), mode) {
        (Some(plugin), _) => Ok(builder.backend(plugin)),
        // Hot code stays in the baseline tier.
        (None, Mode::Tiered) => Ok(builder.without_backend()),
        (None, _) => Err(format!(
            "this mode needs LLVM, and {} is missing: build it with \
             `cargo build --release --package kaleidoscope-llvm-plugin`, and put it beside the executable",
            Plugin::file_name(NAME)
        )),
    }
}
