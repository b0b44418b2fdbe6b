//! Names of linked code for debuggers and profilers.
//!
//! GDB and LLDB look at a list in the process, LLVM's `__jit_debug_descriptor`, of object files that say where their
//! sections were put, and stop at `__jit_debug_register_code` to be told of changes. Linux's perf reads a file named
//! after the process, with a line for each function.

use std::pin::Pin;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use object::read::elf::FileHeader;
use object::{Endianness, elf};

use crate::error::{Error, ErrorKind};
use crate::linked_functions::{linked_functions, parse_elf};
use crate::object::Object;
use crate::tracker::Tracker;

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
        let file = parse_elf(object)?;
        let endian = file.endian();
        let table = file.elf_header().e_shoff(endian);
        let entry = u64::from(file.elf_header().e_shentsize(endian));
        for function in linked_functions(self, object)? {
            let start = function.address.get().wrapping_sub(function.offset);
            let place = table + entry * function.section.0 as u64 + SECTION_ADDRESS;
            let place =
                usize::try_from(place).map_err(|_| Error::new(ErrorKind::Object, "object too large"))?;
            let start = if endian == Endianness::Little { start.to_le_bytes() } else { start.to_be_bytes() };
            let header = bytes.get_mut(place..place + start.len());
            header.ok_or_else(|| Error::new(ErrorKind::Object, "object torn"))?.copy_from_slice(&start);
        }
        self.keep_registered(RegisteredObject::new(bytes.into()));
        Ok(())
    }
}

/// Where a section's header has its address.
const SECTION_ADDRESS: u64 = std::mem::offset_of!(elf::SectionHeader64<Endianness>, sh_addr) as u64;

/// An entry of the debugger's list, in the form of GDB's manual, chapter "JIT Interface".
#[repr(C)]
struct JitCodeEntry {
    next: *mut JitCodeEntry,
    previous: *mut JitCodeEntry,
    file: *const u8,
    file_size: u64,
}

#[repr(C)]
struct JitDescriptor {
    version: u32,
    action: u32,
    relevant: *mut JitCodeEntry,
    first: *mut JitCodeEntry,
}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

// SAFETY: GDB's interface, which LLVM defines.
unsafe extern "C" {
    static mut __jit_debug_descriptor: JitDescriptor;
    safe fn __jit_debug_register_code();
}

/// Held while the list is changed.
static LIST: Mutex<()> = Mutex::new(());

/// An object in the list.
///
/// 1. From `new` to `drop` it is in the list, and stays in its place. The list, and all entries' links, are used under the
///    lock alone.
pub(crate) struct RegisteredObject {
    entry: JitCodeEntry,
    /// What the entry points to.
    _bytes: Box<[u8]>,
}

// SAFETY: the links are used under the lock alone, by promise 1; the rest is bytes.
unsafe impl Send for RegisteredObject {}
// SAFETY: as above.
unsafe impl Sync for RegisteredObject {}

impl RegisteredObject {
    fn new(bytes: Box<[u8]>) -> Pin<Box<RegisteredObject>> {
        let entry = JitCodeEntry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            file: bytes.as_ptr(),
            file_size: bytes.len() as u64,
        };
        let mut shown = Box::pin(RegisteredObject { entry, _bytes: bytes });
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
        notify_debugger(descriptor, REGISTER, place);
        drop(list);
        shown
    }
}

impl Drop for RegisteredObject {
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
        notify_debugger(descriptor, UNREGISTER, &raw mut self.entry);
        drop(list);
    }
}

/// Has a debugger, if there is one, look at the entry now.
fn notify_debugger(descriptor: &mut JitDescriptor, action: u32, entry: *mut JitCodeEntry) {
    descriptor.relevant = entry;
    descriptor.action = action;
    __jit_debug_register_code();
    descriptor.relevant = ptr::null_mut();
    descriptor.action = 0;
}
