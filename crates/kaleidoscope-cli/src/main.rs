//! The command `kaleidoscope`.

fn main() {}
