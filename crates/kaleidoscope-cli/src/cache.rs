//! The code cache of the command: the folder of `--cache`, or the user's own.

use crate::report::Reporter;
use kaleidoscope::CodeCache;
use std::path::{Path, PathBuf};

/// Opens the cache that the option asks for. Where there can be none, a warning says why, and the
/// program runs without one.
pub(crate) fn open(option: Option<&Option<PathBuf>>, reporter: &Reporter) -> Option<CodeCache> {
    let open = |folder: &Path| CodeCache::open(folder).map_err(|error| error.to_string());
    let opened = match option? {
        Some(folder) => open(folder),
        None => match user_folder(|name| std::env::var_os(name).map(PathBuf::from)) {
            Some(folder) => open(&folder),
            None => Err("neither XDG_CACHE_HOME nor HOME names a folder for the cache".to_owned()),
        },
    };
    opened.map_err(|reason| reporter.warning(&format!("{reason}; there is no code cache"))).ok()
}

/// The cache folder of this user (XDG Base Directory Specification).
fn user_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let cache = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(variable("HOME").filter(|path| path.is_absolute())?.join(".cache")))?;
    Some(cache.join("kaleidoscope"))
}

#[cfg(test)]
mod tests {
    use super::user_folder;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_folder_of_the_user() {
        let folder = |cache: Option<&str>, home: Option<&str>| {
            user_folder(|name| match name {
                "XDG_CACHE_HOME" => cache.map(PathBuf::from),
                "HOME" => home.map(PathBuf::from),
                _ => None,
            })
        };
        let expected = |path: &str| Some(Path::new(path).to_owned());
        assert_eq!(folder(Some("/c"), Some("/h")), expected("/c/kaleidoscope"));
        assert_eq!(folder(None, Some("/h")), expected("/h/.cache/kaleidoscope"));
        assert_eq!(
            folder(Some("c"), Some("/h")),
            expected("/h/.cache/kaleidoscope"),
            "relative paths do not count"
        );
        assert_eq!(folder(None, None), None);
    }
}
