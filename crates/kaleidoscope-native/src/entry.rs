//! What the assembly of the two entries calls: from registers to the runtime and back.
//!
//! No panic leaves these functions: what the runtime does is caught, and the rest does not panic.

use std::ptr::null;

use crate::arch::{Landing, N_REGISTERS};
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
    pub(crate) landing: *const Landing,
}

/// How the host entry goes on.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Answer {
    /// What to return, if `landing` is null.
    pub(crate) value: f64,
    /// Where to land, if not null.
    pub(crate) landing: *const Landing,
}

/// A call has reached a slot without code.
pub(crate) extern "C" fn materialize(stub: u32) -> Continuation {
    let what = || format!("the lazy entry of stub {stub}");
    match Activation::ask(&what, |runtime| runtime.materialize(StubId::new(stub))) {
        Ok(code) => Continuation { code: code.get(), landing: null() },
        Err(landing) => Continuation { code: 0, landing },
    }
}

/// A call has reached a host stub.
///
/// # Safety
/// `registers` points to the first eight arguments, `stack` to those after them, as many as `word` says; the caller's
/// frame keeps both until this returns.
pub(crate) unsafe extern "C" fn host_call(
    word: usize,
    registers: *const [f64; N_REGISTERS],
    stack: *const f64,
) -> Answer {
    let word = HostWord::from_raw(word);
    let what = || format!("host function {}", word.id().get());
    // SAFETY: the caller saved all the registers there, whatever the arity.
    let registers = unsafe { &*registers };
    let answer = match word.arity().checked_sub(N_REGISTERS) {
        None | Some(0) => {
            let args = &registers[..word.arity()];
            Activation::ask(&what, |runtime| runtime.host_call(word.id(), args))
        }
        Some(n_stack) => {
            // SAFETY: a function with more parameters than registers has the others on the stack, one after the other.
            let stack = unsafe { std::slice::from_raw_parts(stack, n_stack) };
            Activation::ask(&what, |runtime| {
                runtime.host_call(word.id(), &[registers.as_slice(), stack].concat())
            })
        }
    };
    match answer {
        Ok(value) => Answer { value, landing: null() },
        Err(landing) => Answer { value: 0.0, landing },
    }
}
