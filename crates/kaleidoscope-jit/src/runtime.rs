//! What the machine layer asks the engine while generated code runs.
#![allow(unsafe_code)]

use crate::code::function_id;
use crate::core::Core;
use kaleidoscope_native::{CodeAddress, HostId, Runtime, StubId, Trap};

// SAFETY: `first_call` returns the address of code that this very stub's slot points to (promise 2
// of `code.rs`), and the asking evaluation is inside an epoch, so the code is not freed before it
// ends (promise 3).
unsafe impl Runtime for Core {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        self.first_call(function_id(stub)).map_err(Trap::error)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        let result = match *args {
            [profile, counter] if self.reports_trips(host) => self.on_trip(profile, counter),
            _ => self.call_host(host, args),
        };
        result.map_err(Trap::error)
    }
}
