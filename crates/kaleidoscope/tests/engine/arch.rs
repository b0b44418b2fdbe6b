//! Machine specifics of the tests: the floating-point mode of a thread.
//!
//! A port provides `float_mode()`, `set_float_mode()`, `DEFAULT_MODE` and `OTHER_MODES`.

mod x86_64;

pub(crate) use x86_64::*;
