//! Tests in C and C++: the system's compilers compile programs, link both forms of the library,
//! and the tests run them.

#![allow(clippy::unwrap_used)] // the tests' own helpers are tests, too

mod installed;
mod library;
mod programs;
mod readme;
