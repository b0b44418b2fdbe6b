//! List of object files for debuggers, LLVM's `__jit_debug_descriptor`.
//!
//! GDB and LLDB set a breakpoint on `__jit_debug_register_code`, which is called after each change
//! of the list.

use crate::list_lock::ListLock;
use crate::reserved_addresses::ReservedAddresses;
use std::pin::Pin;
use std::ptr;

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

/// An object in the debuggers' list.
///
/// 1. The object is in the list from `register` to `drop` and does not move. The list and the links
///    of all entries are used only under the lock.
pub(crate) struct RegisteredObject {
    entry: JitCodeEntry,
    /// The bytes that the entry points to.
    _bytes: Box<[u8]>,
    _reserved: Option<ReservedAddresses>,
}

// SAFETY: the links are used only under the lock, by promise 1. The other fields are bytes.
unsafe impl Send for RegisteredObject {}
// SAFETY: as above.
unsafe impl Sync for RegisteredObject {}

impl RegisteredObject {
    /// Registers an object file. Its unwind information is at the addresses of `reserved`.
    pub(crate) fn register(
        bytes: Box<[u8]>,
        reserved: Option<ReservedAddresses>,
    ) -> Pin<Box<RegisteredObject>> {
        let entry = JitCodeEntry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            file: bytes.as_ptr(),
            file_size: bytes.len() as u64,
        };
        let mut registered = Box::pin(RegisteredObject { entry, _bytes: bytes, _reserved: reserved });
        let entry = ptr::from_mut(&mut registered.as_mut().get_mut().entry);
        let list = ListLock::take();
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
        let list = ListLock::take();
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
