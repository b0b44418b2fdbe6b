// Creates an LLJIT without parts that LLVM's C API cannot omit, and changes dylibs in ways that the
// C API cannot.
//
// LLVMOrcCreateLLJIT creates one target machine for the data layout and one to compile IR, which
// cost a few hundred microseconds each, and a platform with the process's symbols. This file
// computes the layout from the triple and creates a target machine for each IR module, so threads
// do not share one. No dylib sees a symbol of the process, not even the main dylib. Linked code
// goes to slabs, unless LLVM's memory manager is requested.

#include "failed_symbols.h"
#include "process_exit.h"
#include "session_hooks.h"
#include "shared_memory.h"
#include "slab_memory.h"

#include "llvm-c/Error.h"
#include "llvm-c/LLJIT.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringRef.h"
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

bool isOfConstructors(StringRef Section) {
  for (StringRef Prefix : {".init_array", ".preinit_array", ".ctors", ".fini_array", ".dtors", "__DATA,__mod_init_func",
                           "__DATA,__mod_term_func", ".CRT$X"})
    if (Section.starts_with(Prefix))
      return true;
  return false;
}

// Refuses objects with static constructors or destructors: a session without a platform would link
// them and never run them. Notes the symbols of each link that fails.
class LinkChecks : public ObjectLinkingLayer::Plugin {
public:
  void modifyPassConfig(MaterializationResponsibility &, jitlink::LinkGraph &,
                        jitlink::PassConfiguration &Passes) override {
    Passes.PrePrunePasses.push_back([](jitlink::LinkGraph &Graph) -> Error {
      for (jitlink::Section &Part : Graph.sections())
        if (isOfConstructors(Part.getName()) && !Part.empty())
          return createStringError("the object has static constructors or destructors (section " + Part.getName() +
                                   "), which no one would run");
      return Error::success();
    });
  }

  Error notifyFailed(MaterializationResponsibility &Failed) override {
    llvm_orc::noteFailedLink(Failed);
    return Error::success();
  }
  Error notifyRemovingResources(JITDylib &, ResourceKey) override { return Error::success(); }
  void notifyTransferringResources(JITDylib &, ResourceKey, ResourceKey) override {}
};

Expected<std::unique_ptr<ObjectLayer>> withPlugins(ExecutionSession &Session,
                                                   std::unique_ptr<ObjectLinkingLayer> Layer,
                                                   const llvm_orc::SessionHooks &Hooks) {
  // As in the C API's LLJIT: exceptions unwind through code that has unwind tables.
  auto Frames = EHFrameRegistrationPlugin::Create(Session);
  if (!Frames)
    return Frames.takeError();
  Layer->addPlugin(std::move(*Frames));
  Layer->addPlugin(std::make_unique<LinkChecks>());
  if (Hooks.Linked)
    Layer->addPlugin(llvm_orc::createLinkObserver(Hooks));
  return Layer;
}

// The memory of linked objects.
Expected<std::unique_ptr<jitlink::JITLinkMemoryManager>> createMemory(bool InSlabs) {
  std::unique_ptr<jitlink::JITLinkMemoryManager> Memory = InSlabs ? llvm_orc::createSlabMemory() : nullptr;
  if (!Memory) {
    auto Pages = jitlink::InProcessMemoryManager::Create();
    if (!Pages)
      return Pages.takeError();
    Memory = std::move(*Pages);
  }
  return llvm_orc::shareMemory(std::move(Memory));
}

// Sets the memory manager of linked objects.
void linkInto(LLJITBuilder &Builder, bool InSlabs, const llvm_orc::SessionHooks &Hooks) {
#if LLVM_VERSION_MAJOR < 23
  Builder.setObjectLinkingLayerCreator(
      [InSlabs, Hooks](ExecutionSession &Session) -> Expected<std::unique_ptr<ObjectLayer>> {
        auto Memory = createMemory(InSlabs);
        if (!Memory)
          return Memory.takeError();
        return withPlugins(Session, std::make_unique<ObjectLinkingLayer>(Session, std::move(*Memory)), Hooks);
      });
#else // The memory belongs to the LLJIT, and its layer borrows it.
  Builder.setMemoryManagerCreator([InSlabs](ExecutionSession &) { return createMemory(InSlabs); });
  Builder.setObjectLinkingLayerCreator([Hooks](ExecutionSession &Session, jitlink::JITLinkMemoryManager &Memory) {
    return withPlugins(Session, std::make_unique<ObjectLinkingLayer>(Session, Memory), Hooks);
  });
#endif
}

// Compiles IR modules, as long as the process is not ending.
class Compiler : public ConcurrentIRCompiler {
  llvm_orc::SessionHooks Hooks;

public:
  Compiler(JITTargetMachineBuilder Machine, const llvm_orc::SessionHooks &Hooks)
      : ConcurrentIRCompiler(std::move(Machine)), Hooks(Hooks) {}

  Expected<std::unique_ptr<MemoryBuffer>> operator()(Module &M) override {
    if (!llvm_orc_begin_work())
      return createStringError("the process is ending");
    auto End = make_scope_exit(llvm_orc_end_work);
    if (!Hooks.Generate)
      return ConcurrentIRCompiler::operator()(M);
    LLVMMemoryBufferRef Object = nullptr;
    if (LLVMErrorRef Failed = Hooks.Generate(Hooks.Context, wrap(&M), &Object))
      return unwrap(Failed);
    return std::unique_ptr<MemoryBuffer>(unwrap(Object));
  }
};

} // namespace

extern "C" LLVMErrorRef llvm_orc_create_lljit(const char *TripleText, const char *CPU, const char *Features,
                                              bool InSlabs, const llvm_orc::SessionHooks *Hooks,
                                              LLVMOrcLLJITRef *Result) {
  Triple Target(TripleText);
  JITTargetMachineBuilder Machine(Target);
  Machine.setCPU(CPU);
  Machine.addFeatures(SubtargetFeatures(Features).getFeatures());
  Machine.setRelocationModel(Reloc::PIC_);
  Machine.setCodeModel(CodeModel::Small);
  LLJITBuilder Builder;
  linkInto(Builder, InSlabs, *Hooks);
  auto Created =
      Builder.setJITTargetMachineBuilder(std::move(Machine))
          .setDataLayout(DataLayout(Target.computeDataLayout()))
          .setLinkProcessSymbolsByDefault(false)
          .setCompileFunctionCreator(
              [Hooks = *Hooks](
                  JITTargetMachineBuilder Machine) -> Expected<std::unique_ptr<IRCompileLayer::IRCompiler>> {
                return std::make_unique<Compiler>(std::move(Machine), Hooks);
              })
          .setPlatformSetUp(setUpInactivePlatform)
          .create();
  if (!Created)
    return wrap(Created.takeError());
  *Result = reinterpret_cast<LLVMOrcLLJITRef>(Created->release());
  return LLVMErrorSuccess;
}

// Defines the symbols of a unit with a tracker as owner. LLVM's C API always uses the default
// tracker.
extern "C" LLVMErrorRef llvm_orc_define(LLVMOrcResourceTrackerRef Tracker, LLVMOrcMaterializationUnitRef Unit) {
  ResourceTrackerSP Owner(reinterpret_cast<ResourceTracker *>(Tracker));
  std::unique_ptr<MaterializationUnit> Defines(reinterpret_cast<MaterializationUnit *>(Unit));
  return wrap(Owner->getJITDylib().define(std::move(Defines), Owner));
}

// Defines a stub that jumps to the address in a pointer, which has the stub's name and a suffix. As
// LLVM's JITLinkRedirectableSymbolManager, whose `redirect` looks the pointer up each time.
extern "C" LLVMErrorRef llvm_orc_define_redirectable(LLVMOrcLLJITRef Jit, LLVMOrcResourceTrackerRef Tracker,
                                                     const char *Name, const char *PointerName, uint64_t Target) {
  LLJIT &Session = *reinterpret_cast<LLJIT *>(Jit);
  ExecutionSession &Core = Session.getExecutionSession();
  auto CreatePointer = jitlink::getAnonymousPointerCreator(Core.getTargetTriple());
  auto CreateStub = jitlink::getPointerJumpStubCreator(Core.getTargetTriple());
  if (!CreatePointer || !CreateStub)
    return wrap(createStringError("no stubs for the architecture of " + Core.getTargetTriple().str()));
  auto Graph = std::make_unique<jitlink::LinkGraph>("stub", Core.getSymbolStringPool(), Core.getTargetTriple(),
                                                    SubtargetFeatures(), jitlink::getGenericEdgeKindName);
  jitlink::Section &Pointers = Graph->createSection("stub_pointers", MemProt::Write | MemProt::Read);
  jitlink::Section &Stubs = Graph->createSection("stubs", MemProt::Exec | MemProt::Read);
  jitlink::Symbol &First = Graph->addAbsoluteSymbol("target", ExecutorAddr(Target), 0, jitlink::Linkage::Strong,
                                                    jitlink::Scope::Local, /*IsLive=*/false);
  jitlink::Symbol &Pointer = CreatePointer(*Graph, Pointers, &First, 0);
  Pointer.setName(Core.intern(PointerName));
  Pointer.setScope(jitlink::Scope::Hidden);
  jitlink::Symbol &Stub = CreateStub(*Graph, Stubs, Pointer);
  Stub.setName(Core.intern(Name));
  Stub.setScope(jitlink::Scope::Default);
  Stub.setCallable(true);
  // All layers of this file are of this class.
  auto &Layer = static_cast<ObjectLinkingLayer &>(Session.getObjLinkingLayer());
  return wrap(Layer.add(ResourceTrackerSP(reinterpret_cast<ResourceTracker *>(Tracker)), std::move(Graph)));
}

// Sets the link order of a dylib: itself, then the others. LLVM's C API has no such function.
extern "C" void llvm_orc_set_link_order(LLVMOrcJITDylibRef Dylib, const LLVMOrcJITDylibRef *Others, size_t Count) {
  JITDylibSearchOrder Order;
  for (size_t Index = 0; Index < Count; ++Index)
    Order.emplace_back(reinterpret_cast<JITDylib *>(Others[Index]), JITDylibLookupFlags::MatchExportedSymbolsOnly);
  reinterpret_cast<JITDylib *>(Dylib)->setLinkOrder(std::move(Order), /*LinkAgainstThisJITDylibFirst=*/true);
}

// Removes a dylib and its symbols from its session. The dylib stays in memory until it is released,
// because link orders and handles may refer to it. With `Kept`, its code stays in memory until
// `llvm_orc_free_kept` frees it.
extern "C" LLVMErrorRef llvm_orc_remove_dylib(LLVMOrcJITDylibRef Dylib, void **Kept) {
  auto *Removed = reinterpret_cast<JITDylib *>(Dylib);
  Removed->Retain();
  if (!Kept)
    return wrap(Removed->getExecutionSession().removeJITDylib(*Removed));
  llvm_orc::KeepRemoved Keeper;
  Error Failed = Removed->getExecutionSession().removeJITDylib(*Removed);
  *Kept = Keeper.take();
  return wrap(std::move(Failed));
}

// Removes what a tracker owns. Its code stays in memory until `llvm_orc_free_kept` frees it.
extern "C" LLVMErrorRef llvm_orc_remove_keeping(LLVMOrcResourceTrackerRef Tracker, void **Kept) {
  llvm_orc::KeepRemoved Keeper;
  Error Failed = reinterpret_cast<ResourceTracker *>(Tracker)->remove();
  *Kept = Keeper.take();
  return wrap(std::move(Failed));
}

extern "C" void llvm_orc_release_dylib(LLVMOrcJITDylibRef Dylib) {
  reinterpret_cast<JITDylib *>(Dylib)->Release();
}
