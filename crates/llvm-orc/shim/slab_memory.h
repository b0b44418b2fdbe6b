// JITLink's memory in slabs.

#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"

#include <memory>

namespace llvm_orc {

// Null where the system does not give such memory.
std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> createSlabMemory();

} // namespace llvm_orc
