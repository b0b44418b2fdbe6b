// The end of the process while LLVM works on another thread, see process_exit.h.
//
// `exit` destroys C++ statics and leaves the other threads running: LLVM would work on with tables
// that are freed. Two measures keep its statics alive:
//
// 1. The first work registers an exit handler, which waits until all work is done and lets no more
//    begin. Exit handlers run in reverse order of registration, so this one runs before the
//    destructors of LLVM's global variables, which are registered when the program is loaded.
// 2. Statics inside functions are created when the function first runs, which is later. Their
//    destructors are not registered at all if LLVM creates them during work: they would free
//    memory of a process that is ending.

#include "process_exit.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

namespace {

// How long `exit` waits. Only code that takes as long to compile takes as long, or work that waits
// for the thread that exits. Then the process ends as it would without this file.
constexpr std::chrono::seconds LongestWait(10);

// The work of this thread: work may begin inside work.
thread_local unsigned Depth = 0;

struct Gate {
  std::mutex Lock;
  std::condition_variable Changed;
  // Threads that work.
  unsigned NumThreads = 0;
  bool IsClosed = false;
  // A forked child has none of the threads that worked when it was forked.
  pid_t Process = getpid();
};

// Never destroyed.
Gate &gate() {
  static Gate &Created = *new Gate;
  return Created;
}

void closeGate() {
  Gate &G = gate();
  if (G.Process != getpid())
    return;
  std::unique_lock<std::mutex> Held(G.Lock);
  G.IsClosed = true;
  const unsigned Own = Depth > 0 ? 1 : 0;
  G.Changed.wait_for(Held, LongestWait, [&] { return G.NumThreads <= Own; });
}

} // namespace

bool llvm_orc_begin_work() {
  if (Depth == 0) {
    static const int Registered = std::atexit(closeGate);
    (void)Registered;
    Gate &G = gate();
    std::lock_guard<std::mutex> Held(G.Lock);
    if (G.IsClosed)
      return false;
    ++G.NumThreads;
  }
  ++Depth;
  return true;
}

void llvm_orc_end_work() {
  if (--Depth > 0)
    return;
  Gate &G = gate();
  std::lock_guard<std::mutex> Held(G.Lock);
  --G.NumThreads;
  G.Changed.notify_all();
}

// The compiler calls this function to register the destructor of a static. It is defined here for
// the code that this file is linked to, and hidden from all other code. What is no work of LLVM
// reaches the C library.
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*Destroy)(void *), void *Object,
                                                                  void *Library) {
  using Register = int (*)(void (*)(void *), void *, void *);
  if (Depth > 0)
    return 0;
  static std::atomic<Register> OfLibrary{nullptr};
  Register Found = OfLibrary.load(std::memory_order_relaxed);
  if (!Found) {
    Found = reinterpret_cast<Register>(dlsym(RTLD_NEXT, "__cxa_atexit"));
    OfLibrary.store(Found, std::memory_order_relaxed);
  }
  return Found ? Found(Destroy, Object, Library) : -1;
}
