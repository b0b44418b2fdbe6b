//! Whether a shared object is whole. The loader maps a file that was cut off, for example by a full
//! disk, and the process ends by a signal when it reads what is missing. So the length is checked
//! before the file is loaded.

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The bytes that have the file's headers.
const HEADERS: u64 = 64 << 10;

/// Checks that the file is a shared object, and as long as its headers say.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let file = File::open(path)?;
        let n_bytes = file.metadata()?.len();
        let mut start = Vec::new();
        file.take(HEADERS).read_to_end(&mut start)?;
        Ok((start, n_bytes))
    };
    let (start, n_bytes) = read().map_err(|error| error.to_string())?;
    let end = end(&start).ok_or("it is no shared object")?;
    if end > n_bytes {
        return Err(format!("it is cut off: {n_bytes} bytes of at least {end} are there"));
    }
    Ok(())
}

/// Where the last part ends that the headers name.
fn end(start: &[u8]) -> Option<u64> {
    let header = FileHeader64::<Endianness>::parse(start).ok()?;
    let endian = header.endian().ok()?;
    let n_sections = u64::from(header.e_shnum(endian));
    let sections_end = header.e_shoff(endian) + n_sections * u64::from(header.e_shentsize(endian));
    let segments = header.program_headers(endian, start).ok()?;
    let segment_end = |segment: &_| {
        let segment: &object::elf::ProgramHeader64<Endianness> = segment;
        segment.p_offset(endian) + segment.p_filesz(endian)
    };
    segments.iter().map(segment_end).chain([sections_end]).max()
}

#[cfg(test)]
mod tests;
