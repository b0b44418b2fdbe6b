//! LLVM: the plug-in beside this extension module, or the file that a variable names.
//!
//! All engines share it. It is loaded when the first function is hot, into a namespace of its own,
//! so another LLVM in the process does not meet it.

use kaleidoscope_plugin::Plugin;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The variable that names the file, in place of the one in the package, as for the command.
const VARIABLE: &str = "KALEIDOSCOPE_LLVM_PLUGIN";

/// The library of the package `kaleidoscope-llvm-plugin`.
const NAME: &str = "kaleidoscope_llvm_plugin";

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Says in which folder the package is installed.
#[pyfunction]
pub(crate) fn set_package_folder(folder: PathBuf) {
    // A second import is of the same package.
    let _ = FOLDER.set(folder);
}

/// The plug-in, if there is one.
pub(crate) fn plugin() -> Option<Plugin> {
    static PLUGIN: OnceLock<Option<Plugin>> = OnceLock::new();
    let find = || match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => Some(Plugin::of_file(path)),
        None => {
            let path = FOLDER.get()?.join(Plugin::file_name(NAME));
            path.is_file().then(|| Plugin::of_file(path))
        }
    };
    PLUGIN.get_or_init(find).clone()
}
