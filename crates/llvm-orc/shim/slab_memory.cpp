// JITLink's memory in slabs: many objects side by side, where LLVM's own memory manager maps pages for each.
//
// An object is laid out in a buffer of ours, for code and constants, and in place, for variables; when it has been
// linked the buffer is written to the slab. LLVM's InProcessMemoryManager is the model of the steps.

#include "slab_memory.h"

#ifdef __linux__

#include "slab.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/Shared/AllocationActions.h"
#include "llvm/Support/Memory.h"

#include <algorithm>

using namespace llvm;
using namespace llvm::jitlink;
using namespace llvm::orc;

namespace llvm_orc {

namespace {

// What is linked and in its place. Its address is the handle that JITLink keeps.
struct Finished {
  std::vector<Block> Blocks;
  std::vector<shared::WrapperFunctionCall> DeallocActions;
};

Expected<Use> useOf(MemProt Protection) {
  bool Writes = (Protection & MemProt::Write) != MemProt::None;
  bool Executes = (Protection & MemProt::Exec) != MemProt::None;
  if (Writes && Executes)
    return createStringError(inconvertibleErrorCode(), "object has a section both writable and executable");
  return Executes ? Code : Writes ? Variables : Constants;
}

// A segment of an object that is being linked.
struct Segment {
  Block Place;
  MemLifetime Lifetime;
  std::unique_ptr<char[]> Buffer; // null for variables
};

class InFlight : public JITLinkMemoryManager::InFlightAlloc {
  Slabs &Memory;
  LinkGraph &Graph;
  std::vector<Segment> Segments;

  std::vector<Block> blocks(MemLifetime Lifetime) const {
    std::vector<Block> Found;
    for (const Segment &One : Segments)
      if (One.Lifetime == Lifetime)
        Found.push_back(One.Place);
    return Found;
  }

  void giveBack() {
    Memory.put(blocks(MemLifetime::Standard));
    Memory.put(blocks(MemLifetime::Finalize));
  }

  Error write() const {
    for (const Segment &One : Segments) {
      if (!One.Buffer)
        continue;
      if (Error Failed = One.Place.In->write(One.Place.Address, One.Buffer.get(), One.Place.Length))
        return Failed;
      if (One.Place.For == Code)
        sys::Memory::InvalidateInstructionCache(reinterpret_cast<void *>(One.Place.Address), One.Place.Length);
    }
    return Error::success();
  }

public:
  InFlight(Slabs &Memory, LinkGraph &Graph, std::vector<Segment> Segments)
      : Memory(Memory), Graph(Graph), Segments(std::move(Segments)) {}

  void finalize(OnFinalizedFunction OnFinalized) override {
    if (Error Failed = write()) {
      giveBack();
      return OnFinalized(std::move(Failed));
    }
    auto DeallocActions = shared::runFinalizeActions(Graph.allocActions());
    if (!DeallocActions) {
      giveBack();
      return OnFinalized(DeallocActions.takeError());
    }
    Memory.put(blocks(MemLifetime::Finalize));
    auto *Done = new Finished{blocks(MemLifetime::Standard), std::move(*DeallocActions)};
    OnFinalized(JITLinkMemoryManager::FinalizedAlloc(ExecutorAddr::fromPtr(Done)));
  }

  void abandon(OnAbandonedFunction OnAbandoned) override {
    giveBack();
    OnAbandoned(Error::success());
  }
};

class SlabMemory : public JITLinkMemoryManager {
  Slabs Memory;

  Expected<std::unique_ptr<InFlightAlloc>> lay(LinkGraph &Graph) {
    BasicLayout Layout(Graph);
    std::vector<Wanted> Asked;
    for (auto &[Group, Part] : Layout.segments()) {
      auto For = useOf(Group.getMemProt());
      if (!For)
        return For.takeError();
      Asked.push_back({*For, Part.ContentSize + Part.ZeroFillSize, Part.Alignment.value()});
    }
    auto Places = Memory.take(Asked);
    if (!Places)
      return Places.takeError();
    std::vector<Segment> Segments;
    auto Place = Places->begin();
    for (auto &[Group, Part] : Layout.segments()) {
      Segment One{*Place++, Group.getMemLifetime(), nullptr};
      if (One.Place.For == Variables) {
        Part.WorkingMem = reinterpret_cast<char *>(One.Place.Address);
      } else {
        One.Buffer = std::make_unique<char[]>(std::max<uint64_t>(One.Place.Length, 1));
        Part.WorkingMem = One.Buffer.get();
      }
      Part.Addr = ExecutorAddr(One.Place.Address);
      Segments.push_back(std::move(One));
    }
    if (Error Failed = Layout.apply()) {
      Memory.put(*Places);
      return Failed;
    }
    return std::make_unique<InFlight>(Memory, Graph, std::move(Segments));
  }

public:
  using JITLinkMemoryManager::allocate;
  using JITLinkMemoryManager::deallocate;

  void allocate(const JITLinkDylib *, LinkGraph &Graph, OnAllocatedFunction OnAllocated) override {
    OnAllocated(lay(Graph));
  }

  void deallocate(std::vector<FinalizedAlloc> Allocs, OnDeallocatedFunction OnDeallocated) override {
    Error Failed = Error::success();
    for (FinalizedAlloc &Alloc : reverse(Allocs)) {
      std::unique_ptr<Finished> Done(Alloc.release().toPtr<Finished *>());
      Failed = joinErrors(std::move(Failed), shared::runDeallocActions(Done->DeallocActions));
      Memory.put(Done->Blocks);
    }
    OnDeallocated(std::move(Failed));
  }
};

} // namespace

std::unique_ptr<JITLinkMemoryManager> createSlabMemory() {
  static const bool Possible = slabsCanBeMade();
  return Possible ? std::make_unique<SlabMemory>() : nullptr;
}

} // namespace llvm_orc

#else // Files without a name are Linux's.

std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> llvm_orc::createSlabMemory() { return nullptr; }

#endif
