// The links that are running: which symbols each of them defines, and which it waits for.

#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/Core.h"

#include <list>
#include <vector>

namespace llvm_orc {

struct RunningLink {
  llvm::orc::JITDylib *Dylib;
  std::vector<llvm::orc::SymbolStringPtr> Defined;
  std::vector<llvm::orc::SymbolStringPtr> External;
};

// A link that is in the list while this object exists.
class LinkEntry {
  std::list<RunningLink>::iterator Place;

public:
  LinkEntry(const llvm::jitlink::JITLinkDylib *Dylib, llvm::jitlink::LinkGraph &Graph);
  ~LinkEntry();
  LinkEntry(const LinkEntry &) = delete;
  LinkEntry &operator=(const LinkEntry &) = delete;
};

} // namespace llvm_orc
