//! perf map: a text file that names run-time functions for Linux's `perf`.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind};
use crate::linked_functions::linked_functions;
use crate::object::Object;
use crate::tracker::Tracker;

/// The file in which Linux's `perf` looks for the names of functions that were made at run time.
///
/// perf asks it for memory that belongs to no file, so the session has to be one with
/// [`Memory::Pages`](crate::Memory::Pages): what lies in slabs it shows by address alone. [`JitDump`](crate::JitDump) names
/// both, in two steps.
///
/// Copies are handles of the same file, which stays when they are gone: `perf report` reads it later.
#[derive(Clone)]
pub struct PerfMap {
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl PerfMap {
    /// Makes the file for this process, where perf expects it: `perf-PID.map` in `/tmp`.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn create() -> io::Result<PerfMap> {
        PerfMap::create_at(Path::new("/tmp").join(format!("perf-{}.map", std::process::id())))
    }

    /// Makes such a file elsewhere, for other readers.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn create_at(path: impl Into<PathBuf>) -> io::Result<PerfMap> {
        let path = path.into();
        Ok(PerfMap { file: Arc::new(Mutex::new(File::create(&path)?)), path })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the functions of the tracker's object that others can name. The object is linked now if it was not.
    ///
    /// perf takes a name for good: code that lies later where removed code was keeps the older name as well.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is no 64-bit ELF file or the file cannot be written, and the errors of
    /// [`Tracker::lookup`].
    pub fn add(&self, tracker: &Tracker, object: &Object) -> Result<(), Error> {
        let mut lines = String::new();
        for function in linked_functions(tracker, object)? {
            lines += &format!("{:x} {:x} {}\n", function.address.get(), function.n_bytes, function.name);
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(lines.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Object, format!("{} cannot be written: {error}", self.path.display()))
        })
    }
}

impl fmt::Debug for PerfMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerfMap").field("path", &self.path).finish_non_exhaustive()
    }
}
