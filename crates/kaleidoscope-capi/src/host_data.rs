//! Host data: a pointer of the host, with the function that frees it.

use std::ffi::c_void;

/// Frees data of the host that the engine does not need any more. It is called once, on any thread.
pub type kls_destroy = Option<unsafe extern "C" fn(data: *mut c_void)>;

/// A pointer that the host handed over, with the function that frees it.
#[derive(Debug)]
pub(crate) struct HostData {
    data: *mut c_void,
    destroy: kls_destroy,
}

// SAFETY: this crate only passes the data to functions of the host. The host promised that any
// thread may call them.
unsafe impl Send for HostData {}
// SAFETY: as above, also for several threads at once.
unsafe impl Sync for HostData {}

impl HostData {
    pub(crate) fn new(data: *mut c_void, destroy: kls_destroy) -> Self {
        Self { data, destroy }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data
    }

    /// The pointer, if it was handed over with this function.
    pub(crate) fn pointer_of(&self, destroy: kls_destroy) -> Option<*mut c_void> {
        let address = |destroy: kls_destroy| destroy.map(|destroy| destroy as usize);
        (address(self.destroy) == address(destroy)).then_some(self.data)
    }
}

impl Drop for HostData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the host's function with the host's data, once.
            unsafe { destroy(self.data) };
        }
    }
}
