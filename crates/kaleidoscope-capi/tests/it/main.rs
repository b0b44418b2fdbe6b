//! The library as C and C++ see it: programs are compiled by the system's compilers, linked with it in both forms, and run.

#![allow(clippy::unwrap_used)] // the tests' own helpers are tests, too

mod library;
mod programs;
mod readme;
