//! perf map: a text file with the names of run-time functions, for Linux's `perf`.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind};
use crate::linked_functions::linked_functions;
use crate::object::Object;
use crate::tracker::Tracker;

/// A perf map: the file in which Linux's `perf` looks for the names of run-time functions.
///
/// perf uses the file only for memory that is not mapped from a file, so the session needs
/// [`Memory::Pages`](crate::Memory::Pages). For code in slabs perf shows addresses without names.
/// [`JitDump`](crate::JitDump) names functions in both, but needs one more step.
///
/// Clones are handles to the same file. The file is not deleted, because `perf report` reads it
/// later.
#[derive(Clone)]
pub struct PerfMap {
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl PerfMap {
    /// Creates the file where perf expects it: `/tmp/perf-PID.map`.
    ///
    /// # Errors
    /// Errors of creating the file.
    pub fn create() -> io::Result<PerfMap> {
        PerfMap::create_at(Path::new("/tmp").join(format!("perf-{}.map", std::process::id())))
    }

    /// Creates the file at another path, for other readers.
    ///
    /// # Errors
    /// Errors of creating the file.
    pub fn create_at(path: impl Into<PathBuf>) -> io::Result<PerfMap> {
        let path = path.into();
        Ok(PerfMap { file: Arc::new(Mutex::new(File::create(&path)?)), path })
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the global functions of the tracker's object. Links the object if it is not linked yet.
    ///
    /// The file has no way to remove a name: if new code is linked where removed code was, the
    /// older name stays, too.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is not a 64-bit ELF file or the file cannot be written,
    /// and the errors of [`Tracker::lookup`].
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
