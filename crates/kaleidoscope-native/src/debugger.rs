//! GDB's JIT interface: shows object files in memory to GDB and LLDB.
//!
//! A debugger sets a breakpoint on `__jit_debug_register_code`, which is called after each change
//! of a list of object files. It then reads the object files from the memory of the process: their
//! symbols, debug information and unwind information. GDB's manual specifies the list in the
//! chapter "JIT Interface".

use std::hint::spin_loop;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::yield_now;

/// An entry of the list.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    n_bytes: u64,
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

// SAFETY: the symbols of `arch/x86_64/jit_interface.rs`, or LLVM's of the same layout.
unsafe extern "C" {
    static mut __jit_debug_descriptor: Descriptor;
    static jit_debug_list_lock: AtomicU32;
    safe fn __jit_debug_register_code();
}

/// The lock of the list, which all users of the list in this program share.
struct ListLock(&'static AtomicU32);

impl ListLock {
    fn take() -> Self {
        // SAFETY: the word exists as long as the process, and is accessed atomically only.
        let word = unsafe { &jit_debug_list_lock };
        while word.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            // A debugger may stop the owner for long.
            spin_loop();
            yield_now();
        }
        Self(word)
    }
}

impl Drop for ListLock {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// An object file that debuggers see until it is dropped. Its addresses are those of code in
/// memory.
///
/// Promise: the entry is in the list from [`show`](Self::show) to `drop`, and does not move. The
/// links of all entries are used only under the lock of the list.
#[derive(Debug)]
pub struct ShownObject {
    entry: Pin<Box<Entry>>,
    /// The bytes that the entry points to.
    bytes: Box<[u8]>,
}

// SAFETY: the links are used only under the lock, by the promise. The other fields are bytes.
unsafe impl Send for ShownObject {}
// SAFETY: as above.
unsafe impl Sync for ShownObject {}

impl ShownObject {
    /// Shows an object file, in ELF, to debuggers. One that is attached stops the process while it
    /// reads the file.
    pub fn show(bytes: Box<[u8]>) -> Self {
        let (next, previous) = (ptr::null_mut(), ptr::null_mut());
        let entry = Entry { next, previous, file: bytes.as_ptr(), n_bytes: bytes.len() as u64 };
        let mut shown = Self { entry: Box::pin(entry), bytes };
        let entry: *mut Entry = &raw mut *shown.entry;
        let lock = ListLock::take();
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: the descriptor exists as long as the process, and this thread has the lock.
        let descriptor = unsafe { &mut *descriptor };
        // SAFETY: the entry is ours, and not in the list yet.
        unsafe { (*entry).next = descriptor.first };
        if !descriptor.first.is_null() {
            // SAFETY: entries of the list exist, by the promise, and this thread has the lock.
            unsafe { (*descriptor.first).previous = entry };
        }
        descriptor.first = entry;
        notify(descriptor, REGISTER, entry);
        drop(lock);
        shown
    }

    /// The object file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for ShownObject {
    fn drop(&mut self) {
        let entry: *mut Entry = &raw mut *self.entry;
        let lock = ListLock::take();
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: the descriptor exists as long as the process, and this thread has the lock.
        let descriptor = unsafe { &mut *descriptor };
        let (next, previous) = (self.entry.next, self.entry.previous);
        if previous.is_null() {
            descriptor.first = next;
        } else {
            // SAFETY: entries of the list exist, by the promise, and this thread has the lock.
            unsafe { (*previous).next = next };
        }
        if !next.is_null() {
            // SAFETY: as above.
            unsafe { (*next).previous = previous };
        }
        notify(descriptor, UNREGISTER, entry);
        drop(lock);
    }
}

/// Tells an attached debugger of a change.
fn notify(descriptor: &mut Descriptor, action: u32, entry: *mut Entry) {
    (descriptor.version, descriptor.action, descriptor.relevant) = (1, action, entry);
    __jit_debug_register_code();
    (descriptor.action, descriptor.relevant) = (0, ptr::null_mut());
}
