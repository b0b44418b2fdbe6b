//! Folders: the files of a cache, reached through one handle of the folder.
//!
//! The folder is checked once, through its handle. All files are opened relative to the handle, so
//! a folder that takes its place afterwards is never used.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::fs::{fstat, mkdirat, openat, renameat, statat, unlinkat, utimensat};
use rustix::process::geteuid;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// The ends of file names. The cache looks at no other files.
pub(super) const CODE_SUFFIX: &str = ".code";
pub(super) const HOT_CODE_SUFFIX: &str = ".hot";
pub(super) const TEMPORARY_SUFFIX: &str = ".new";

/// The access of others that no cache may give: to write to it.
const OTHERS_WRITE: u32 = 0o022;

/// An open folder that belongs to this user alone.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    /// When the file was last used, in seconds and nanoseconds.
    pub(super) used: (i64, i64),
    pub(super) name: String,
    pub(super) n_bytes: u64,
}

impl Folder {
    /// Opens a folder, which is created if it does not exist. An error is one sentence.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let refused = |error: io::Error| format!("the folder {shown} cannot be opened: {error}");
        if !path.exists() {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
                made.map_err(|error| format!("the folder {shown} cannot be made: {error}"))?;
            }
            match mkdirat(CWD, path, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(format!("the folder {shown} cannot be made: {error}")),
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(|error| refused(error.into()))?;
        let found = fstat(&folder).map_err(|error| refused(error.into()))?;
        if found.st_uid != geteuid().as_raw() {
            return Err(format!("the folder {shown} belongs to another user"));
        }
        if found.st_mode & OTHERS_WRITE != 0 {
            return Err(format!("other users can write to the folder {shown}"));
        }
        Ok(Self(folder))
    }

    /// The content of a file of this user that has at most `max_bytes`, and notes that it was
    /// used. `None` if there is no such file.
    pub(super) fn read(&self, name: &str, max_bytes: u64) -> Option<Vec<u8>> {
        // A file that is something else, such as a pipe, must not block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::empty()).ok()?;
        let found = fstat(&file).ok()?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        let is_ours = found.st_uid == geteuid().as_raw() && found.st_mode & OTHERS_WRITE == 0;
        let n_bytes = u64::try_from(found.st_size).ok()?;
        if !is_file || !is_ours || n_bytes > max_bytes {
            return None;
        }
        let mut content = Vec::with_capacity(usize::try_from(n_bytes).ok()?);
        // The file may grow meanwhile, but no further than the limit in memory.
        File::from(file).take(max_bytes).read_to_end(&mut content).ok()?;
        self.note_use(name);
        Some(content)
    }

    fn note_use(&self, name: &str) {
        let time = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
        // Without it, the file is evicted earlier.
        let _ = utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Writes a file under a temporary name, and renames it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        static N_WRITTEN: AtomicU64 = AtomicU64::new(0);
        let nth = N_WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}-{}-{nth}{TEMPORARY_SUFFIX}", process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = match openat(&self.0, &temporary, flags, mode) {
            // Of a killed process that had our number.
            Err(rustix::io::Errno::EXIST) => {
                unlinkat(&self.0, &temporary, AtFlags::empty())?;
                openat(&self.0, &temporary, flags, mode)?
            }
            file => file?,
        };
        let written = File::from(file)
            .write_all(content)
            .and_then(|()| Ok(renameat(&self.0, &temporary, &self.0, name)?));
        if written.is_err() {
            self.remove(&temporary);
        }
        written
    }

    /// Removes a file. Another process may have removed it.
    pub(super) fn remove(&self, name: &str) {
        let _ = unlinkat(&self.0, name, AtFlags::empty());
    }

    /// The files of the cache.
    pub(super) fn list(&self) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for file in Dir::read_from(&self.0)? {
            let file = file?;
            let Ok(name) = file.file_name().to_str() else { continue };
            if ![CODE_SUFFIX, HOT_CODE_SUFFIX, TEMPORARY_SUFFIX].iter().any(|suffix| name.ends_with(suffix)) {
                continue;
            }
            // Another process may have removed it.
            let Ok(found) = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            listed.push(Listed {
                used: (found.st_mtime, found.st_mtime_nsec as i64),
                name: name.to_owned(),
                n_bytes: u64::try_from(found.st_size).unwrap_or(u64::MAX),
            });
        }
        Ok(listed)
    }
}
