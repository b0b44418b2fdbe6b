//! How fast does compiled code run?
//!
//! Our command in lazy mode at -O2 beside the chapter 7 program of LLVM's tutorial, on the same programs, whole processes,
//! turn and turn about.

use kaleidoscope_benches::peer;

fn main() {
    peer::beside_chapter7("peak", &["fib", "mandelbrot"], &["run", "--jit", "lazy", "-O2"], 9);
}
