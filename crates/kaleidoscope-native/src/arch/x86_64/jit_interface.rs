//! The symbols of GDB's JIT interface, which debuggers look for by name.
//!
//! They are weak: LLVM defines the first two as well, and a program has one of each. The lock is
//! not part of GDB's interface. The crate `llvm-orc` uses the same one, so that both can be in a
//! program.

use std::arch::global_asm;

global_asm!(
    ".pushsection .text.__jit_debug_register_code, \"ax\", @progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code, @function",
    "__jit_debug_register_code:",
    "ret",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor, \"aw\", @progbits",
    ".p2align 3",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor, @object",
    ".size __jit_debug_descriptor, 24",
    "__jit_debug_descriptor:",
    // Version 1, no action, no entries.
    ".long 1",
    ".long 0",
    ".quad 0",
    ".quad 0",
    ".popsection",
    ".pushsection .bss.jit_debug_list_lock, \"aw\", @nobits",
    ".p2align 2",
    ".weak jit_debug_list_lock",
    ".type jit_debug_list_lock, @object",
    ".size jit_debug_list_lock, 4",
    "jit_debug_list_lock:",
    ".zero 4",
    ".popsection",
);
