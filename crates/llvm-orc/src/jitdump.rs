//! jitdump: a binary file with the names and code of run-time functions, for `perf inject`.
//!
//! The program maps the file's first page as executable. perf records that mapping and so finds the
//! file. The mapping is never accessed. Linux's sources specify the format in
//! `tools/perf/Documentation/jitdump-specification.txt`.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use crate::arch;
use crate::error::{Error, ErrorKind};
use crate::linked_functions::linked_functions;
use crate::object::Object;
use crate::tracker::Tracker;

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_SIZE: u32 = 40;
/// Type of the record that describes a function.
const CODE_LOAD: u32 = 0;
/// Size of that record in bytes, without name and code.
const LOAD_SIZE: usize = 56;
/// Size of the marker mapping in bytes.
const PAGE: usize = 4096;

// SAFETY: the signatures are those of the C library on 64-bit Linux.
unsafe extern "C" {
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(address: *mut c_void, length: usize) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    safe fn gettid() -> c_int;
}

/// A jitdump file, with which Linux's perf names run-time functions and annotates their code. Works
/// for every [`Memory`](crate::Memory).
///
/// ```text
/// perf record -k mono program        # the program writes jit-PID.dump
/// perf inject --jit -i perf.data -o named.data
/// perf report -i named.data
/// ```
///
/// Clones are handles to the same file. The file is not deleted.
#[derive(Clone)]
pub struct JitDump {
    inner: Arc<Inner>,
}

struct Inner {
    /// The file, and the number of functions in it.
    file: Mutex<(File, u64)>,
    path: PathBuf,
    marker: MarkerMapping,
}

/// The mapping that tells perf of the file.
struct MarkerMapping(NonNull<c_void>);

// SAFETY: the mapping belongs to the process, not to a thread, and is not accessed.
unsafe impl Send for MarkerMapping {}
// SAFETY: as above.
unsafe impl Sync for MarkerMapping {}

impl JitDump {
    /// Creates the file `jit-PID.dump` in a directory.
    ///
    /// # Errors
    /// Errors of creating, writing and mapping the file.
    pub fn create_in(directory: impl AsRef<Path>) -> io::Result<JitDump> {
        let path = directory.as_ref().join(format!("jit-{}.dump", process::id()));
        let mut file =
            fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let marker = MarkerMapping::of(&file)?;
        let mut header = Vec::new();
        for word in [MAGIC, VERSION, HEADER_SIZE, arch::ELF_MACHINE.into(), 0, process::id()] {
            header.extend_from_slice(&word.to_ne_bytes());
        }
        header.extend_from_slice(&now()?.to_ne_bytes());
        header.extend_from_slice(&0_u64.to_ne_bytes());
        file.write_all(&header)?;
        Ok(JitDump { inner: Arc::new(Inner { file: Mutex::new((file, 0)), path, marker }) })
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Adds the global functions of the tracker's object, with their code. Links the object if it
    /// is not linked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is not a 64-bit ELF file or the file cannot be written,
    /// and the errors of [`Tracker::lookup`].
    pub fn add(&self, tracker: &Tracker, object: &Object) -> Result<(), Error> {
        for function in linked_functions(tracker, object)? {
            let code = function.code(object)?;
            self.write(function.name, function.address.get(), code).map_err(|error| {
                Error::new(ErrorKind::Object, format!("{} cannot be written: {error}", self.path().display()))
            })?;
        }
        Ok(())
    }

    fn write(&self, name: &str, address: u64, code: &[u8]) -> io::Result<()> {
        let size = LOAD_SIZE + name.len() + 1 + code.len();
        let size = u32::try_from(size).map_err(|_| io::Error::other("function too large"))?;
        let mut locked = self.inner.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, n_functions) = &mut *locked;
        let mut record = Vec::with_capacity(size as usize);
        record.extend_from_slice(&CODE_LOAD.to_ne_bytes());
        record.extend_from_slice(&size.to_ne_bytes());
        record.extend_from_slice(&now()?.to_ne_bytes());
        record.extend_from_slice(&process::id().to_ne_bytes());
        record.extend_from_slice(&gettid().to_ne_bytes());
        for word in [address, address, code.len() as u64, *n_functions] {
            record.extend_from_slice(&word.to_ne_bytes());
        }
        record.extend_from_slice(name.as_bytes());
        record.push(0);
        record.extend_from_slice(code);
        *n_functions += 1;
        file.write_all(&record)
    }
}

impl MarkerMapping {
    fn of(file: &File) -> io::Result<MarkerMapping> {
        const READ_AND_EXECUTE: c_int = 5;
        const PRIVATE: c_int = 2;
        // SAFETY: no address is requested, so no other mapping is replaced. The file is open.
        let mapped = unsafe { mmap(ptr::null_mut(), PAGE, READ_AND_EXECUTE, PRIVATE, file.as_raw_fd(), 0) };
        if mapped.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        Ok(MarkerMapping(NonNull::new(mapped).expect("the system does not choose the null page")))
    }
}

impl Drop for MarkerMapping {
    fn drop(&mut self) {
        // SAFETY: we own the mapping, and it is never accessed.
        unsafe { munmap(self.0.as_ptr(), PAGE) };
    }
}

/// Nanoseconds of the clock that `perf record -k mono` uses.
fn now() -> io::Result<u64> {
    const MONOTONIC: c_int = 1;
    let mut time = [0; 2];
    // SAFETY: `time` is our local variable with the layout of `timespec` on 64-bit Linux.
    if unsafe { clock_gettime(MONOTONIC, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((time[0] * 1_000_000_000 + time[1]).cast_unsigned())
}

impl fmt::Debug for JitDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JitDump")
            .field("path", &self.inner.path)
            .field("marker", &self.inner.marker.0)
            .finish_non_exhaustive()
    }
}
