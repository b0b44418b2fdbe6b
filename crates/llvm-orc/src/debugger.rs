//! Names of linked code for debuggers and profilers.
//!
//! GDB and LLDB look at a list in the process, LLVM's `__jit_debug_descriptor`, of object files that say where their
//! sections were put, and stop at `__jit_debug_register_code` to be told of changes. Linux's perf reads a file named
//! after the process, with a line for each function.

#[cfg(target_os = "linux")]
pub(crate) mod jitdump;

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolKind, elf};

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::object::Object;
use crate::tracker::Tracker;

/// A function of an object: its name, where its section was put and where in that it is, its length in bytes.
struct Placed<'data> {
    name: &'data str,
    section: object::SectionIndex,
    offset: u64,
    n_bytes: u64,
    address: Address,
}

#[cfg(target_os = "linux")]
impl Placed<'_> {
    /// The function's code as it stands in the object, before it is linked.
    fn code<'data>(&self, object: &'data Object) -> Result<&'data [u8], Error> {
        use object::ObjectSection as _;

        let file = parsed(object)?;
        let section = file.section_by_index(self.section).map_err(unreadable)?;
        let code = section.data_range(self.offset, self.n_bytes).map_err(unreadable)?;
        code.ok_or_else(|| Error::new(ErrorKind::Object, format!("object has no code of {}", self.name)))
    }
}

/// The functions of an object that others can name, as they were linked.
fn placed<'data>(tracker: &Tracker, object: &'data Object) -> Result<Vec<Placed<'data>>, Error> {
    let file = parsed(object)?;
    let mut found = Vec::new();
    for symbol in file.symbols() {
        let (SymbolKind::Text, true, Some(section)) =
            (symbol.kind(), symbol.is_global(), symbol.section_index())
        else {
            continue;
        };
        let name = symbol.name().map_err(unreadable)?;
        found.push(Placed {
            name,
            section,
            offset: symbol.address(),
            n_bytes: symbol.size(),
            address: tracker.lookup(name)?,
        });
    }
    Ok(found)
}

fn parsed(object: &Object) -> Result<ElfFile64<'_>, Error> {
    ElfFile64::parse(object.bytes()).map_err(unreadable)
}

fn unreadable(error: object::Error) -> Error {
    Error::new(ErrorKind::Object, format!("object cannot be shown: {error}"))
}

impl Tracker {
    /// Shows the tracker's object to a debugger, until the tracker is removed: backtraces name its functions, and its debug
    /// information is used if it has any. The object is linked now if it was not.
    ///
    /// Costs a copy of the object, and where a debugger is attached, a stop for it to read that.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is no 64-bit ELF file, and the errors of [`lookup`](Tracker::lookup).
    pub fn show_to_debugger(&self, object: &Object) -> Result<(), Error> {
        let mut bytes = object.bytes().to_vec();
        let file = parsed(object)?;
        let endian = file.endian();
        let table = file.elf_header().e_shoff(endian);
        let entry = u64::from(file.elf_header().e_shentsize(endian));
        for placed in placed(self, object)? {
            let start = placed.address.get().wrapping_sub(placed.offset);
            let place = table + entry * placed.section.0 as u64 + SECTION_ADDRESS;
            let place =
                usize::try_from(place).map_err(|_| Error::new(ErrorKind::Object, "object too large"))?;
            let start = if endian == Endianness::Little { start.to_le_bytes() } else { start.to_be_bytes() };
            let header = bytes.get_mut(place..place + start.len());
            header.ok_or_else(|| Error::new(ErrorKind::Object, "object torn"))?.copy_from_slice(&start);
        }
        self.keep_shown(Shown::new(bytes.into()));
        Ok(())
    }
}

/// Where a section's header has its address.
const SECTION_ADDRESS: u64 = std::mem::offset_of!(elf::SectionHeader64<Endianness>, sh_addr) as u64;

/// An entry of the debugger's list, in the form of GDB's manual, chapter "JIT Interface".
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    file_size: u64,
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

// SAFETY: GDB's interface, which LLVM defines.
unsafe extern "C" {
    static mut __jit_debug_descriptor: Descriptor;
    safe fn __jit_debug_register_code();
}

/// Held while the list is changed.
static LIST: Mutex<()> = Mutex::new(());

/// An object in the list.
///
/// 1. From `new` to `drop` it is in the list, and stays in its place. The list, and all entries' links, are used under the
///    lock alone.
pub(crate) struct Shown {
    entry: Entry,
    /// What the entry points to.
    _bytes: Box<[u8]>,
}

// SAFETY: the links are used under the lock alone, by promise 1; the rest is bytes.
unsafe impl Send for Shown {}
// SAFETY: as above.
unsafe impl Sync for Shown {}

impl Shown {
    fn new(bytes: Box<[u8]>) -> Pin<Box<Shown>> {
        let entry = Entry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            file: bytes.as_ptr(),
            file_size: bytes.len() as u64,
        };
        let mut shown = Box::pin(Shown { entry, _bytes: bytes });
        let place = ptr::from_mut(&mut shown.as_mut().get_mut().entry);
        let list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: LLVM's descriptor, under the lock.
        let descriptor = unsafe { &mut *descriptor };
        // SAFETY: our own entry, not in the list yet.
        unsafe { (*place).next = descriptor.first };
        if !descriptor.first.is_null() {
            // SAFETY: an entry of the list is alive by promise 1, and used under the lock.
            unsafe { (*descriptor.first).previous = place };
        }
        descriptor.first = place;
        tell(descriptor, REGISTER, place);
        drop(list);
        shown
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: LLVM's descriptor, under the lock.
        let descriptor = unsafe { &mut *descriptor };
        let (next, previous) = (self.entry.next, self.entry.previous);
        if previous.is_null() {
            descriptor.first = next;
        } else {
            // SAFETY: an entry of the list is alive by promise 1, and used under the lock.
            unsafe { (*previous).next = next };
        }
        if !next.is_null() {
            // SAFETY: as above.
            unsafe { (*next).previous = previous };
        }
        tell(descriptor, UNREGISTER, &raw mut self.entry);
        drop(list);
    }
}

/// Has a debugger, if there is one, look at the entry now.
fn tell(descriptor: &mut Descriptor, action: u32, entry: *mut Entry) {
    descriptor.relevant = entry;
    descriptor.action = action;
    __jit_debug_register_code();
    descriptor.relevant = ptr::null_mut();
    descriptor.action = 0;
}

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
        for placed in placed(tracker, object)? {
            lines += &format!("{:x} {:x} {}\n", placed.address.get(), placed.n_bytes, placed.name);
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
