//! How fast does compiled code run?
//!
//! Compares our command in lazy mode at -O2 with the chapter 7 program of LLVM's tutorial, on the
//! same programs, as whole processes that alternate.

use kaleidoscope_benches::chapter7::compare_with_chapter7;

fn main() {
    compare_with_chapter7("peak", &["fib", "mandelbrot"], &["run", "--jit", "lazy", "-O2"], 9);
}
