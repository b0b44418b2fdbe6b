// The end of the process, and its forking, while LLVM works on another thread, see process_exit.h.
//
// `exit` destroys C++ statics and leaves the other threads running: LLVM would work on with tables
// that are freed. Three measures keep its statics alive:
//
// 1. The first work registers an exit handler, which waits until all work is done and lets no more
//    begin. Exit handlers run in reverse order of registration, so this one runs before the
//    destructors of LLVM's global variables, which are registered when the program is loaded.
// 2. Where the first work begins while the process is ending, that handler comes too late: some
//    statics are destroyed already. So each destructor that was registered before it does the same
//    as the handler, before it destroys anything.
// 3. Statics inside functions are created when the function first runs, which is later. Their
//    destructors are not registered at all if LLVM creates them during work: they would free
//    memory of a process that is ending.
//
// `fork` copies the memory and one thread. Locks of LLVM that another thread held would never be
// released in the child, and tables that it was changing would stay half changed. So `fork` waits,
// too, and no work begins until the process is forked. The child starts with a gate of its own. The
// handlers of `fork` are registered when the program is loaded: another thread may fork while the
// first work begins.

#include "process_exit.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <mutex>

namespace {

// How long `exit` and `fork` wait. Only code that takes as long to compile takes as long, or work
// that waits for the thread that exits or forks. Then the process does so as it would without this
// file.
constexpr std::chrono::seconds LongestWait(10);

// The work of this thread: work may begin inside work.
thread_local unsigned Depth = 0;

struct Gate {
  std::mutex Lock;
  std::condition_variable Changed;
  // Threads that work.
  unsigned NumThreads = 0;
  // Threads that fork.
  unsigned NumForks = 0;
  bool IsClosed = false;

  // Waits until the other threads work no more, or for long enough.
  void waitForOthers(std::unique_lock<std::mutex> &Held) {
    const unsigned Own = Depth > 0 ? 1 : 0;
    Changed.wait_for(Held, LongestWait, [&] { return NumThreads <= Own; });
  }
};

// Never destroyed. A forked child replaces it: it has none of the threads that work in the parent,
// and the lock is held there.
std::atomic<Gate *> Current{new Gate};

Gate &gate() { return *Current.load(std::memory_order_acquire); }

// Whether the exit handler is registered.
std::atomic<bool> HasExitHandler{false};

void closeGate() {
  Gate &G = gate();
  std::unique_lock<std::mutex> Held(G.Lock);
  if (G.IsClosed)
    return;
  G.IsClosed = true;
  G.waitForOthers(Held);
}

// A destructor that was registered before the exit handler.
struct EarlyDestructor {
  void (*Destroy)(void *);
  void *Object;
};

// Room for those of LLVM's global variables: some thousand. Memory without content costs nothing
// until it is used. These two are used before any constructor of this file runs.
EarlyDestructor EarlyDestructors[8192];
std::atomic<std::size_t> NumEarlyDestructors{0};

void closeAndDestroy(void *Early) {
  closeGate();
  auto *Destructor = static_cast<EarlyDestructor *>(Early);
  Destructor->Destroy(Destructor->Object);
}

// The lock stays held until the process is forked.
void beforeFork() {
  Gate &G = gate();
  std::unique_lock<std::mutex> Held(G.Lock);
  ++G.NumForks;
  G.waitForOthers(Held);
  Held.release();
}

void inParent() {
  Gate &G = gate();
  --G.NumForks;
  G.Lock.unlock();
  G.Changed.notify_all();
}

void inChild() {
  Gate *Own = new Gate;
  Own->NumThreads = Depth > 0 ? 1 : 0;
  Current.store(Own, std::memory_order_release);
}

[[maybe_unused]] const int Registered = pthread_atfork(beforeFork, inParent, inChild);

} // namespace

bool llvm_orc_begin_work() {
  if (Depth == 0) {
    Gate &G = gate();
    std::unique_lock<std::mutex> Held(G.Lock);
    G.Changed.wait(Held, [&] { return G.NumForks == 0; });
    if (G.IsClosed)
      return false;
    if (!HasExitHandler.load(std::memory_order_relaxed))
      HasExitHandler.store(std::atexit(closeGate) == 0, std::memory_order_relaxed);
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
  if (!Found)
    return -1;
  if (!HasExitHandler.load(std::memory_order_relaxed)) {
    const std::size_t Index = NumEarlyDestructors.fetch_add(1, std::memory_order_relaxed);
    if (Index < std::size(EarlyDestructors)) {
      EarlyDestructors[Index] = {Destroy, Object};
      return Found(closeAndDestroy, &EarlyDestructors[Index], Library);
    }
  }
  return Found(Destroy, Object, Library);
}
