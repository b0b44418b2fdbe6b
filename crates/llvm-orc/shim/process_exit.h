// The end of the process, and its forking, while LLVM works on another thread.

#pragma once

extern "C" {

// LLVM works on this thread from here until `llvm_orc_end_work`. Work may begin inside work.
// Returns false if the process is ending: then there is no work, and LLVM must not be called.
bool llvm_orc_begin_work();

void llvm_orc_end_work();

} // extern "C"
