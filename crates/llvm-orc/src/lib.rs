//! Safe LLVM ORC v2 for any Rust program.
