// Shows each linked object to the program, with its tracker and the addresses of its sections and
// functions.

#include "session_hooks.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <map>
#include <mutex>
#include <string>
#include <vector>

using namespace llvm;
using namespace llvm::orc;

namespace {

// An object that is being linked.
struct Observed {
  MemoryBufferRef Bytes;
  std::vector<std::string> Names;
  std::vector<llvm_orc::NamedRange> Sections;
  std::vector<llvm_orc::NamedRange> Functions;
};

class LinkObserver : public ObjectLinkingLayer::Plugin {
  llvm_orc::SessionHooks Hooks;
  std::mutex Lock;
  std::map<MaterializationResponsibility *, Observed> Links;

  static void describe(jitlink::LinkGraph &Graph, Observed &Object) {
    for (jitlink::Section &Part : Graph.sections()) {
      jitlink::SectionRange Range(Part);
      if (!Range.empty())
        Object.Sections.push_back(
            {Part.getName().data(), Part.getName().size(), Range.getStart().getValue(), Range.getSize()});
    }
    for (jitlink::Symbol *Defined : Graph.defined_symbols())
      if (Defined->hasName() && Defined->isCallable()) {
        StringRef Name = *Defined->getName();
        Object.Functions.push_back(
            {Name.data(), Name.size(), Defined->getAddress().getValue(), static_cast<uint64_t>(Defined->getSize())});
      }
    // The graph is gone when the object is shown.
    Object.Names.reserve(Object.Sections.size() + Object.Functions.size());
    for (auto *Ranges : {&Object.Sections, &Object.Functions})
      for (llvm_orc::NamedRange &Range : *Ranges) {
        Object.Names.emplace_back(Range.Name, Range.Length);
        Range.Name = Object.Names.back().data();
      }
  }

public:
  explicit LinkObserver(const llvm_orc::SessionHooks &Hooks) : Hooks(Hooks) {}

  void notifyMaterializing(MaterializationResponsibility &Linking, jitlink::LinkGraph &, jitlink::JITLinkContext &,
                           MemoryBufferRef Bytes) override {
    std::lock_guard<std::mutex> Guard(Lock);
    Links[&Linking].Bytes = Bytes;
  }

  void modifyPassConfig(MaterializationResponsibility &Linking, jitlink::LinkGraph &,
                        jitlink::PassConfiguration &Passes) override {
    Passes.PostFixupPasses.push_back([this, &Linking](jitlink::LinkGraph &Graph) -> Error {
      std::lock_guard<std::mutex> Guard(Lock);
      auto Found = Links.find(&Linking);
      if (Found != Links.end())
        describe(Graph, Found->second);
      return Error::success();
    });
  }

  Error notifyEmitted(MaterializationResponsibility &Linked) override {
    Observed Object;
    {
      std::lock_guard<std::mutex> Guard(Lock);
      auto Found = Links.find(&Linked);
      // Stubs have no object.
      if (Found == Links.end())
        return Error::success();
      Object = std::move(Found->second);
      Links.erase(Found);
    }
    uint64_t Tracker = 0;
    // The tracker was removed meanwhile: the link fails.
    if (Error Removed = Linked.withResourceKeyDo([&](ResourceKey Key) { Tracker = Key; }))
      return Removed;
    llvm_orc::LinkedObject Shown{Linked.getTargetJITDylib().getName().c_str(),
                                 Tracker,
                                 Object.Bytes.getBufferStart(),
                                 Object.Bytes.getBufferSize(),
                                 Object.Sections.data(),
                                 Object.Sections.size(),
                                 Object.Functions.data(),
                                 Object.Functions.size()};
    Hooks.Linked(Hooks.Context, &Shown);
    return Error::success();
  }

  Error notifyFailed(MaterializationResponsibility &Failed) override {
    std::lock_guard<std::mutex> Guard(Lock);
    Links.erase(&Failed);
    return Error::success();
  }

  Error notifyRemovingResources(JITDylib &, ResourceKey) override { return Error::success(); }
  void notifyTransferringResources(JITDylib &, ResourceKey, ResourceKey) override {}
};

} // namespace

std::unique_ptr<ObjectLinkingLayer::Plugin> llvm_orc::createLinkObserver(const SessionHooks &Hooks) {
  return std::make_unique<LinkObserver>(Hooks);
}
