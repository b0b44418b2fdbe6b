//! Kaleidoscope functions as LLVM modules.
