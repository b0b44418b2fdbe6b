// Memory that is missing inside LLVM.

#pragma once

extern "C" {

// This thread is inside LLVM from here until `llvm_orc_leave`: where memory is missing, the process
// ends. May be nested.
void llvm_orc_enter();

void llvm_orc_leave();

} // extern "C"
