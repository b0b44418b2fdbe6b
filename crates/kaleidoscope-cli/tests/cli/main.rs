//! The command as scripts see it: streams, exit codes, options, bad input.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod arrays;
mod build;
mod building;
mod cache;
mod command;
mod cross;

mod debuggers;
mod diagnostics;
mod documented;
mod emit;
mod end;
mod fmt;
mod input;
mod output;
mod parameters;
mod plugin;
mod prelude;
mod resources;
mod session;
mod statistics;
mod stop;
mod terminal;
