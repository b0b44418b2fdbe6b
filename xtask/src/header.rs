//! C header of `kaleidoscope-capi`: cbindgen generates it from the crate's source.

use std::fs;
use std::path::Path;

const CRATE: &str = "crates/kaleidoscope-capi";
const HEADER: &str = "crates/kaleidoscope-capi/include/kaleidoscope.h";

/// Returns a complaint if the header does not match the source.
///
/// # Errors
///
/// If cbindgen fails, with its message.
pub(crate) fn check(root: &Path) -> Result<Option<String>, String> {
    let made = make(root)?;
    let known = fs::read_to_string(root.join(HEADER)).unwrap_or_default();
    Ok((made != known).then(|| format!("{HEADER} does not match the source; `cargo xtask header` writes it")))
}

/// Writes the header.
///
/// # Errors
///
/// If cbindgen fails or the file cannot be written.
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
        .map_err(|error| format!("{HEADER} cannot be generated: {error}"))?;
    let mut made = Vec::new();
    bindings.write(&mut made);
    String::from_utf8(made).map_err(|error| format!("{HEADER}: {error}"))
}
