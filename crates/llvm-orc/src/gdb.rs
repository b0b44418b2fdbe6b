//! GDB's JIT interface: registers object files with GDB and LLDB, which read their symbols.
//!
//! Debuggers read a list in the process, LLVM's `__jit_debug_descriptor`. Its entries are object
//! files whose section headers contain the addresses of linked sections. Debuggers set a breakpoint
//! on `__jit_debug_register_code`, which is called after each change of the list.

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
    /// Registers the tracker's object with debuggers until the tracker is removed. Backtraces then
    /// name its functions, and debuggers use its debug information if it has any. Links the object
    /// if it is not linked yet.
    ///
    /// Costs a copy of the object. An attached debugger stops the process to read the copy.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is not a 64-bit ELF file, and the errors of
    /// [`lookup`](Tracker::lookup).
    pub fn show_to_debugger(&self, object: &Object) -> Result<(), Error> {
        let mut bytes = object.bytes().to_vec();
        let file = parse_elf(object)?;
        let endian = file.endian();
        let header_table = file.elf_header().e_shoff(endian);
        let header_size = u64::from(file.elf_header().e_shentsize(endian));
        for function in linked_functions(self, object)? {
            let start = function.address.get().wrapping_sub(function.offset);
            let offset = header_table + header_size * function.section.0 as u64 + SECTION_ADDRESS;
            let offset =
                usize::try_from(offset).map_err(|_| Error::new(ErrorKind::Object, "object too large"))?;
            let start = if endian == Endianness::Little { start.to_le_bytes() } else { start.to_be_bytes() };
            let header = bytes.get_mut(offset..offset + start.len());
            header
                .ok_or_else(|| Error::new(ErrorKind::Object, "object file is cut off"))?
                .copy_from_slice(&start);
        }
        self.keep_registered(RegisteredObject::register(bytes.into()));
        Ok(())
    }
}

/// Offset of the address in a section header.
const SECTION_ADDRESS: u64 = std::mem::offset_of!(elf::SectionHeader64<Endianness>, sh_addr) as u64;

/// Entry of the debuggers' list. GDB's manual, chapter "JIT Interface", specifies the layout.
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

// SAFETY: GDB's interface, which LLVM implements.
unsafe extern "C" {
    static mut __jit_debug_descriptor: JitDescriptor;
    safe fn __jit_debug_register_code();
}

/// Locked while the list is changed.
static LIST: Mutex<()> = Mutex::new(());

/// An object in the debuggers' list.
///
/// 1. The object is in the list from `register` to `drop` and does not move. The list and the links
///    of all entries are used only under the lock.
pub(crate) struct RegisteredObject {
    entry: JitCodeEntry,
    /// The bytes that the entry points to.
    _bytes: Box<[u8]>,
}

// SAFETY: the links are used only under the lock, by promise 1. The other fields are bytes.
unsafe impl Send for RegisteredObject {}
// SAFETY: as above.
unsafe impl Sync for RegisteredObject {}

impl RegisteredObject {
    fn register(bytes: Box<[u8]>) -> Pin<Box<RegisteredObject>> {
        let entry = JitCodeEntry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            file: bytes.as_ptr(),
            file_size: bytes.len() as u64,
        };
        let mut registered = Box::pin(RegisteredObject { entry, _bytes: bytes });
        let entry = ptr::from_mut(&mut registered.as_mut().get_mut().entry);
        let list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: LLVM's descriptor, which we use under the lock.
        let descriptor = unsafe { &mut *descriptor };
        // SAFETY: we own the entry, which is not in the list yet.
        unsafe { (*entry).next = descriptor.first };
        if !descriptor.first.is_null() {
            // SAFETY: the list's entries are alive by promise 1, and we hold the lock.
            unsafe { (*descriptor.first).previous = entry };
        }
        descriptor.first = entry;
        notify_debugger(descriptor, REGISTER, entry);
        drop(list);
        registered
    }
}

impl Drop for RegisteredObject {
    fn drop(&mut self) {
        let list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: LLVM's descriptor, which we use under the lock.
        let descriptor = unsafe { &mut *descriptor };
        let (next, previous) = (self.entry.next, self.entry.previous);
        if previous.is_null() {
            descriptor.first = next;
        } else {
            // SAFETY: the list's entries are alive by promise 1, and we hold the lock.
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

/// Notifies an attached debugger of a change.
fn notify_debugger(descriptor: &mut JitDescriptor, action: u32, entry: *mut JitCodeEntry) {
    descriptor.relevant = entry;
    descriptor.action = action;
    __jit_debug_register_code();
    descriptor.relevant = ptr::null_mut();
    descriptor.action = 0;
}
