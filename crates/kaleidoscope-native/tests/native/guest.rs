//! Generated code for tests: hand-written machine code, copied out of the executable, because
//! interrupts do not end calls in loaded objects.

use std::ops::Range;
use std::ptr::null_mut;

use kaleidoscope_native::{CodeAddress, StackTrace};

pub(crate) use crate::arch::guests::*;

/// The largest size of a function in bytes.
const SIZE: usize = 256;

/// A function of generated code. Never freed.
#[derive(Clone, Debug)]
pub(crate) struct Guest(Range<usize>);

impl Guest {
    /// A copy of a function that refers to nothing outside itself.
    pub(crate) fn copy(function: *const ()) -> Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: no address is given.
        let page = unsafe { libc::mmap(null_mut(), SIZE, protection, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        // SAFETY: both ranges are that long: in the executable, more code follows each of its
        // functions.
        unsafe { function.cast::<u8>().copy_to(page.cast(), SIZE) };
        // SAFETY: the mapping is ours.
        assert_eq!(unsafe { libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC) }, 0);
        Self(page.addr()..page.addr() + SIZE)
    }

    pub(crate) fn code(&self) -> CodeAddress {
        CodeAddress::new(self.0.start)
    }

    /// The address as an argument.
    pub(crate) fn bits(&self) -> f64 {
        bits(self.code())
    }

    pub(crate) fn contains(&self, address: CodeAddress) -> bool {
        self.0.contains(&address.get())
    }

    /// Checks that a trace has `n` frames, all of this function.
    pub(crate) fn is_all_of(&self, trace: &StackTrace, n: usize) {
        assert_eq!(trace.addresses().len(), n, "{trace:?}");
        assert_eq!(trace.top(), trace.addresses().first().copied());
        assert!(trace.addresses().iter().all(|&address| self.contains(address)), "{self:x?}: {trace:?}");
    }
}

/// An address as an argument.
pub(crate) fn bits(code: CodeAddress) -> f64 {
    f64::from_bits(code.get() as u64)
}
