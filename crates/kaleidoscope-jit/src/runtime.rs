//! What the machine layer asks the engine while generated code runs.
#![allow(unsafe_code)]

use crate::code::function_id;
use crate::core::Core;
use crate::deoptimize::Exited;
use crate::exit_buffer::ExitBuffer;
use crate::interrupt::{CallLimits, Watch, is_call_ending};
use crate::trap::panic_text;
use kaleidoscope_native::{CodeAddress, HostId, Runtime, StubId, Trap, in_engine_mode};
use std::panic::{AssertUnwindSafe, catch_unwind};

// SAFETY: `first_call` returns the address of code that this very stub's slot points to (promise 2
// of `code.rs`), and the asking evaluation is inside an epoch, so the code is not freed before it
// ends (promise 3).
unsafe impl Runtime for Core {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        #[cfg(feature = "stress")]
        self.stress();
        // The body of a scope may have used more of the host stack since the scope was entered.
        self.admit().map_err(Trap::error)?;
        // Its limits are those of the guarded call that reached the stub, and of those around it.
        let watch = Watch::begin(&self.interrupter, CallLimits::new());
        let called = self.first_call(function_id(stub), &watch);
        called.map_err(|trap| Trap::error(self.with_callers(trap)))
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        #[cfg(feature = "stress")]
        self.stress();
        let result = match *args {
            [profile, counter] if self.reports_trips(host) => {
                in_engine_mode(|| self.on_trip(profile, counter))
            }
            [exit, buffer] if self.is_exit(host) => in_engine_mode(|| self.leave(exit, buffer)),
            [array, index, function] if self.reports_bad_index(host) => {
                in_engine_mode(|| Err(self.bad_index(array, index, function)))
            }
            _ => self.call_host(host, args).map_err(|trap| self.with_callers(trap)),
        };
        match result {
            // What ends the call may be why the host function failed. The call is exited on return,
            // with its own trap.
            Err(crate::trap::Trap::Host { .. }) if is_call_ending() => Ok(0.0),
            result => result.map_err(Trap::error),
        }
    }
}

impl Core {
    /// Invalidated code is left at this exit, with an exit buffer at this address.
    fn leave(&self, exit: f64, buffer: f64) -> Result<f64, crate::trap::Trap> {
        let exited = self.exited(exit);
        self.deoptimize(&exited, &mut read_buffer(&exited, buffer))
    }

    /// As [`leave`](Self::leave), for a raw call: without a guard, so the interpreter runs
    /// everything that is left to run. A trap ends the process, as it does in any raw call.
    pub(crate) fn leave_raw_call(&self, exit: f64, buffer: f64) -> f64 {
        let completed = catch_unwind(AssertUnwindSafe(|| {
            let exited = self.exited(exit);
            in_engine_mode(|| self.complete_raw_call(&exited, &mut read_buffer(&exited, buffer)))
        }));
        let why = match completed {
            Ok(Ok(value)) => return value,
            Ok(Err(trap)) => trap.to_string(),
            Err(panic) => panic_text(panic),
        };
        abort_raw_call(&why)
    }

    /// Ends a raw call with a trap: without a guard, the process ends.
    pub(crate) fn end_raw_call(&self, trap: &crate::trap::Trap) -> ! {
        abort_raw_call(&trap.to_string())
    }
}

fn abort_raw_call(why: &str) -> ! {
    eprintln!("fatal: a raw call ended early: {why}");
    std::process::abort()
}

/// What the code of this exit wrote to the buffer at this address.
fn read_buffer(exited: &Exited, address: f64) -> ExitBuffer {
    // SAFETY: only generated code calls the exit function, and passes the exit buffer of its exit:
    // the code was compiled with this description of it. The buffer is in the frame that waits for
    // this call. OSR code has the variables of its function (promise 7 of `code.rs`).
    unsafe { ExitBuffer::read(address, exited.n_values(), exited.layout()) }
}
