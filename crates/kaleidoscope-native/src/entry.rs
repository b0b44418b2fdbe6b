//! What the assembly calls on the host's stack: from registers to the runtime and back.
//!
//! No panic leaves these functions: what the runtime does is caught, and the rest does not panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;

use crate::arch::{Crossing, N_REGISTERS};
use crate::call::Activation;
use crate::host::HostWord;
use crate::stub::StubId;

/// How the lazy entry goes on.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Continuation {
    /// Where to jump, if `landing` is null.
    pub(crate) code: usize,
    /// Where to land, if not null.
    pub(crate) landing: *const Crossing,
}

/// How the host entry goes on.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Answer {
    /// What to return, if `landing` is null.
    pub(crate) value: f64,
    /// Where to land, if not null.
    pub(crate) landing: *const Crossing,
}

/// A call has reached a slot without code.
///
/// # Safety
/// `crossing` is null, or that of the innermost activation of this thread, whose generated code has called.
pub(crate) unsafe extern "C" fn materialize(stub: u32, crossing: *const Crossing) -> Continuation {
    let what = || format!("the lazy entry of stub {stub}");
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::asking(crossing, &what) };
    match activation.ask(|runtime| runtime.materialize(StubId::new(stub))) {
        Ok(code) => Continuation { code: code.get(), landing: null() },
        Err(landing) => Continuation { code: 0, landing },
    }
}

/// A call has reached a host stub.
///
/// # Safety
/// `registers` points to the first eight arguments, `stack` to those after them, as many as `word` says; the caller's
/// frame keeps both until this returns. `crossing` is as for [`materialize`].
pub(crate) unsafe extern "C" fn host_call(
    word: usize,
    registers: *const [f64; N_REGISTERS],
    stack: *const f64,
    crossing: *const Crossing,
) -> Answer {
    let word = HostWord::from_raw(word);
    // SAFETY: the stub is being called.
    let standalone = unsafe { word.standalone() };
    let (id, arity) =
        standalone.map_or_else(|| word.id_and_arity(), |standalone| (standalone.id, standalone.arity));
    // SAFETY: the caller saved all the registers there, whatever the arity.
    let registers = unsafe { &*registers };
    let joined;
    let args = match arity.checked_sub(N_REGISTERS) {
        None | Some(0) => &registers[..arity],
        Some(n_stack) => {
            // SAFETY: a function with more parameters than registers has the others on the stack, one after the other.
            let stack = unsafe { std::slice::from_raw_parts(stack, n_stack) };
            joined = [registers.as_slice(), stack].concat();
            &joined
        }
    };
    if let (Some(standalone), true) = (standalone, crossing.is_null()) {
        let value = catch_unwind(AssertUnwindSafe(|| (standalone.call)(args)));
        return Answer { value: value.unwrap_or(0.0), landing: null() };
    }
    let what = || format!("host function {}", id.get());
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::asking(crossing, &what) };
    let answer = activation.ask(|runtime| runtime.host_call(id, args));
    match answer {
        Ok(value) => Answer { value, landing: null() },
        Err(landing) => Answer { value: 0.0, landing },
    }
}

/// Somebody may want the call to stop, which is about to go on in generated code: where to land, if that is so.
///
/// # Safety
/// `crossing` is that of the innermost activation of this thread.
pub(crate) unsafe extern "C" fn attend(crossing: *const Crossing) -> *const Crossing {
    let nobody = || "a return to generated code".to_owned();
    // SAFETY: the caller's promise.
    let activation = unsafe { Activation::asking(crossing, &nobody) };
    if activation.is_stopped() { crossing } else { null() }
}
