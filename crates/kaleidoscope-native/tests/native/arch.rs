//! Machine specifics of the tests.
//!
//! What a port must provide, in a folder beside `x86_64`:
//! - `guests`: functions of generated code, each returned as a [`Guest`](crate::guest::Guest);
//! - `adds_constant()`, `ENDLESS_LOOP`: machine code as bytes;
//! - `floating_point_mode()`, `set_floating_point_mode()` and modes to set;
//! - `x87_mode()`, `set_x87_mode()` and modes to set: those of a second unit, or none;
//! - `callee_saved_modes()`, `DEFAULT_MODES`: all control state that a callee must keep;
//! - `call_with_misaligned_stack()`, `note_alignment()`, `was_aligned()`: for signal handlers;
//! - `call_with_two_lanes()`: a call of a vector maths function;
//! - a test that the lazy entry keeps every argument register.

mod x86_64;

pub(crate) use x86_64::*;
