//! The command as scripts see it: streams, exit codes, options, bad input.

mod command;

mod diagnostics;
mod emit;
mod input;
mod output;
mod statistics;
