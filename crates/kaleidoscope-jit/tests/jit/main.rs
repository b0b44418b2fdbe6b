//! External tests of the engine: everything through the public API, with IR in its text form.

#![allow(clippy::unwrap_used, reason = "clippy's setting for tests knows only functions marked as one")]

mod batches;
mod definitions;
mod events;
mod lifetime;
mod misuse;
mod program;
mod traps;
