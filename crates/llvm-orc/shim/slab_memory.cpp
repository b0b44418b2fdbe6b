// JITLink memory manager that links objects into slabs. LLVM's own maps separate pages per object.
//
// Code and constants are laid out in a temporary buffer, which is written to the slab when the
// object is linked. Variables are laid out in the slab itself. The steps follow LLVM's
// InProcessMemoryManager.

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

// Linked object. JITLink's handle is its address.
struct FinalizedObject {
  std::vector<Block> Blocks;
  std::vector<shared::WrapperFunctionCall> DeallocActions;
};

Expected<BlockKind> kindOf(MemProt Protection) {
  bool Writes = (Protection & MemProt::Write) != MemProt::None;
  bool Executes = (Protection & MemProt::Exec) != MemProt::None;
  if (Writes && Executes)
    return createStringError(inconvertibleErrorCode(), "object has a section both writable and executable");
  return Executes ? Code : Writes ? Variables : Constants;
}

// Segment of an object that is being linked.
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
    for (const Segment &Seg : Segments)
      if (Seg.Lifetime == Lifetime)
        Found.push_back(Seg.Place);
    return Found;
  }

  void freeBlocks() {
    Memory.free(blocks(MemLifetime::Standard));
    Memory.free(blocks(MemLifetime::Finalize));
  }

  Error write() const {
    for (const Segment &Seg : Segments) {
      if (!Seg.Buffer)
        continue;
      if (Error Failed = Seg.Place.Owner->write(Seg.Place.Address, Seg.Buffer.get(), Seg.Place.Length))
        return Failed;
      if (Seg.Place.Kind == Code)
        sys::Memory::InvalidateInstructionCache(reinterpret_cast<void *>(Seg.Place.Address), Seg.Place.Length);
    }
    return Error::success();
  }

public:
  InFlight(Slabs &Memory, LinkGraph &Graph, std::vector<Segment> Segments)
      : Memory(Memory), Graph(Graph), Segments(std::move(Segments)) {}

  void finalize(OnFinalizedFunction OnFinalized) override {
    if (Error Failed = write()) {
      freeBlocks();
      return OnFinalized(std::move(Failed));
    }
    auto DeallocActions = shared::runFinalizeActions(Graph.allocActions());
    if (!DeallocActions) {
      freeBlocks();
      return OnFinalized(DeallocActions.takeError());
    }
    Memory.free(blocks(MemLifetime::Finalize));
    auto *Done = new FinalizedObject{blocks(MemLifetime::Standard), std::move(*DeallocActions)};
    OnFinalized(JITLinkMemoryManager::FinalizedAlloc(ExecutorAddr::fromPtr(Done)));
  }

  void abandon(OnAbandonedFunction OnAbandoned) override {
    freeBlocks();
    OnAbandoned(Error::success());
  }
};

class SlabMemory : public JITLinkMemoryManager {
  Slabs Memory;

  Expected<std::unique_ptr<InFlightAlloc>> layOut(LinkGraph &Graph) {
    BasicLayout Layout(Graph);
    std::vector<BlockRequest> Requests;
    for (auto &[Group, Part] : Layout.segments()) {
      auto Kind = kindOf(Group.getMemProt());
      if (!Kind)
        return Kind.takeError();
      Requests.push_back({*Kind, Part.ContentSize + Part.ZeroFillSize, Part.Alignment.value()});
    }
    auto Places = Memory.allocate(Requests);
    if (!Places)
      return Places.takeError();
    std::vector<Segment> Segments;
    auto Place = Places->begin();
    for (auto &[Group, Part] : Layout.segments()) {
      Segment Seg{*Place++, Group.getMemLifetime(), nullptr};
      if (Seg.Place.Kind == Variables) {
        Part.WorkingMem = reinterpret_cast<char *>(Seg.Place.Address);
      } else {
        Seg.Buffer = std::make_unique<char[]>(std::max<uint64_t>(Seg.Place.Length, 1));
        Part.WorkingMem = Seg.Buffer.get();
      }
      Part.Addr = ExecutorAddr(Seg.Place.Address);
      Segments.push_back(std::move(Seg));
    }
    if (Error Failed = Layout.apply()) {
      Memory.free(*Places);
      return Failed;
    }
    return std::make_unique<InFlight>(Memory, Graph, std::move(Segments));
  }

public:
  using JITLinkMemoryManager::allocate;
  using JITLinkMemoryManager::deallocate;

  void allocate(const JITLinkDylib *, LinkGraph &Graph, OnAllocatedFunction OnAllocated) override {
    OnAllocated(layOut(Graph));
  }

  void deallocate(std::vector<FinalizedAlloc> Allocs, OnDeallocatedFunction OnDeallocated) override {
    Error Failed = Error::success();
    for (FinalizedAlloc &Alloc : reverse(Allocs)) {
      std::unique_ptr<FinalizedObject> Done(Alloc.release().toPtr<FinalizedObject *>());
      Failed = joinErrors(std::move(Failed), shared::runDeallocActions(Done->DeallocActions));
      Memory.free(Done->Blocks);
    }
    OnDeallocated(std::move(Failed));
  }
};

} // namespace

std::unique_ptr<JITLinkMemoryManager> createSlabMemory() {
  static const bool Supported = slabsAreSupported();
  return Supported ? std::make_unique<SlabMemory>() : nullptr;
}

} // namespace llvm_orc

#else // Anonymous files exist on Linux only.

std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> llvm_orc::createSlabMemory() { return nullptr; }

#endif
