//! Replacing the text of a file, so that no failure loses the text.
//!
//! A file is replaced in one step where that keeps everything else about it: a new file beside it
//! takes its name. Otherwise the text is written in place, while a copy of the old text exists.
//! That keeps hard links, owners that this user cannot give away, access lists, and works in
//! folders that this user may not change.

use rustix::fs::{FallocateFlags, fallocate, fchown, flistxattr};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How the names of files begin that exist only while a text is replaced.
const PREFIX: &str = ".kaleidoscope-";

/// Replaces the text of a file.
///
/// # Errors
/// Why the file has its old text still, or where that is, as a sentence.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    // Through symbolic links, which stay.
    let path = fs::canonicalize(path).map_err(failed)?;
    // Also fails for a file that this user may not write, but whose name could be given away.
    let file = File::options().write(true).open(&path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("cannot write {}: it is no regular file", path.display()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Some(beside) = beside(folder, &file, &metadata) {
        return fill(beside, new).and_then(|beside| Ok(beside.persist(&path)?)).map(drop).map_err(failed);
    }
    let copy = copy_of(folder, old).map_err(failed)?;
    match overwrite(file, old, new) {
        Ok(()) => Ok(()),
        Err(Overwriting { error, is_damaged: false }) => Err(failed(error)),
        Err(Overwriting { error, is_damaged: true }) => {
            let place = copy.keep().map_or_else(|failure| failure.file.path().to_owned(), |(_, path)| path);
            Err(format!("{}; the old text is in {}", failed(error), place.display()))
        }
    }
}

/// A new file that may take the name of this one. `None` if something would be lost, or if the
/// folder cannot be changed.
fn beside(folder: &Path, file: &File, metadata: &Metadata) -> Option<NamedTempFile> {
    let has_attributes = !matches!(flistxattr(file, &mut [0_u8; 0][..]), Ok(0) | Err(Errno::NOTSUP));
    if metadata.nlink() > 1 || has_attributes {
        return None;
    }
    let beside = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).ok()?;
    let new = beside.as_file().metadata().ok()?;
    if (new.uid(), new.gid()) != (metadata.uid(), metadata.gid()) {
        let owner = rustix::fs::Uid::from_raw(metadata.uid());
        let group = rustix::fs::Gid::from_raw(metadata.gid());
        fchown(beside.as_file(), Some(owner), Some(group)).ok()?;
    }
    beside.as_file().set_permissions(metadata.permissions()).ok()?;
    Some(beside)
}

/// Writes the text to the new file, onto the disk.
fn fill(mut file: NamedTempFile, text: &str) -> io::Result<NamedTempFile> {
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A copy of a text, in this folder or in the folder for temporary files.
fn copy_of(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folders: [PathBuf; 2] = [folder.to_owned(), std::env::temp_dir()];
    let copy_in = |folder: &PathBuf| {
        let file = tempfile::Builder::new().prefix(PREFIX).suffix(".kal").tempfile_in(folder)?;
        fill(file, text)
    };
    copy_in(&folders[0]).or_else(|_| copy_in(&folders[1]))
}

/// Why a text was not written in place.
struct Overwriting {
    error: io::Error,
    /// Whether the file does not have its old text any more.
    is_damaged: bool,
}

/// Writes the new text over the old one.
fn overwrite(mut file: File, old: &str, new: &str) -> Result<(), Overwriting> {
    // Room that is missing shows before anything changes.
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, new.len().max(1) as u64) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => {
            return Err(Overwriting { error: error.into(), is_damaged: false });
        }
    }
    let Err(error) = write_in_place(&mut file, new) else { return Ok(()) };
    let is_damaged = write_in_place(&mut file, old).is_err();
    Err(Overwriting { error, is_damaged })
}

fn write_in_place(file: &mut File, text: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}
