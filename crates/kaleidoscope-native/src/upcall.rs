//! Upcalls: what the assembly calls on the host stack when generated code needs the runtime.
//!
//! No panic leaves these functions: a panic in the runtime is caught, and nothing else here panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;

use crate::activation::Activation;
use crate::arch::{N_REGISTER_ARGS, StackSwitch};
use crate::float_mode::{in_engine_mode, in_host_mode_of_upcall};
use crate::host_slot::HostSlotWord;
use crate::runtime::Runtime;
use crate::stub_id::StubId;
use crate::trap::drop_caught;

/// What the lazy entry does next.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct LazyEntryResult {
    /// The code to jump to, if `exit_through` is null.
    pub(crate) code: usize,
    /// If not null, the stack switch through which to exit generated code.
    pub(crate) exit_through: *const StackSwitch,
}

/// What the host entry does next.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct HostEntryResult {
    /// The value to return, if `exit_through` is null.
    pub(crate) value: f64,
    /// If not null, the stack switch through which to exit generated code.
    pub(crate) exit_through: *const StackSwitch,
}

/// Upcall of the lazy entry: a call has reached a slot without code.
///
/// # Safety
/// `stack_switch` is null, or that of the innermost activation of this thread, whose generated code
/// made the call.
pub(crate) unsafe extern "C" fn materialize(stub: u32, stack_switch: *const StackSwitch) -> LazyEntryResult {
    let origin = || format!("the lazy entry of stub {stub}");
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::of_upcall(stack_switch, &origin) };
    let request = |runtime: &dyn Runtime| in_engine_mode(|| runtime.materialize(StubId::new(stub)));
    match activation.call_runtime(request) {
        Ok(code) => LazyEntryResult { code: code.get(), exit_through: null() },
        Err(exit_through) => LazyEntryResult { code: 0, exit_through },
    }
}

/// Upcall of the host entry: a call has reached a host stub.
///
/// # Safety
/// `registers` points to the arguments in registers, `stack` to those on the stack, as many as
/// `word` says. The caller's frame keeps both until this returns. `stack_switch` is as for
/// [`materialize`].
pub(crate) unsafe extern "C" fn host_call(
    word: usize,
    registers: *const [f64; N_REGISTER_ARGS],
    stack: *const f64,
    stack_switch: *const StackSwitch,
) -> HostEntryResult {
    let word = HostSlotWord::from_raw(word);
    // SAFETY: the stub is being called.
    let standalone = unsafe { word.standalone() };
    let (id, arity) =
        standalone.map_or_else(|| word.id_and_arity(), |standalone| (standalone.id, standalone.arity));
    // SAFETY: the caller saved all the registers there, whatever the arity.
    let registers = unsafe { &*registers };
    let joined;
    let args = match arity.checked_sub(N_REGISTER_ARGS) {
        None | Some(0) => &registers[..arity],
        Some(n_stack) => {
            // SAFETY: the arguments that do not fit in registers lie on the stack, one after the
            // other.
            let stack = unsafe { std::slice::from_raw_parts(stack, n_stack) };
            joined = [registers.as_slice(), stack].concat();
            &joined
        }
    };
    if let (Some(standalone), true) = (standalone, stack_switch.is_null()) {
        let value = catch_unwind(AssertUnwindSafe(|| (standalone.call)(args)));
        let value = value.unwrap_or_else(|payload| {
            drop_caught(payload);
            0.0
        });
        return HostEntryResult { value, exit_through: null() };
    }
    let origin = || format!("host function {}", id.get());
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::of_upcall(stack_switch, &origin) };
    match in_host_mode_of_upcall(|| activation.call_runtime(|runtime| runtime.host_call(id, args))) {
        Ok(value) => HostEntryResult { value, exit_through: null() },
        Err(exit_through) => HostEntryResult { value: 0.0, exit_through },
    }
}

/// Upcall before generated code continues while `interrupt_pending` is set. Returns the stack
/// switch through which to exit generated code, or null to continue.
///
/// # Safety
/// `stack_switch` is that of the innermost activation of this thread.
pub(crate) unsafe extern "C" fn check_interrupts(stack_switch: *const StackSwitch) -> *const StackSwitch {
    let origin = || "a return to generated code".to_owned();
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::of_upcall(stack_switch, &origin) };
    if activation.must_exit() { stack_switch } else { null() }
}
