// The links that are running: which symbols each of them defines, and which it waits for.
//
// A link waits for the external symbols of its object. LLVM does not tell, so without this list a
// look-up that waits for itself by way of links could not be found.

#include "running_links.h"

#include "llvm-c/Orc.h"

#include <mutex>

using namespace llvm;
using namespace llvm::orc;

namespace llvm_orc {

namespace {

// Never destroyed: links may run while the process ends.
struct List {
  std::mutex Lock;
  std::list<RunningLink> Links;
};

List &list() {
  static List *Created = new List;
  return *Created;
}

} // namespace

LinkEntry::LinkEntry(const jitlink::JITLinkDylib *Dylib, jitlink::LinkGraph &Graph) {
  RunningLink Link;
  Link.Dylib = const_cast<JITDylib *>(static_cast<const JITDylib *>(Dylib));
  for (jitlink::Symbol *Symbol : Graph.defined_symbols())
    if (Symbol->hasName() && Symbol->getScope() != jitlink::Scope::Local)
      Link.Defined.push_back(Symbol->getName());
  for (jitlink::Symbol *Symbol : Graph.external_symbols())
    if (Symbol->hasName())
      Link.External.push_back(Symbol->getName());
  std::lock_guard<std::mutex> Guard(list().Lock);
  Place = list().Links.insert(list().Links.end(), std::move(Link));
}

LinkEntry::~LinkEntry() {
  std::lock_guard<std::mutex> Guard(list().Lock);
  list().Links.erase(Place);
}

} // namespace llvm_orc

// Passes what the links that define a symbol wait for, with each dylib in which it may be found.
extern "C" void llvm_orc_links_wait_for(LLVMOrcJITDylibRef Dylib, const char *Name, size_t Length,
                                        void (*Receive)(void *, LLVMOrcJITDylibRef, const char *, size_t),
                                        void *Context) {
  auto *Wanted = reinterpret_cast<JITDylib *>(Dylib);
  StringRef Text(Name, Length);
  std::vector<SymbolStringPtr> External;
  {
    std::lock_guard<std::mutex> Guard(llvm_orc::list().Lock);
    for (const llvm_orc::RunningLink &Link : llvm_orc::list().Links) {
      if (Link.Dylib != Wanted)
        continue;
      for (const SymbolStringPtr &Defined : Link.Defined)
        if (*Defined == Text)
          External.insert(External.end(), Link.External.begin(), Link.External.end());
    }
  }
  if (External.empty())
    return;
  std::vector<JITDylib *> Order;
  Wanted->withLinkOrderDo([&](const JITDylibSearchOrder &Found) {
    for (const auto &Element : Found)
      Order.push_back(Element.first);
  });
  for (const SymbolStringPtr &Symbol : External)
    for (JITDylib *Searched : Order)
      Receive(Context, reinterpret_cast<LLVMOrcJITDylibRef>(Searched), (*Symbol).data(), (*Symbol).size());
}
