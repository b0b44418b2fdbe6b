//! Where the command finds LLVM: in a shared object beside the executable, which is loaded when the first good code is made.
//!
//! So a program that needs none starts as if there were no LLVM.

use kaleidoscope::{Builder, Engine, Mode};

/// An engine of this mode, with LLVM where that is to be had.
///
/// # Errors
/// One sentence, if the mode is nothing without LLVM, and LLVM is not to be had.
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
        // What becomes hot stays as it is.
        (None, Mode::Tiered) => Ok(builder.without_backend()),
        (None, _) => Err(format!(
            "LLVM is needed for this, and {} is not there: build it with \
             `cargo build --release --package kaleidoscope-llvm-plugin`, and put it beside the executable",
            Plugin::file_name(NAME)
        )),
    }
}
