// An LLJIT without what LLVM's C API cannot leave out.
//
// LLVMOrcCreateLLJIT makes a target machine for the data layout and another for compiling IR, each some hundred
// microseconds, and sets up a platform with the process's symbols. Here the layout comes from the triple, the machine
// for IR is made when IR is compiled (one for each module, so that threads do not share it), and no dylib, not even
// the main one, sees a symbol of the process. The memory for code is our own, unless LLVM's is asked for.

#include "slab_memory.h"

#include "llvm-c/Error.h"
#include "llvm-c/LLJIT.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/ExecutionEngine/Orc/EHFrameRegistrationPlugin.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/Support/CBindingWrapping.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>

using namespace llvm;
using namespace llvm::orc;

namespace {

Expected<std::unique_ptr<ObjectLayer>> withFrames(ExecutionSession &Session,
                                                  std::unique_ptr<ObjectLinkingLayer> Layer) {
  // Unwinding through code that has frames for it works as with the C API's LLJIT.
  auto Frames = EHFrameRegistrationPlugin::Create(Session);
  if (!Frames)
    return Frames.takeError();
  Layer->addPlugin(std::move(*Frames));
  return Layer;
}

// Where what is linked will lie.
void linkInto(LLJITBuilder &Builder, bool InSlabs) {
#if LLVM_VERSION_MAJOR < 23
  Builder.setObjectLinkingLayerCreator([InSlabs](ExecutionSession &Session) {
    auto Memory = InSlabs ? llvm_orc::createSlabMemory() : nullptr;
    return withFrames(Session, Memory ? std::make_unique<ObjectLinkingLayer>(Session, std::move(Memory))
                                      : std::make_unique<ObjectLinkingLayer>(Session));
  });
#else // The memory belongs to the LLJIT, and its layer borrows it.
  using jitlink::JITLinkMemoryManager;
  Builder.setMemoryManagerCreator(
      [InSlabs](ExecutionSession &) -> Expected<std::unique_ptr<JITLinkMemoryManager>> {
        if (auto Memory = InSlabs ? llvm_orc::createSlabMemory() : nullptr)
          return Memory;
        return jitlink::InProcessMemoryManager::Create();
      });
  Builder.setObjectLinkingLayerCreator([](ExecutionSession &Session, JITLinkMemoryManager &Memory) {
    return withFrames(Session, std::make_unique<ObjectLinkingLayer>(Session, Memory));
  });
#endif
}

} // namespace

extern "C" LLVMErrorRef llvm_orc_create_lljit(const char *TripleText, const char *CPU, const char *Features,
                                              bool InSlabs, LLVMOrcLLJITRef *Result) {
  Triple Target(TripleText);
  JITTargetMachineBuilder Machine(Target);
  Machine.setCPU(CPU);
  Machine.addFeatures(SubtargetFeatures(Features).getFeatures());
  Machine.setRelocationModel(Reloc::PIC_);
  Machine.setCodeModel(CodeModel::Small);
  LLJITBuilder Builder;
  linkInto(Builder, InSlabs);
  auto Made =
      Builder.setJITTargetMachineBuilder(std::move(Machine))
          .setDataLayout(DataLayout(Target.computeDataLayout()))
          .setLinkProcessSymbolsByDefault(false)
          .setCompileFunctionCreator(
              [](JITTargetMachineBuilder Machine) -> Expected<std::unique_ptr<IRCompileLayer::IRCompiler>> {
                return std::make_unique<ConcurrentIRCompiler>(std::move(Machine));
              })
          .setPlatformSetUp(setUpInactivePlatform)
          .create();
  if (!Made)
    return wrap(Made.takeError());
  *Result = reinterpret_cast<LLVMOrcLLJITRef>(Made->release());
  return LLVMErrorSuccess;
}

// Defines what the unit defines, for the tracker to own; LLVM's C API knows only the default tracker.
extern "C" LLVMErrorRef llvm_orc_define(LLVMOrcResourceTrackerRef Tracker, LLVMOrcMaterializationUnitRef Unit) {
  ResourceTrackerSP Owner(reinterpret_cast<ResourceTracker *>(Tracker));
  std::unique_ptr<MaterializationUnit> Defines(reinterpret_cast<MaterializationUnit *>(Unit));
  return wrap(Owner->getJITDylib().define(std::move(Defines), Owner));
}

// Where objects of the dylib look for what they refer to: in itself, then in these, in order. LLVM's C API has no such function.
extern "C" void llvm_orc_set_link_order(LLVMOrcJITDylibRef Dylib, const LLVMOrcJITDylibRef *Others, size_t Count) {
  JITDylibSearchOrder Order;
  for (size_t Index = 0; Index < Count; ++Index)
    Order.emplace_back(reinterpret_cast<JITDylib *>(Others[Index]), JITDylibLookupFlags::MatchExportedSymbolsOnly);
  reinterpret_cast<JITDylib *>(Dylib)->setLinkOrder(std::move(Order), /*LinkAgainstThisJITDylibFirst=*/true);
}

// Takes the dylib from its session with all that is defined in it. The dylib itself stays until it is released: others may have
// it in their link orders, and handles may be left.
extern "C" LLVMErrorRef llvm_orc_remove_dylib(LLVMOrcJITDylibRef Dylib) {
  auto *Removed = reinterpret_cast<JITDylib *>(Dylib);
  Removed->Retain();
  return wrap(Removed->getExecutionSession().removeJITDylib(*Removed));
}

extern "C" void llvm_orc_release_dylib(LLVMOrcJITDylibRef Dylib) {
  reinterpret_cast<JITDylib *>(Dylib)->Release();
}
