//! The C header of `kaleidoscope-capi`, made from its source by cbindgen and kept beside it.

use std::fs;
use std::path::Path;

const CRATE: &str = "crates/kaleidoscope-capi";
const HEADER: &str = "crates/kaleidoscope-capi/include/kaleidoscope.h";

/// A complaint, if the header is not what the source says.
///
/// # Errors
///
/// When cbindgen cannot make it, in its own words.
pub(crate) fn check(root: &Path) -> Result<Option<String>, String> {
    let made = make(root)?;
    let known = fs::read_to_string(root.join(HEADER)).unwrap_or_default();
    Ok((made != known)
        .then(|| format!("{HEADER} is not what the source says; `cargo xtask header` writes it")))
}

/// Writes the header.
///
/// # Errors
///
/// When cbindgen cannot make it, or the file cannot be written.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    fs::write(root.join(HEADER), make(root)?).map_err(|error| format!("{HEADER}: {error}"))
}

fn make(root: &Path) -> Result<String, String> {
    let folder = root.join(CRATE);
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new()
        .with_crate(&folder)
        .with_config(config)
        .generate()
        .map_err(|error| format!("{HEADER} cannot be made: {error}"))?;
    let mut made = Vec::new();
    bindings.write(&mut made);
    String::from_utf8(made).map_err(|error| format!("{HEADER}: {error}"))
}
