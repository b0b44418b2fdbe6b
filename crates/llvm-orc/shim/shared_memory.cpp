// Memory manager that frees an object's memory when no other linked object can reach it.
//
// JITLink writes the addresses of other objects' symbols into an object. LLVM frees an object's
// memory when its tracker is removed, whoever refers to it, so a call of an object that is still
// there could run what was freed. Here, removed objects stay in memory while an object that is not
// removed refers to them, directly or through other removed objects.
//
// References are found by address: when an object is linked, each of its external symbols has an
// address, which belongs to an object or to the process. An object can be removed between that
// look-up and the end of the link. So removed objects also stay until all links that were running
// at their removal have ended.

#include "shared_memory.h"
#include "running_links.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

using namespace llvm;
using namespace llvm::jitlink;
using namespace llvm::orc;

namespace llvm_orc {

namespace {

class SharedMemory;

// A linked object. JITLink's handle is its address.
struct Linked {
  SharedMemory *Owner;
  JITLinkMemoryManager::FinalizedAlloc Memory;
  // The starts of its ranges of addresses that other objects may refer to.
  SmallVector<uint64_t, 1> Ranges;
  DenseSet<Linked *> Callees;
  DenseSet<Linked *> Callers;
  bool IsRemoved = false;
  // The number of the first link that began after the removal.
  uint64_t FirstLinkAfter = 0;
  // How many `KeepRemoved` keep it.
  unsigned Keepers = 0;
};

using Kept = std::vector<Linked *>;

thread_local Kept *KeptByThisThread = nullptr;

class SharedMemory : public JITLinkMemoryManager {
  std::unique_ptr<JITLinkMemoryManager> Inner;
  std::mutex Lock;
  // All objects that have addresses, by the start of each range, with its end.
  std::map<uint64_t, std::pair<uint64_t, Linked *>> ByAddress;
  std::set<Linked *> Removed;
  // Objects that were removed while links were running. Those that are freed may stay in this list.
  std::vector<Linked *> RemovedInLinks;
  uint64_t NextLink = 0;
  std::set<uint64_t> RunningLinks;

  using Allocs = std::vector<FinalizedAlloc>;

  bool isNeededItself(const Linked *Object) const {
    return !Object->IsRemoved || Object->Keepers > 0 ||
           (!RunningLinks.empty() && *RunningLinks.begin() < Object->FirstLinkAfter);
  }

  // If the object was removed and nothing needs it, frees it and its callers, and then callees that
  // they alone needed.
  void freeIfUnneeded(Linked *First, Allocs &Free) {
    std::vector<Linked *> ToCheck{First};
    while (!ToCheck.empty()) {
      Linked *Object = ToCheck.back();
      ToCheck.pop_back();
      if (!Removed.count(Object))
        continue;
      // Objects that call each other are needed or unneeded together.
      std::set<Linked *> Unneeded{Object};
      std::vector<Linked *> ToFollow{Object};
      bool IsNeeded = false;
      while (!ToFollow.empty() && !IsNeeded) {
        Linked *Next = ToFollow.back();
        ToFollow.pop_back();
        IsNeeded = isNeededItself(Next);
        for (Linked *Caller : Next->Callers)
          if (Unneeded.insert(Caller).second)
            ToFollow.push_back(Caller);
      }
      if (IsNeeded)
        continue;
      for (Linked *Each : Unneeded) {
        forget(*Each, ToCheck);
        Removed.erase(Each);
        Free.push_back(std::move(Each->Memory));
        delete Each;
      }
    }
  }

  // Removes the object's addresses and connections. Its callees are to be checked.
  void forget(Linked &Object, std::vector<Linked *> &ToCheck) {
    for (uint64_t Start : Object.Ranges)
      ByAddress.erase(Start);
    for (Linked *Callee : Object.Callees) {
      Callee->Callers.erase(&Object);
      ToCheck.push_back(Callee);
    }
    for (Linked *Caller : Object.Callers)
      Caller->Callees.erase(&Object);
  }

  // Frees what waited for the end of the oldest link.
  void freeAfterLink(Allocs &Free) {
    std::vector<Linked *> ToCheck = std::exchange(RemovedInLinks, {});
    for (Linked *Object : ToCheck) {
      if (!Removed.count(Object))
        continue;
      if (!RunningLinks.empty() && *RunningLinks.begin() < Object->FirstLinkAfter)
        RemovedInLinks.push_back(Object);
      else
        freeIfUnneeded(Object, Free);
    }
  }

  void free(Allocs Free, OnDeallocatedFunction Done) {
    if (Free.empty())
      return Done(Error::success());
    Inner->deallocate(std::move(Free), std::move(Done));
  }

public:
  explicit SharedMemory(std::unique_ptr<JITLinkMemoryManager> Inner) : Inner(std::move(Inner)) {}

  ~SharedMemory() override {
    Allocs Free;
    for (Linked *Object : Removed) {
      Free.push_back(std::move(Object->Memory));
      delete Object;
    }
    free(std::move(Free), [](Error Failed) { consumeError(std::move(Failed)); });
  }

  using JITLinkMemoryManager::allocate;
  using JITLinkMemoryManager::deallocate;

  void allocate(const JITLinkDylib *Dylib, LinkGraph &Graph, OnAllocatedFunction OnAllocated) override;

  void deallocate(Allocs Handles, OnDeallocatedFunction Done) override {
    Allocs Free;
    {
      std::lock_guard<std::mutex> Guard(Lock);
      std::vector<Linked *> Objects;
      for (FinalizedAlloc &Handle : Handles) {
        auto *Object = Handle.release().toPtr<Linked *>();
        Object->IsRemoved = true;
        Object->FirstLinkAfter = NextLink;
        Removed.insert(Object);
        Objects.push_back(Object);
        if (!RunningLinks.empty())
          RemovedInLinks.push_back(Object);
        if (KeptByThisThread) {
          ++Object->Keepers;
          KeptByThisThread->push_back(Object);
        }
      }
      for (Linked *Object : Objects)
        freeIfUnneeded(Object, Free);
    }
    free(std::move(Free), std::move(Done));
  }

  void releaseKept(ArrayRef<Linked *> Objects) {
    Allocs Free;
    {
      std::lock_guard<std::mutex> Guard(Lock);
      for (Linked *Object : Objects)
        --Object->Keepers;
      for (Linked *Object : Objects)
        freeIfUnneeded(Object, Free);
    }
    free(std::move(Free), [](Error Failed) { consumeError(std::move(Failed)); });
  }

  uint64_t beginLink() {
    std::lock_guard<std::mutex> Guard(Lock);
    RunningLinks.insert(NextLink);
    return NextLink++;
  }

  // Adds an object that has addresses. Other objects can refer to it before its link ends.
  std::unique_ptr<Linked> add(LinkGraph &Graph) {
    auto Object = std::make_unique<Linked>();
    Object->Owner = this;
    SmallPtrSet<Section *, 4> Parts;
    for (Symbol *Defined : Graph.defined_symbols())
      if (Defined->getScope() != Scope::Local)
        Parts.insert(&Defined->getSection());
    std::lock_guard<std::mutex> Guard(Lock);
    for (Section *Part : Parts) {
      SectionRange Range(*Part);
      if (Part->getMemLifetime() != MemLifetime::Standard || Range.empty())
        continue;
      Object->Ranges.push_back(Range.getStart().getValue());
      ByAddress[Range.getStart().getValue()] = {Range.getEnd().getValue(), Object.get()};
    }
    return Object;
  }

  // Connects an object, which is being linked, with the objects at these addresses.
  void connect(Linked &Object, ArrayRef<uint64_t> Addresses) {
    std::lock_guard<std::mutex> Guard(Lock);
    for (uint64_t Address : Addresses) {
      auto After = ByAddress.upper_bound(Address);
      if (After == ByAddress.begin())
        continue;
      auto [End, Callee] = std::prev(After)->second;
      if (Address >= End || Callee == &Object)
        continue;
      Object.Callees.insert(Callee);
      Callee->Callers.insert(&Object);
    }
  }

  // Ends a link. `Failed` is the object that was not linked, if it had addresses.
  void endLink(uint64_t Number, std::unique_ptr<Linked> Failed = nullptr) {
    Allocs Free;
    {
      std::lock_guard<std::mutex> Guard(Lock);
      bool IsOldest = *RunningLinks.begin() == Number;
      RunningLinks.erase(Number);
      if (Failed) {
        std::vector<Linked *> Callees;
        forget(*Failed, Callees);
        for (Linked *Callee : Callees)
          freeIfUnneeded(Callee, Free);
      }
      if (IsOldest)
        freeAfterLink(Free);
    }
    free(std::move(Free), [](Error Failed) { consumeError(std::move(Failed)); });
  }
};

// An object that is being linked.
class InFlight : public JITLinkMemoryManager::InFlightAlloc {
  SharedMemory &Memory;
  LinkGraph &Graph;
  std::unique_ptr<InFlightAlloc> Inner;
  std::unique_ptr<Linked> Object;
  LinkEntry Entry;
  uint64_t Number;

public:
  InFlight(SharedMemory &Memory, const JITLinkDylib *Dylib, LinkGraph &Graph, std::unique_ptr<InFlightAlloc> Inner,
           uint64_t Number)
      : Memory(Memory), Graph(Graph), Inner(std::move(Inner)), Object(Memory.add(Graph)), Entry(Dylib, Graph),
        Number(Number) {}

  void finalize(OnFinalizedFunction OnFinalized) override {
    SmallVector<uint64_t, 8> Addresses;
    for (Symbol *External : Graph.external_symbols())
      Addresses.push_back(External->getAddress().getValue());
    Memory.connect(*Object, Addresses);
    Inner->finalize([&Memory = Memory, Number = Number, Object = std::move(Object),
                     OnFinalized = std::move(OnFinalized)](Expected<JITLinkMemoryManager::FinalizedAlloc> Result) mutable {
      if (!Result) {
        Memory.endLink(Number, std::move(Object));
        return OnFinalized(Result.takeError());
      }
      Object->Memory = std::move(*Result);
      Memory.endLink(Number);
      OnFinalized(JITLinkMemoryManager::FinalizedAlloc(ExecutorAddr::fromPtr(Object.release())));
    });
  }

  void abandon(OnAbandonedFunction OnAbandoned) override {
    Memory.endLink(Number, std::move(Object));
    Inner->abandon(std::move(OnAbandoned));
  }
};

void SharedMemory::allocate(const JITLinkDylib *Dylib, LinkGraph &Graph, OnAllocatedFunction OnAllocated) {
  uint64_t Number = beginLink();
  Inner->allocate(Dylib, Graph,
                  [this, Dylib, &Graph, Number, OnAllocated = std::move(OnAllocated)](AllocResult Result) mutable {
                    if (!Result) {
                      endLink(Number);
                      return OnAllocated(Result.takeError());
                    }
                    OnAllocated(std::make_unique<InFlight>(*this, Dylib, Graph, std::move(*Result), Number));
                  });
}

} // namespace

std::unique_ptr<JITLinkMemoryManager> shareMemory(std::unique_ptr<JITLinkMemoryManager> Inner) {
  return std::make_unique<SharedMemory>(std::move(Inner));
}

KeepRemoved::KeepRemoved() { KeptByThisThread = new Kept; }

KeepRemoved::~KeepRemoved() {
  if (KeptByThisThread)
    freeKept(take());
}

void *KeepRemoved::take() {
  std::unique_ptr<Kept> Taken(std::exchange(KeptByThisThread, nullptr));
  return Taken->empty() ? nullptr : Taken.release();
}

void freeKept(void *Opaque) {
  std::unique_ptr<Kept> Objects(static_cast<Kept *>(Opaque));
  if (Objects)
    Objects->front()->Owner->releaseKept(*Objects);
}

} // namespace llvm_orc

extern "C" void llvm_orc_free_kept(void *Kept) { llvm_orc::freeKept(Kept); }
