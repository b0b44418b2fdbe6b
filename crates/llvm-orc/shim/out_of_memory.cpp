// Memory that is missing inside LLVM ends the process with one sentence.
//
// LLVM cannot return an error then: it is built without exceptions, so nothing undoes what it was
// doing. It has two ways to learn of missing memory:
//
// 1. `malloc` returns null. LLVM calls its handler of failed allocations.
// 2. `operator new` fails. It calls the new-handler, and throws an exception if there is none.
//    Nothing between here and Rust catches the exception, and Rust must not be unwound by it.
//
// So both handlers are installed. A C++ runtime that is shared with the program also serves other
// C++ code, which may catch the exception. There, the new-handler ends the process only on threads
// that are inside LLVM.
//
// The process ends by `abort`, and `errno` is ENOMEM: a handler of SIGABRT can tell.

#include "out_of_memory.h"

#include "llvm/Support/ErrorHandling.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>

namespace {

// What runs from here on must not allocate.
[[noreturn]] void endProcess() {
  static constexpr char Sentence[] = "error: out of memory in LLVM, which cannot continue\n";
  ssize_t NumWritten = write(STDERR_FILENO, Sentence, sizeof(Sentence) - 1);
  (void)NumWritten;
  errno = ENOMEM;
  std::abort();
}

void onFailedMalloc(void *, const char *, bool) { endProcess(); }

#ifdef LLVM_ORC_STATIC_RUNTIME

// Before the constructors of LLVM's own statics, which allocate: they run when a shared object with
// LLVM is loaded.
__attribute__((constructor(101))) void install() {
  llvm::install_bad_alloc_error_handler(onFailedMalloc);
  std::set_new_handler(endProcess);
}

#else

// The calls into LLVM that this thread is in.
thread_local unsigned NumEntered = 0;

// The new-handler of the program.
std::new_handler Previous = nullptr;

void onFailedNew() {
  if (NumEntered > 0)
    endProcess();
  if (Previous)
    return Previous();
  std::__throw_bad_alloc();
}

bool install() {
  llvm::install_bad_alloc_error_handler(onFailedMalloc);
  Previous = std::set_new_handler(onFailedNew);
  return true;
}

#endif

} // namespace

#ifdef LLVM_ORC_STATIC_RUNTIME

// Every thread counts as being inside.
void llvm_orc_enter() {}
void llvm_orc_leave() {}

#else

void llvm_orc_enter() {
  static const bool Installed = install();
  (void)Installed;
  ++NumEntered;
}

void llvm_orc_leave() { --NumEntered; }

#endif
