// JITLink memory manager that links objects into slabs.

#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"

#include <memory>

namespace llvm_orc {

// Returns null if the system does not support slabs.
std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> createSlabMemory();

} // namespace llvm_orc
