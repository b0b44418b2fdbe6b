// Memory manager that frees an object's memory when no other linked object can reach it.

#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"

#include <memory>

namespace llvm_orc {

// Wraps a memory manager. An object that was removed keeps its memory as long as an object that was
// linked to it, directly or by others, has not been removed.
std::unique_ptr<llvm::jitlink::JITLinkMemoryManager>
shareMemory(std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> Inner);

// While it exists, what this thread removes keeps its memory, too.
class KeepRemoved {
public:
  KeepRemoved();
  ~KeepRemoved();
  // The memory that was kept, for `freeKept`. Null if there is none.
  void *take();
};

void freeKept(void *Kept);

} // namespace llvm_orc
